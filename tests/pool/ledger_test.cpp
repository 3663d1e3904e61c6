// The ids of a pool's tasks.
#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include <pool/idle_task.hpp>
#include "pool/ledger.hpp"

namespace {

using chorus::detail::pool::Ledger;
using chorus::detail::pool::Task;

TEST(Ledger, finds_a_task_by_its_id_until_it_is_given_out_again_or_removed) {
    Ledger ledger;
    const auto task = std::make_shared<IdleTask>();
    ledger.add(task);
    const auto first = task->id;
    EXPECT_EQ(ledger.find(first), task);
    ledger.renew(*task);
    EXPECT_EQ(ledger.find(first), nullptr);
    EXPECT_EQ(ledger.find(task->id), task);
    EXPECT_EQ(ledger.remove(task->id), task);
    EXPECT_EQ(ledger.find(task->id), nullptr);
    EXPECT_EQ(ledger.size(), 0U);
}

// Id 0 means "no task", and tells a worker to leave.
TEST(Ledger, never_gives_the_id_0) {
    Ledger ledger(UINT32_MAX - 2);
    const auto task = std::make_shared<IdleTask>();
    std::set<std::uint64_t> ids;
    for (int i = 0; i < 3; ++i) {
        ledger.add(task);
        ids.insert(task->id);
        ledger.renew(*task);
        ids.insert(task->id);
        ledger.remove(task->id);
    }
    EXPECT_EQ(ids.count(0), 0U);
    EXPECT_EQ(ids.size(), 6U);
}

}  // namespace

// What is exported to external observers: counters of objects, names of processes.
#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "sync/exported_counters.hpp"
#include "sync/process_names.hpp"
#include "sync/shared_runtime.hpp"

namespace {

using chorus::detail::sync::ExportedCounters;
using chorus::detail::sync::shared_runtime;

const chorus::detail::sync::CounterBlock* find_sign(const std::string& name) {
    for (const auto& sign : shared_runtime().signs()) {
        if (sign.pid == ::getpid() && name == sign.name) return &sign;
    }
    return nullptr;
}

TEST(ExportedCounters, is_seen_as_long_as_it_lives) {
    {
        ExportedCounters sign("a pool");
        sign.show(2, 7);
        sign.add(2, -3);
        ASSERT_NE(find_sign("a pool"), nullptr);
        EXPECT_EQ(find_sign("a pool")->numbers[2], 4u);
    }
    EXPECT_EQ(find_sign("a pool"), nullptr);
}

TEST(ExportedCounters, without_a_place_keeps_its_numbers_to_itself) {
    std::vector<std::unique_ptr<ExportedCounters>> all;
    for (std::size_t i = 0; i < chorus::detail::sync::SharedRuntime::most_signs; ++i)
        all.push_back(std::make_unique<ExportedCounters>("one of many"));
    ExportedCounters one_more("one more");
    one_more.show(0, 1);
    EXPECT_EQ(find_sign("one more"), nullptr);
    all.pop_back();
    const ExportedCounters next("next");
    EXPECT_NE(find_sign("next"), nullptr);
}

// A program that goes into the background: the copy has the original's objects, whose places are free, as it
// is gone.
TEST(ExportedCounters, of_the_original_takes_down_nothing_of_the_copys) {
    shared_runtime();
    int go[2];
    int said[2];
    ASSERT_EQ(::pipe(go) | ::pipe(said), 0);
    const int original = ::fork();
    if (original == 0) {
        auto old_sign = std::make_unique<ExportedCounters>("the original's");
        if (::fork() == 0) {
            char byte = 0;
            const bool told = ::read(go[0], &byte, 1) == 1;
            const ExportedCounters sign("the copy's");
            old_sign.reset();
            const char seen = told && find_sign("the copy's") != nullptr ? 'y' : 'n';
            ::_exit(::write(said[1], &seen, 1) == 1 ? 0 : 1);
        }
        ::_exit(0);
    }
    ::waitpid(original, nullptr, 0);  // its number is free now
    ASSERT_EQ(::write(go[1], "!", 1), 1);
    ::close(said[1]);
    char seen = 0;
    ASSERT_EQ(::read(said[0], &seen, 1), 1);
    EXPECT_EQ(seen, 'y');
    EXPECT_EQ(::read(said[0], &seen, 1), 0);  // it has ended
    for (const int end : {go[0], go[1], said[0]}) ::close(end);
}

TEST(ProcessName, tells_the_name_and_is_cut_short) {
    chorus::detail::sync::publish_process_name(77, "Process-1");
    EXPECT_EQ(chorus::detail::sync::process_name_of(shared_runtime().process_names(), 77), "Process-1");
    chorus::detail::sync::publish_process_name(77, std::string(100, 'x'));
    EXPECT_EQ(chorus::detail::sync::process_name_of(shared_runtime().process_names(), 77),
              std::string(55, 'x'));
    EXPECT_EQ(chorus::detail::sync::process_name_of(shared_runtime().process_names(), 78), "");
}

TEST(ProcessName, gives_way_to_a_later_one) {
    constexpr int later = 77 + static_cast<int>(chorus::detail::sync::most_name_tags);
    chorus::detail::sync::publish_process_name(77, "first");
    chorus::detail::sync::publish_process_name(later, "second");
    EXPECT_EQ(chorus::detail::sync::process_name_of(shared_runtime().process_names(), 77), "");
    EXPECT_EQ(chorus::detail::sync::process_name_of(shared_runtime().process_names(), later), "second");
}

TEST(ProcessName, is_never_read_half_written) {
    constexpr int other = 81 + static_cast<int>(chorus::detail::sync::most_name_tags);
    const std::string name(50, 'a');
    const std::string name_of_other(50, 'b');
    std::atomic<bool> stop{false};
    const auto write = [&](int pid, const std::string& text) {
        while (!stop) chorus::detail::sync::publish_process_name(pid, text);
    };
    std::thread first(write, 81, name);
    std::thread second(write, other, name_of_other);
    for (int i = 0; i < 20'000; ++i) {
        const auto seen = chorus::detail::sync::process_name_of(shared_runtime().process_names(), 81);
        EXPECT_TRUE(seen.empty() || seen == name) << seen;
        const auto seen_of_other =
            chorus::detail::sync::process_name_of(shared_runtime().process_names(), other);
        EXPECT_TRUE(seen_of_other.empty() || seen_of_other == name_of_other) << seen_of_other;
    }
    stop = true;
    first.join();
    second.join();
}

TEST(ProcessName, of_a_writer_that_has_died_is_taken_over) {
    auto& tag = chorus::detail::sync::process_name_at(shared_runtime().process_names(), 83);
    const pid_t writer = ::fork();
    if (writer == 0) {
        tag.pid = -::getpid();  // as one that is killed while it writes
        ::_exit(0);
    }
    EXPECT_EQ(::waitpid(writer, nullptr, 0), writer);
    chorus::detail::sync::publish_process_name(83, "next");
    EXPECT_EQ(chorus::detail::sync::process_name_of(shared_runtime().process_names(), 83), "next");
}

}  // namespace

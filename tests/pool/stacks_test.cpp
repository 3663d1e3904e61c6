// What naming a stack costs a pool: nothing until it is asked for, and each binary is opened once.
#include <csignal>
#include <cstddef>
#include <exception>
#include <string>
#include <vector>

#include <support/start_methods.hpp>
#include "platform/debug_info.hpp"

using chorus::detail::platform::debug_info_sessions_opened;
using testing::HasSubstr;
using testing::Not;

namespace {

class PoolStacks : public EachStartMethod {};
FOR_EACH_START_METHOD(PoolStacks);

struct Rejected : std::exception {
    const char* what() const noexcept override { return "rejected"; }
};

[[gnu::noinline]] int reject(int number) {
    if (number >= 0) throw Rejected();
    return number;
}
[[gnu::noinline]] int crash(int number) {
    if (number >= 0) ::raise(SIGSEGV);
    return number;
}
std::size_t sessions_of_the_worker() { return debug_info_sessions_opened(); }

chorus::RemoteError rejected(mp::Pool& pool) {
    try {
        pool.apply(reject, 1);
    } catch (const chorus::RemoteError& error) {
        return error;
    }
    throw std::logic_error("nothing was thrown");
}

chorus::WorkerDied died(mp::Pool& pool) {
    try {
        pool.apply(crash, 1);
    } catch (const chorus::WorkerDied& error) {
        return error;
    }
    throw std::logic_error("nothing has died");
}

TEST_P(PoolStacks, of_exceptions_cost_nothing_until_they_are_asked_for) {
    mp::Pool pool(1);
    const auto before = debug_info_sessions_opened();
    const auto in_worker = pool.apply(sessions_of_the_worker);
    std::vector<chorus::RemoteError> errors;
    for (int i = 0; i < 100; ++i) errors.push_back(rejected(pool));
    EXPECT_EQ(pool.apply(sessions_of_the_worker), in_worker) << "the worker named its stack";
    EXPECT_STREQ(errors.front().what(), (errors.front().type() + ": rejected").c_str());
    EXPECT_EQ(debug_info_sessions_opened(), before) << "the pool named a stack that nobody asked for";

    EXPECT_THAT(errors.front().stack(), HasSubstr("reject(int)"));
    EXPECT_THAT(errors.front().stack(), HasSubstr("stacks_test.cpp:"));
    EXPECT_THAT(errors.front().stack(), Not(HasSubstr("chorus::")));
    const auto opened = debug_info_sessions_opened();
    for (const auto& error : errors) EXPECT_EQ(error.stack(), errors.front().stack());
    EXPECT_EQ(debug_info_sessions_opened(), opened) << "a binary was opened again";
}

TEST_P(PoolStacks, of_crashes_open_each_binary_once) {
    mp::Pool pool(1);
    const std::string first = died(pool).stack();
    EXPECT_THAT(first, HasSubstr("crash(int)"));
    EXPECT_THAT(first, HasSubstr("stacks_test.cpp:"));
    const auto opened = debug_info_sessions_opened();
    for (int i = 0; i < 5; ++i) {
        const auto error = died(pool);
        EXPECT_EQ(error.stack(), first);
        EXPECT_THAT(error.what(), HasSubstr("SIGSEGV in "));
    }
    EXPECT_EQ(debug_info_sessions_opened(), opened) << "a binary was opened again";
}

TEST_P(PoolStacks, can_be_asked_for_when_the_pool_is_gone) {
    std::vector<chorus::RemoteError> errors;
    {
        mp::Pool pool(1);
        errors.push_back(rejected(pool));
    }
    EXPECT_THAT(errors.front().stack(), HasSubstr("reject(int)"));
}

int pass_on() { return mp::run(reject, 1); }

TEST_P(PoolStacks, of_an_exception_that_passes_several_processes_are_named_in_the_last) {
    mp::Pool pool(1);
    const auto in_worker = pool.apply(sessions_of_the_worker);
    try {
        pool.apply(pass_on);
        ADD_FAILURE() << "nothing was thrown";
    } catch (const chorus::RemoteError& error) {
        EXPECT_EQ(pool.apply(sessions_of_the_worker), in_worker);
        EXPECT_THAT(error.type(), HasSubstr("Rejected"));
        EXPECT_THAT(error.stack(), HasSubstr("reject(int)"));
    }
}

}  // namespace

// What all handles have in common: their copies are the same object, a handle that was moved from refers to
// none and says so, and a const one can be used.
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chorus/chorus.hpp>
#include "support/message_of.hpp"

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

using testing::HasSubstr;

namespace {

int three() { return 3; }

// How each handle is made, and one call that needs what it refers to.
template <class Handle>
struct Example;
template <class Handle, auto call>
struct Plain {
    static Handle make() { return Handle(); }
    static void use(const Handle& handle) { (void)std::invoke(call, handle); }
};

template <>
struct Example<mt::Lock>
    : Plain<mt::Lock, [](const auto& lock) { return lock.try_lock() ? lock.unlock() : void(); }> {};
template <>
struct Example<mp::Lock>
    : Plain<mp::Lock, [](const auto& lock) { return lock.try_lock() ? lock.unlock() : void(); }> {};
template <>
struct Example<mp::RLock> : Plain<mp::RLock, [](const auto& lock) { return lock.locked(); }> {};
template <>
struct Example<mp::Event> : Plain<mp::Event, [](const auto& event) { return event.set(); }> {};
template <>
struct Example<mt::Condition>
    : Plain<mt::Condition, [](const auto& condition) { return condition.locked(); }> {};
template <>
struct Example<mp::Condition> : Plain<mp::Condition, [](const auto& condition) {
    condition.lock(), condition.notify(), condition.unlock();
}> {};
template <>
struct Example<mp::Semaphore>
    : Plain<mp::Semaphore, [](const auto& semaphore) { return semaphore.release(); }> {};
template <>
struct Example<mt::BoundedSemaphore>
    : Plain<mt::BoundedSemaphore, [](const auto& semaphore) { return semaphore.get_value(); }> {};
template <>
struct Example<mp::Barrier> {
    static mp::Barrier make() { return mp::Barrier(1); }
    static void use(const mp::Barrier& barrier) { barrier.wait(); }
};
template <>
struct Example<mp::RawValue<int>>
    : Plain<mp::RawValue<int>, [](const auto& value) { return value.value(); }> {};
template <>
struct Example<mp::Value<int>> : Plain<mp::Value<int>, [](const auto& value) { return value.value(); }> {};
template <>
struct Example<mt::Array<int>> {
    static mt::Array<int> make() { return {1, 2, 3}; }
    static void use(const mt::Array<int>& array) { array.at(1) = 7; }
};
template <>
struct Example<mp::Queue<std::string>>
    : Plain<mp::Queue<std::string>, [](const auto& queue) { return queue.try_put("x"); }> {};
template <>
struct Example<mt::Queue<int>> : Plain<mt::Queue<int>, [](const auto& queue) { return queue.put(1); }> {};
template <>
struct Example<mt::SimpleQueue<int>>
    : Plain<mt::SimpleQueue<int>, [](const auto& queue) { return queue.put(1); }> {};
template <>
struct Example<mp::Connection> {
    static mp::Connection make() { return mp::Pipe().first; }
    static void use(const mp::Connection& end) { (void)end.closed(); }
};
template <>
struct Example<mp::Process> {
    static mp::Process make() { return mp::Process(three); }
    static void use(const mp::Process& process) { (void)process.name(); }
};
template <>
struct Example<mt::Thread> {
    static mt::Thread make() { return mt::Thread(three); }
    static void use(const mt::Thread& thread) { (void)thread.is_alive(); }
};
template <>
struct Example<chorus::Future<int>> {
    static chorus::Future<int> make() {
        mt::Pool pool(1);
        return pool.submit(three);
    }
    static void use(const chorus::Future<int>& future) { EXPECT_EQ(future.get(), 3); }
};
template <>
struct Example<chorus::StopSource>
    : Plain<chorus::StopSource, [](const auto& source) { return source.request_stop(); }> {};
template <>
struct Example<chorus::StopToken> {
    static chorus::StopToken make() { return chorus::StopSource().get_token(); }
    static void use(const chorus::StopToken& token) { (void)token.stop_requested(); }
};

template <class Handle>
class Handles : public testing::Test {};
using All =
    testing::Types<mt::Lock, mp::Lock, mp::RLock, mp::Event, mt::Condition, mp::Condition, mp::Semaphore,
                   mt::BoundedSemaphore, mp::Barrier, mp::RawValue<int>, mp::Value<int>, mt::Array<int>,
                   mp::Queue<std::string>, mt::Queue<int>, mt::SimpleQueue<int>, mp::Connection, mp::Process,
                   mt::Thread, chorus::Future<int>, chorus::StopSource, chorus::StopToken>;
TYPED_TEST_SUITE(Handles, All);

TYPED_TEST(Handles, one_that_was_moved_from_refers_to_nothing) {
    const auto use = [](const TypeParam& handle) { Example<TypeParam>::use(handle); };
    auto first = Example<TypeParam>::make();
    EXPECT_TRUE(first.valid());
    const auto copy = first;
    const auto moved = std::move(first);
    EXPECT_FALSE(first.valid());
    if constexpr (requires { first.size(); }) {
        EXPECT_EQ(first.size(), 0U);
        EXPECT_THROW(use(first), chorus::UsageError);
    } else {
        EXPECT_THAT(message_of<chorus::UsageError>([&] { use(first); }), HasSubstr("this handle is empty"));
    }
    EXPECT_TRUE(copy.valid());
    EXPECT_TRUE(moved.valid());
    use(copy);
    use(moved);
    first = copy;
    EXPECT_TRUE(first.valid());
    use(first);
}

TEST(Handles, futures_can_be_made_empty) {
    chorus::Future<int> future;
    EXPECT_FALSE(future.valid());
    EXPECT_THROW(future.get(), chorus::UsageError);
    EXPECT_THROW(chorus::wait(std::vector{future}), chorus::UsageError);
    mt::Pool pool(1);
    future = pool.submit(three);
    EXPECT_EQ(future.get(), 3);
}

TEST(Handles, blocks_and_descriptors_are_empty_after_a_move) {
    mp::SharedMemory block({.create = true, .size = 10});
    const auto moved = std::move(block);
    EXPECT_FALSE(block.valid());
    EXPECT_THROW((void)block.buf(), chorus::UsageError);
    EXPECT_TRUE(moved.valid());
    moved.unlink();
    mp::ShareableList list{1, 2};
    auto moved_list = std::move(list);
    EXPECT_FALSE(list.valid());
    EXPECT_TRUE(moved_list.valid());
    moved_list.shm().unlink();
    chorus::FileDescriptor none;
    EXPECT_FALSE(none.valid());
}

TEST(Handles, a_timer_that_was_moved_from_is_refused) {
    mt::Timer timer(std::chrono::hours(1), three);
    const auto moved = std::move(timer);
    EXPECT_THROW(timer.cancel(), chorus::UsageError);
    EXPECT_THROW(timer.start(), chorus::UsageError);
}

TEST(Handles, results_that_were_moved_from_are_refused) {
    mt::Pool pool(1);
    auto results = pool.imap([](int n) { return n; }, std::vector{1, 2});
    auto moved = std::move(results);
    EXPECT_THROW(results.next(), chorus::UsageError);
    EXPECT_THROW(results.begin(), chorus::UsageError);
    EXPECT_EQ(moved.next(), 1);
    auto completed = chorus::as_completed(std::vector{pool.submit(three)});
    auto moved_completed = std::move(completed);
    EXPECT_EQ(completed.next(), std::nullopt);
    EXPECT_EQ(moved_completed.next()->get(), 3);
}

}  // namespace

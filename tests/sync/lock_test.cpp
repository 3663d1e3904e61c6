// Lock and RLock, and Condition used as a lock.
#include <cmath>
#include <filesystem>
#include <iterator>
#include <map>

#include <sync/flavours.hpp>

using testing::HasSubstr;
using testing::MatchesRegex;

// ---- what all kinds of locks have in common ------------------------------------------------------

template <class Par>
struct plain : Par {
    static constexpr const char* name = "plain";
    using AnyLock = typename Par::Lock;
};
template <class Par>
struct recursive : Par {
    static constexpr const char* name = "recursive";
    using AnyLock = typename Par::RLock;
};
template <class Par>
struct condition : Par {
    static constexpr const char* name = "condition";
    using AnyLock = typename Par::Condition;
};

namespace {

template <class Kind>
class BaseLock : public Flavoured<Kind> {
protected:
    typename Kind::AnyLock lock_;
    typename Kind::Semaphore about_to_wait_{0};
    typename Kind::Semaphore done_{0};
};
using Kinds = EachOf<plain, recursive, condition>;
EACH_WAY_SUITE(BaseLock, Kinds);

EACH_WAY_TEST(BaseLock, test_constructor) {
    typename TypeParam::AnyLock another;
    EXPECT_FALSE(another.locked());
}

EACH_WAY_TEST(BaseLock, test_repr) {
    const std::string free = text_of(this->lock_);
    EXPECT_THAT(free, MatchesRegex("<(Lock|RLock|Condition)\\(.*\\)>"));
    const std::scoped_lock guard(this->lock_);
    EXPECT_NE(text_of(this->lock_), free);
}

EACH_WAY_TEST(BaseLock, test_acquire_destroy) {
    for (int i = 0; i < 100; ++i) {
        typename TypeParam::AnyLock dropped;
        EXPECT_TRUE(dropped.acquire());
    }
}

EACH_WAY_TEST(BaseLock, test_acquire_release) {
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(this->lock_.acquire());
        EXPECT_TRUE(this->lock_.locked());
        this->lock_.release();
        EXPECT_FALSE(this->lock_.locked());
    }
}

EACH_WAY_TEST(BaseLock, test_try_acquire) {
    EXPECT_TRUE(this->lock_.acquire(chorus::now));
    this->lock_.release();
    EXPECT_TRUE(this->lock_.try_lock());
    this->lock_.unlock();
}

template <class AnyLock>
void find_it_held(AnyLock lock) {
    REQUIRE(lock.locked());
    REQUIRE(!lock.acquire(chorus::now));
    REQUIRE(!lock.try_lock());
    REQUIRE(!lock.acquire(10ms));
}

EACH_WAY_TEST(BaseLock, test_try_acquire_contended) {
    const std::scoped_lock guard(this->lock_);
    Crew<TypeParam>().start(find_it_held<typename TypeParam::AnyLock>, this->lock_);
}

template <class AnyLock, class Semaphore>
void be_alone(AnyLock lock, Semaphore inside, Semaphore about_to_wait, Semaphore done) {
    about_to_wait.release();
    REQUIRE(lock.acquire());
    REQUIRE(inside.acquire(chorus::now));
    inside.release();
    lock.release();
    done.release();
}

EACH_WAY_TEST(BaseLock, test_acquire_contended) {
    typename TypeParam::Semaphore inside(1);
    this->lock_.acquire();
    Crew<TypeParam> crew;
    crew.start_many(5, be_alone<typename TypeParam::AnyLock, typename TypeParam::Semaphore>, this->lock_,
                    inside, this->about_to_wait_, this->done_);
    expect_asleep(this->about_to_wait_, crew.workers());
    EXPECT_EQ(this->done_.get_value(), 0);
    this->lock_.release();
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 5);
    EXPECT_FALSE(this->lock_.locked());
}

EACH_WAY_TEST(BaseLock, test_with) {
    {
        const std::scoped_lock guard(this->lock_);
        EXPECT_TRUE(this->lock_.locked());
    }
    EXPECT_FALSE(this->lock_.locked());
    try {
        const std::lock_guard guard(this->lock_);
        throw std::runtime_error("out");
    } catch (const std::runtime_error&) {
    }
    EXPECT_FALSE(this->lock_.locked());
}

EACH_WAY_TEST(BaseLock, test_thread_leak) {
    std::vector<std::thread> foreign;
    for (int i = 0; i < 15; ++i) {
        foreign.emplace_back([lock = this->lock_]() mutable {
            lock.acquire();
            lock.release();
        });
    }
    for (auto& thread : foreign) thread.join();
    EXPECT_EQ(mt::active_count(), 1U);
}

EACH_WAY_TEST(BaseLock, test_timeout) {
    auto& lock = this->lock_;
    EXPECT_THROW((void)lock.acquire(std::chrono::duration<double>(std::nan(""))), chorus::UsageError);
    for (const chorus::Deadline huge : {chorus::Deadline(std::chrono::hours(24 * 365 * 200)),
                                        chorus::Deadline(std::chrono::nanoseconds::max())}) {
        EXPECT_TRUE(lock.acquire(huge));
        lock.release();
    }
    typename TypeParam::Event go_on;
    const auto hold = [](typename TypeParam::AnyLock held, typename TypeParam::Semaphore holding,
                         typename TypeParam::Event until) {
        const std::scoped_lock guard(held);
        holding.release();
        until.wait();
    };
    Crew<TypeParam> crew;
    crew.start(hold, lock, this->about_to_wait_, go_on);
    ASSERT_TRUE(this->about_to_wait_.acquire(too_long));
    const Stopwatch watch;
    EXPECT_FALSE(lock.acquire(100ms));
    EXPECT_GE(watch.elapsed(), 100ms);
    EXPECT_FALSE(lock.acquire(std::chrono::steady_clock::now() + 10ms));
    const Stopwatch at_once;
    EXPECT_FALSE(lock.acquire(0s));
    EXPECT_FALSE(lock.acquire(-1s));
    EXPECT_FALSE(lock.acquire(std::chrono::hours(-1'000'000)));
    EXPECT_FALSE(lock.acquire(std::chrono::system_clock::now() - 1h));
    EXPECT_LT(at_once.elapsed(), too_long);
    go_on.set();
}

EACH_WAY_TEST(BaseLock, two_at_once_by_scoped_lock) {
    typename TypeParam::AnyLock other;
    const auto take_both = [](typename TypeParam::AnyLock one, typename TypeParam::AnyLock two,
                              typename TypeParam::Semaphore inside) {
        for (int i = 0; i < 200; ++i) {
            const std::scoped_lock guard(one, two);
            REQUIRE(inside.acquire(chorus::now));
            inside.release();
        }
    };
    typename TypeParam::Semaphore inside(1);
    Crew<TypeParam> crew;
    crew.start(take_both, this->lock_, other, inside);
    crew.start(take_both, other, this->lock_, inside);
}

EACH_WAY_TEST(BaseLock, handles_are_the_same_lock) {
    auto copy = this->lock_;
    const std::scoped_lock guard(copy);
    EXPECT_TRUE(this->lock_.locked());
    typename TypeParam::AnyLock other;
    EXPECT_FALSE(other.locked());
    other = copy;
    EXPECT_TRUE(other.locked());
}

EACH_WAY_TEST(BaseLock, is_held_by_one_at_a_time_whoever_asks) {
    const auto add = [](typename TypeParam::AnyLock lock, typename TypeParam::Semaphore inside,
                        typename TypeParam::Semaphore done) {
        for (int i = 0; i < 2000; ++i) {
            REQUIRE(lock.acquire());
            REQUIRE(inside.acquire(chorus::now));
            if (i % 100 == 0) std::this_thread::yield();
            inside.release();
            lock.release();
        }
        done.release();
    };
    typename TypeParam::Semaphore inside(1);
    {
        Crew<TypeParam> crew;
        crew.start_many(4, add, this->lock_, inside, this->done_);
    }
    EXPECT_EQ(this->done_.get_value(), 4);
}

// ---- Lock --------------------------------------------------------------------------------------

template <class Par>
class Lock : public Flavoured<Par> {
protected:
    typename Par::Lock lock_;
    typename Par::Semaphore about_to_wait_{0};
    typename Par::Semaphore done_{0};
};
EACH_WAY_SUITE(Lock, ThreadsAndProcesses);

// Holds it until told, and says so.
template <class AnyLock, class Semaphore, class Event>
void hold(AnyLock lock, Semaphore holding, Event until) {
    const std::scoped_lock guard(lock);
    holding.release();
    until.wait();
}

EACH_WAY_TEST(Lock, test_repr_lock) {
    auto& lock = this->lock_;
    EXPECT_EQ(text_of(lock), "<Lock(owner=None)>");
    lock.acquire();
    EXPECT_EQ(text_of(lock),
              TypeParam::are_processes ? "<Lock(owner=MainProcess)>" : "<Lock(owner=this thread)>");
    mt::Thread other([&lock] { EXPECT_EQ(text_of(lock), "<Lock(owner=SomeOtherThread)>"); });
    other.start();
    other.join();
    lock.release();
    mt::Thread named({.name = "T1"}, [&lock] {
        const std::scoped_lock guard(lock);
        EXPECT_EQ(text_of(lock),
                  TypeParam::are_processes ? "<Lock(owner=MainProcess|T1)>" : "<Lock(owner=this thread)>");
    });
    named.start();
    named.join();
    typename TypeParam::Event go_on;
    typename TypeParam::Worker worker(
        {.name = "P1"},
        hold<typename TypeParam::Lock, typename TypeParam::Semaphore, typename TypeParam::Event>, lock,
        this->about_to_wait_, go_on);
    worker.start();
    ASSERT_TRUE(this->about_to_wait_.acquire(too_long));
    EXPECT_EQ(text_of(lock), TypeParam::are_processes ? "<Lock(owner=P1)>" : "<Lock(owner=SomeOtherThread)>");
    go_on.set();
    EXPECT_TRUE(worker.join(too_long));
}

EACH_WAY_TEST(Lock, test_lock_locked_2processes) {
    typename TypeParam::Event go_on;
    Crew<TypeParam> crew;
    crew.start(hold<typename TypeParam::Lock, typename TypeParam::Semaphore, typename TypeParam::Event>,
               this->lock_, this->about_to_wait_, go_on);
    ASSERT_TRUE(this->about_to_wait_.acquire(too_long));
    EXPECT_TRUE(this->lock_.locked());
    go_on.set();
    crew.join();
    EXPECT_FALSE(this->lock_.locked());
    const std::scoped_lock guard(this->lock_);
    crew.start(find_it_held<typename TypeParam::Lock>, this->lock_);
    crew.join();
}

EACH_WAY_TEST(Lock, test_lock_context) {
    std::unique_lock guard(this->lock_);
    EXPECT_TRUE(guard.owns_lock());
    EXPECT_TRUE(this->lock_.locked());
}

EACH_WAY_TEST(Lock, unique_lock_with_timeouts) {
    std::unique_lock mine(this->lock_, 10ms);
    EXPECT_TRUE(mine.owns_lock());
    std::unique_lock late(this->lock_, 10ms);
    EXPECT_FALSE(late.owns_lock());
    std::unique_lock later(this->lock_, std::chrono::system_clock::now() + 10ms);
    EXPECT_FALSE(later.owns_lock());
    EXPECT_FALSE(late.try_lock_for(-1s));
    mine.unlock();
    EXPECT_TRUE(late.try_lock_until(std::chrono::steady_clock::now() + 10ms));
}

EACH_WAY_TEST(Lock, test_releasing_unacquired_lock) {
    EXPECT_THAT(message_of<chorus::UsageError>([&] { this->lock_.release(); }), HasSubstr("not held"));
    EXPECT_FALSE(this->lock_.locked());
    this->lock_.acquire();
    this->lock_.release();
    EXPECT_THROW(this->lock_.release(), chorus::UsageError);
    EXPECT_THROW(this->lock_.recover(), chorus::UsageError);
    EXPECT_TRUE(this->lock_.acquire(chorus::now));
}

EACH_WAY_TEST(Lock, test_reacquire) {
    this->lock_.acquire();
    EXPECT_FALSE(this->lock_.acquire(10ms));
    const auto take_twice = [](typename TypeParam::Lock lock, typename TypeParam::Semaphore about_to_wait) {
        lock.acquire();
        about_to_wait.release();
        lock.acquire();
        lock.release();
    };
    this->lock_.release();
    Crew<TypeParam> crew;
    crew.start(take_twice, this->lock_, this->about_to_wait_);
    expect_asleep(this->about_to_wait_, crew.workers());
    this->lock_.release();
    crew.join();
    EXPECT_FALSE(this->lock_.locked());
}

EACH_WAY_TEST(Lock, test_different_thread) {
    this->lock_.acquire();
    Crew<TypeParam> crew;
    crew.start([](typename TypeParam::Lock lock) { lock.release(); }, this->lock_);
    EXPECT_TRUE(this->lock_.acquire(too_long));
    crew.join();
    EXPECT_TRUE(this->lock_.locked());
}

EACH_WAY_TEST(Lock, released_by_another_while_several_wait) {
    this->lock_.acquire();
    Crew<TypeParam> crew;
    const auto pass = [](typename TypeParam::Lock lock, typename TypeParam::Semaphore about_to_wait,
                         typename TypeParam::Semaphore done) {
        about_to_wait.release();
        REQUIRE(lock.acquire(too_long));
        lock.release();
        done.release();
    };
    crew.start_many(3, pass, this->lock_, this->about_to_wait_, this->done_);
    expect_asleep(this->about_to_wait_, crew.workers());
    Crew<TypeParam>().start([](typename TypeParam::Lock lock) { lock.release(); }, this->lock_);
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 3);
}

EACH_WAY_TEST(Lock, test_state_after_timeout) {
    this->lock_.acquire();
    const auto try_in_time = [](typename TypeParam::Lock lock) { REQUIRE(!lock.acquire(10ms)); };
    Crew<TypeParam>().start(try_in_time, this->lock_);
    EXPECT_TRUE(this->lock_.locked());
    this->lock_.release();
    EXPECT_FALSE(this->lock_.locked());
    EXPECT_TRUE(this->lock_.acquire(chorus::now));
}

EACH_WAY_TEST(Lock, a_waiter_that_times_out_takes_no_wake_with_it) {
    for (int i = 0; i < 20; ++i) {
        this->lock_.acquire();
        Crew<TypeParam> crew;
        crew.start(
            [](typename TypeParam::Lock lock, typename TypeParam::Semaphore about_to_wait) {
                about_to_wait.release();
                if (lock.acquire(2ms)) lock.release();
            },
            this->lock_, this->about_to_wait_);
        crew.start(
            [](typename TypeParam::Lock lock, typename TypeParam::Semaphore about_to_wait) {
                about_to_wait.release();
                REQUIRE(lock.acquire(too_long));
                lock.release();
            },
            this->lock_, this->about_to_wait_);
        for (int worker = 0; worker < 2; ++worker) this->about_to_wait_.acquire();
        std::this_thread::sleep_for(2ms);  // the very moment is what is tried
        this->lock_.release();
    }
}

// Python re-initialises the locks of a forked copy. Here a copy has locks of its own among threads, as they
// were, and among processes the same as its parent.
EACH_WAY_TEST(Lock, test_at_fork_reinit) {
    auto lock = this->lock_;
    EXPECT_EQ(in_forked_copy([&] {
                  REQUIRE(lock.acquire(chorus::now));
                  lock.release();
                  typename TypeParam::Lock made_here;
                  REQUIRE(made_here.acquire(chorus::now));
              }),
              0);
    EXPECT_FALSE(lock.locked());
    lock.acquire();
    EXPECT_EQ(in_forked_copy([&] {
                  REQUIRE(lock.locked());
                  REQUIRE(!lock.acquire(10ms));
                  lock.release();
              }),
              0);
    EXPECT_EQ(lock.locked(), !TypeParam::are_processes);
}

EACH_WAY_TEST(Lock, an_idle_waiter_uses_no_cpu) {
    this->lock_.acquire();
    const auto idle = [](typename TypeParam::Lock lock) {
        REQUIRE(cpu_time_of([&] { REQUIRE(!lock.acquire(1s)); }) < hardly_any_cpu_time);
    };
    Crew<TypeParam> crew;
    crew.start_many(2, idle, this->lock_);
}

// ---- Lock, signals: left out are CPython's tests of handlers that throw through a wait ----

EACH_WAY_TEST(Lock, test_lock_acquire_retries_on_intr) {
    typename TypeParam::Event go_on;
    Crew<TypeParam> crew;
    crew.start(hold<typename TypeParam::Lock, typename TypeParam::Semaphore, typename TypeParam::Event>,
               this->lock_, this->about_to_wait_, go_on);
    ASSERT_TRUE(this->about_to_wait_.acquire(too_long));
    mt::Thread opener([&] {
        sigset_t alarm;
        ::sigemptyset(&alarm);
        ::sigaddset(&alarm, SIGALRM);
        ::pthread_sigmask(SIG_BLOCK, &alarm, nullptr);
        EXPECT_TRUE(becomes_true([] { return Alarms::count() > 50; }));
        go_on.set();
    });
    opener.start();
    {
        const Alarms alarms;
        EXPECT_TRUE(this->lock_.acquire());
    }
    EXPECT_GT(Alarms::count(), 50);
    opener.join();
    this->lock_.release();
}

EACH_WAY_TEST(Lock, test_interrupted_timed_acquire) {
    this->lock_.acquire();
    const Alarms alarms;
    do {
        const Stopwatch watch;
        EXPECT_FALSE(this->lock_.acquire(300ms));
        EXPECT_GE(watch.elapsed(), 300ms);
    } while (Alarms::count() <= 10);
}

// ---- RLock -------------------------------------------------------------------------------------

template <class Par>
class RLock : public Flavoured<Par> {
protected:
    typename Par::RLock lock_;
    typename Par::Semaphore about_to_wait_{0};
    typename Par::Event go_on_;
};
EACH_WAY_SUITE(RLock, ThreadsAndProcesses);

EACH_WAY_TEST(RLock, test_rlock) {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(this->lock_.acquire());
    for (int i = 0; i < 3; ++i) this->lock_.release();
    EXPECT_THROW(this->lock_.release(), chorus::UsageError);
}

EACH_WAY_TEST(RLock, text_form_says_the_depth) {
    auto& lock = this->lock_;
    EXPECT_EQ(text_of(lock), "<RLock(None, 0)>");
    lock.acquire();
    lock.acquire();
    EXPECT_EQ(text_of(lock),
              TypeParam::are_processes ? "<RLock(MainProcess, 2)>" : "<RLock(this thread, 2)>");
    mt::Thread other([&lock] { EXPECT_EQ(text_of(lock), "<RLock(SomeOtherThread, nonzero)>"); });
    other.start();
    other.join();
    lock.release();
    lock.release();
    Crew<TypeParam> crew;
    crew.start(hold<typename TypeParam::RLock, typename TypeParam::Semaphore, typename TypeParam::Event>,
               lock, this->about_to_wait_, this->go_on_);
    ASSERT_TRUE(this->about_to_wait_.acquire(too_long));
    EXPECT_THAT(text_of(lock), MatchesRegex("<RLock\\(.+, nonzero\\)>"));
    this->go_on_.set();
}

EACH_WAY_TEST(RLock, test_rlock_locked_2processes) {
    Crew<TypeParam> crew;
    crew.start(hold<typename TypeParam::RLock, typename TypeParam::Semaphore, typename TypeParam::Event>,
               this->lock_, this->about_to_wait_, this->go_on_);
    ASSERT_TRUE(this->about_to_wait_.acquire(too_long));
    EXPECT_TRUE(this->lock_.locked());
    EXPECT_FALSE(this->lock_.acquire(chorus::now));
    this->go_on_.set();
    crew.join();
    EXPECT_FALSE(this->lock_.locked());
}

EACH_WAY_TEST(RLock, test_rlock_context) {
    const std::unique_lock guard(this->lock_);
    EXPECT_TRUE(guard.owns_lock());
    const std::scoped_lock again(this->lock_);
    EXPECT_TRUE(this->lock_.locked());
}

EACH_WAY_TEST(RLock, test_releasing_unacquired_lock) {
    EXPECT_THROW(this->lock_.release(), chorus::UsageError);
}

EACH_WAY_TEST(RLock, test_reacquire) {
    this->lock_.acquire();
    EXPECT_TRUE(this->lock_.acquire(chorus::now));
    EXPECT_TRUE(this->lock_.acquire(10ms));
    this->lock_.release();
    this->lock_.release();
    EXPECT_TRUE(this->lock_.locked());
    this->lock_.release();
    EXPECT_FALSE(this->lock_.locked());
}

EACH_WAY_TEST(RLock, test_recursion_count) {
    const auto find = [](typename TypeParam::RLock lock, bool held) {
        REQUIRE(lock.locked() == held);
        REQUIRE(lock.acquire(chorus::now) != held);
    };
    for (int i = 0; i < 3; ++i) this->lock_.acquire();
    for (int i = 0; i < 3; ++i) {
        Crew<TypeParam>().start(find, this->lock_, true);
        this->lock_.release();
    }
    Crew<TypeParam>().start(
        [](typename TypeParam::RLock lock) {
            lock.acquire(chorus::now) ? lock.release() : require(false, "a free lock");
        },
        this->lock_);
}

// There is no such query: a thread that is not the owner learns it when it releases.
EACH_WAY_TEST(RLock, test_is_owned) {
    this->lock_.acquire();
    const auto be_refused = [](typename TypeParam::RLock lock) {
        bool refused = false;
        try {
            lock.release();
        } catch (const chorus::UsageError&) {
            refused = true;
        }
        REQUIRE(refused);
    };
    Crew<TypeParam>().start(be_refused, this->lock_);
    EXPECT_TRUE(this->lock_.locked());
    this->lock_.release();
}

EACH_WAY_TEST(RLock, test_locked) {
    EXPECT_FALSE(this->lock_.locked());
    this->lock_.acquire();
    this->lock_.acquire();
    this->lock_.release();
    EXPECT_TRUE(this->lock_.locked());
    this->lock_.release();
    EXPECT_FALSE(this->lock_.locked());
}

EACH_WAY_TEST(RLock, test_locked_with_2threads) {
    mt::Thread other([&] { hold(this->lock_, this->about_to_wait_, this->go_on_); });
    other.start();
    ASSERT_TRUE(this->about_to_wait_.acquire(too_long));
    EXPECT_TRUE(this->lock_.locked());
    EXPECT_FALSE(this->lock_.acquire(chorus::now));
    this->go_on_.set();
    other.join();
    EXPECT_FALSE(this->lock_.locked());
}

EACH_WAY_TEST(RLock, test_interrupted_timed_acquire) {
    Crew<TypeParam> crew;
    crew.start(hold<typename TypeParam::RLock, typename TypeParam::Semaphore, typename TypeParam::Event>,
               this->lock_, this->about_to_wait_, this->go_on_);
    ASSERT_TRUE(this->about_to_wait_.acquire(too_long));
    {
        const Alarms alarms;
        const Stopwatch watch;
        EXPECT_FALSE(this->lock_.acquire(100ms));
        EXPECT_GE(watch.elapsed(), 100ms);
    }
    this->go_on_.set();
}

// A thread that holds it keeps it through a plain fork(); its copy is another thread.
EACH_WAY_TEST(RLock, a_forked_copy_is_another_owner) {
    this->lock_.acquire();
    if (!TypeParam::are_processes) return this->lock_.release();
    EXPECT_EQ(in_forked_copy([&] {
                  REQUIRE(!this->lock_.acquire(chorus::now));
                  bool refused = false;
                  try {
                      this->lock_.release();
                  } catch (const chorus::UsageError&) {
                      refused = true;
                  }
                  REQUIRE(refused);
              }),
              0);
    this->lock_.release();
}

// ---- handles that travel -----------------------------------------------------------------------

template <class Par>
class TravellingLock : public Flavoured<Par> {};
EACH_WAY_SUITE(TravellingLock, ProcessesOnly);

struct Job {
    std::string name;
    mp::Lock lock;
    std::vector<mp::RLock> more;
    std::optional<mp::Event> event;
    std::map<std::string, mp::Semaphore> permits;
};

EACH_WAY_TEST(TravellingLock, inside_containers_and_aggregates) {
    Job job{"job",
            {},
            std::vector<mp::RLock>(3),
            mp::Event(),
            {{"a", mp::Semaphore(1)}, {"b", mp::Semaphore(2)}}};
    std::vector<mp::Lock> locks(4);
    locks.push_back(locks[1]);  // the same one twice
    const auto use = [](Job theirs, std::vector<mp::Lock> these, std::pair<mp::Lock, mp::Lock> twins) {
        theirs.lock.acquire();
        theirs.lock.release();
        REQUIRE(theirs.more.size() == 3);
        for (auto& lock : theirs.more) {
            lock.acquire();
            lock.release();
        }
        REQUIRE(theirs.permits.at("b").get_value() == 2);
        REQUIRE(!these[0].locked());
        REQUIRE(these[1].locked());
        REQUIRE(these[4].locked());
        these[4].release();
        REQUIRE(!these[1].locked());
        REQUIRE(twins.first.locked() && twins.second.locked());
        theirs.permits.at("a").acquire();
        theirs.event->set();
    };
    locks[1].acquire();
    mp::Lock twin;
    twin.acquire();
    Crew<TypeParam>().start(use, job, locks, std::pair(twin, twin));
    EXPECT_FALSE(locks[1].locked());
    EXPECT_TRUE(job.event->is_set());
    EXPECT_EQ(job.permits.at("a").get_value(), 0);
}

EACH_WAY_TEST(TravellingLock, on_to_a_grandchild) {
    const auto child = [](mp::Lock lock, mp::Event event, mp::Condition changed) {
        mp::Process grandchild(
            [](mp::Lock same_lock, mp::Event same_event, mp::Condition same_condition) {
                REQUIRE(same_lock.locked());
                same_lock.release();
                const std::scoped_lock guard(same_condition);
                same_event.set();
                same_condition.notify();
            },
            lock, event, changed);
        grandchild.start();
        grandchild.join();
        REQUIRE(grandchild.exitcode() == 0);
    };
    mp::Lock lock;
    mp::Event event;
    mp::Condition changed;
    lock.acquire();
    Crew<TypeParam> crew;
    const std::scoped_lock guard(changed);
    crew.start(child, lock, event, changed);
    EXPECT_TRUE(changed.wait_for([&] { return event.is_set(); }, too_long));
    EXPECT_FALSE(lock.locked());
}

EACH_WAY_TEST(TravellingLock, outlives_who_made_it) {
    const auto make = [](mp::Event event) {
        mp::Process heir(
            [](mp::Lock lock, mp::Event done) {
                for (int i = 0; i < 10; ++i) {
                    lock.acquire();
                    lock.release();
                }
                done.set();
            },
            mp::Lock(), event);
        heir.start();
        heir.join();
        REQUIRE(heir.exitcode() == 0);
    };
    mp::Event event;
    Crew<TypeParam>().start(make, event);
    EXPECT_TRUE(event.is_set());
}

std::size_t open_descriptors() {
    const std::filesystem::directory_iterator first("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(first, std::filesystem::directory_iterator()));
}

TEST(ManyLocks, ten_thousand_are_made_used_and_dropped) {
    const std::size_t before = open_descriptors();
    {
        std::vector<mp::Lock> all(10'000);
        for (auto& lock : all) {
            lock.acquire();
            EXPECT_FALSE(lock.try_lock());
        }
        EXPECT_LT(open_descriptors(), before + 64) << "small objects share";
        for (auto& lock : all) lock.release();
    }
    for (int i = 0; i < 10'000; ++i) {
        mp::Lock lock;
        const std::scoped_lock guard(lock);
    }
    EXPECT_LE(open_descriptors(), before + 3);
}

// Where a process that was started had its first stack: under the address sanitizer that memory must be as
// good as any.
TEST(ManyLocks, where_a_starting_process_had_its_stack) {
    for (int i = 0; i < 3; ++i) {
        mp::SpawnProcess process([] {});
        process.start();
        process.join();
        std::vector<mp::Lock> all(2000);
        for (auto& lock : all) lock.acquire();
    }
}

TEST(ManyLocks, a_child_gets_all_of_a_thousand) {
    std::vector<mp::Lock> all(1000);
    for (auto& lock : all) lock.acquire();
    mp::Process child(
        [](std::vector<mp::Lock> locks) {
            for (auto& lock : locks) lock.release();
        },
        all);
    child.start();
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
    for (auto& lock : all) EXPECT_FALSE(lock.locked());
}

// What parent and copy make after a fork must not lie at the same place.
TEST(ForkedCopy, makes_locks_of_its_own) {
    mp::Lock before;
    mp::Event copy_is_ready;
    mp::Event go_on;
    mp::Semaphore wrong(0);
    mt::Thread copy([&] {
        EXPECT_EQ(in_forked_copy([&] {
                      std::vector<mp::Lock> mine(100);
                      for (auto& lock : mine) lock.acquire();
                      copy_is_ready.set();
                      go_on.wait();
                      for (auto& lock : mine) lock.release();
                  }),
                  0);
    });
    copy.start();
    copy_is_ready.wait();
    std::vector<mp::Lock> mine(100);
    for (auto& lock : mine) EXPECT_TRUE(lock.acquire(chorus::now));
    go_on.set();
    copy.join();
    for (auto& lock : mine) EXPECT_TRUE(lock.locked());
}

}  // namespace

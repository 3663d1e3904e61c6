// Condition.
#include <vector>

#include <sync/flavours.hpp>

using testing::HasSubstr;
using testing::MatchesRegex;

namespace {

template <class Par>
class Condition : public Flavoured<Par> {
protected:
    /// How many wait, as the text form says.
    static int waiters(const typename Par::Condition& condition) {
        const std::string text = text_of(condition);
        return std::stoi(text.substr(text.rfind(", ") + 2));
    }
    void expect_waiters(int count) {
        EXPECT_TRUE(becomes_true([&] {
            const std::scoped_lock guard(condition_);
            return waiters(condition_) == count;
        })) << text_of(condition_);
    }

    typename Par::Condition condition_;
    typename Par::Semaphore about_to_wait_{0};
    typename Par::Semaphore done_{0};
};
EACH_WAY_SUITE(Condition, ThreadsAndProcesses);

template <class AnyCondition, class Semaphore>
void wait_once(AnyCondition condition, Semaphore done) {
    const std::scoped_lock guard(condition);
    REQUIRE(condition.wait(too_long));
    done.release();
}

EACH_WAY_TEST(Condition, test_acquire) {
    auto& own = this->condition_;
    own.acquire();
    EXPECT_TRUE(own.acquire(chorus::now)) << "the default lock is recursive";
    own.release();
    EXPECT_TRUE(own.locked());
    own.release();
    EXPECT_FALSE(own.locked());

    typename TypeParam::Lock lock;
    typename TypeParam::Condition shares(lock);
    shares.acquire();
    EXPECT_FALSE(lock.acquire(chorus::now));
    EXPECT_FALSE(shares.acquire(chorus::now)) << "the lock given is not recursive";
    shares.release();
    EXPECT_TRUE(lock.acquire(chorus::now));
    EXPECT_FALSE(shares.acquire(chorus::now));
    lock.release();

    typename TypeParam::RLock again;
    typename TypeParam::Condition both(again);
    const std::scoped_lock guard(again, both);
    EXPECT_TRUE(both.locked());
}

EACH_WAY_TEST(Condition, test_unacquired_wait_and_notify) {
    auto& condition = this->condition_;
    EXPECT_THAT(message_of<chorus::UsageError>([&] { condition.wait(); }), HasSubstr("acquire it first"));
    EXPECT_THROW(condition.wait(chorus::now), chorus::UsageError);
    EXPECT_THROW(condition.notify(), chorus::UsageError);
    EXPECT_THROW(condition.notify_all(), chorus::UsageError);
    EXPECT_THROW(condition.wait_for([] { return false; }, chorus::now), chorus::UsageError);
    typename TypeParam::Lock lock;
    typename TypeParam::Condition plain(lock);
    EXPECT_THROW(plain.notify(), chorus::UsageError);
    lock.acquire();
    mt::Thread other([&] { EXPECT_THROW(plain.notify(), chorus::UsageError) << "another holds it"; });
    other.start();
    other.join();
}

// notify wakes exactly one, of a process and a thread. The woken one ends, so the other one is left.
EACH_WAY_TEST(Condition, test_notify_wakes_exactly_one) {
    Crew<TypeParam> crew;
    crew.start(wait_once<typename TypeParam::Condition, typename TypeParam::Semaphore>, this->condition_,
               this->done_);
    this->expect_waiters(1);
    Crew<threads> thread;
    thread.start([&] { wait_once(this->condition_, this->done_); });
    this->expect_waiters(2);
    for (int woken = 1; woken <= 2; ++woken) {
        {
            const std::scoped_lock guard(this->condition_);
            this->condition_.notify();
        }
        EXPECT_TRUE(becomes_true([&] { return this->done_.get_value() == woken; }));
        this->expect_waiters(2 - woken);
        EXPECT_EQ(this->done_.get_value(), woken);
    }
}

// Five wait, three are notified, and so on: the right number in the right phase.
EACH_WAY_TEST(Condition, test_notify) {
    auto& condition = this->condition_;
    const auto wait_twice = [](typename TypeParam::Condition theirs, typename TypeParam::Semaphore done) {
        const std::scoped_lock guard(theirs);
        for (int i = 0; i < 2; ++i) {
            REQUIRE(theirs.wait(too_long));
            done.release();
        }
    };
    Crew<TypeParam> crew;
    crew.start_many(5, wait_twice, condition, this->done_);
    this->expect_waiters(5);
    const auto notify_and_expect = [&](auto notify, int done, int waiting) {
        {
            const std::scoped_lock guard(condition);
            notify();
        }
        EXPECT_TRUE(becomes_true([&] { return this->done_.get_value() == done; })) << this->done_.get_value();
        this->expect_waiters(waiting);
        EXPECT_EQ(this->done_.get_value(), done);
    };
    notify_and_expect([&] { condition.notify(3); }, 3, 5);
    notify_and_expect([&] { condition.notify(0); }, 3, 5);
    // First those that have waited longest, once each, then three again.
    notify_and_expect([&] { condition.notify(5); }, 8, 2);
    notify_and_expect([&] { condition.notify_all(); }, 10, 0);
    notify_and_expect([&] { condition.notify_all(); }, 10, 0);
}

EACH_WAY_TEST(Condition, notify_wakes_who_has_waited_longest) {
    Crew<TypeParam> crew;
    std::vector<typename TypeParam::Semaphore> done;
    for (int i = 0; i < 4; ++i) {
        done.emplace_back(0);
        crew.start(wait_once<typename TypeParam::Condition, typename TypeParam::Semaphore>, this->condition_,
                   done.back());
        this->expect_waiters(i + 1);
    }
    for (auto& mine : done) {
        this->condition_.acquire();
        this->condition_.notify();
        this->condition_.release();
        EXPECT_TRUE(mine.acquire(too_long));
    }
}

EACH_WAY_TEST(Condition, test_notify_all) {
    auto& condition = this->condition_;
    // Waiters whose time runs out leave nothing behind.
    const auto wait_in_vain = [](typename TypeParam::Condition theirs, typename TypeParam::Semaphore done) {
        const std::scoped_lock guard(theirs);
        REQUIRE(!theirs.wait(50ms));
        done.release();
    };
    {
        Crew<TypeParam> crew;
        crew.start_many(3, wait_in_vain, condition, this->done_);
        Crew<threads> mine;
        for (int i = 0; i < 3; ++i) mine.start([&] { wait_in_vain(condition, this->done_); });
    }
    EXPECT_EQ(this->done_.get_value(), 6);
    this->expect_waiters(0);
    Crew<TypeParam> crew;
    crew.start_many(3, wait_once<typename TypeParam::Condition, typename TypeParam::Semaphore>, condition,
                    this->done_);
    Crew<threads> mine;
    for (int i = 0; i < 3; ++i) mine.start([&] { wait_once(condition, this->done_); });
    this->expect_waiters(6);
    condition.acquire();
    condition.notify_all();
    condition.release();
    crew.join();
    mine.join();
    EXPECT_EQ(this->done_.get_value(), 12);
}

// A notified waiter does not run before the notifier lets go.
EACH_WAY_TEST(Condition, a_notified_waiter_waits_for_the_lock) {
    Crew<TypeParam> crew;
    crew.start(wait_once<typename TypeParam::Condition, typename TypeParam::Semaphore>, this->condition_,
               this->done_);
    this->expect_waiters(1);
    this->condition_.acquire();
    this->condition_.notify();
    EXPECT_TRUE(becomes_true([&] { return sleeps_on_a_word(system_id(crew.workers()[0])); }));
    EXPECT_EQ(this->done_.get_value(), 0);
    this->condition_.release();
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 1);
}

EACH_WAY_TEST(Condition, test_timeout) {
    auto& condition = this->condition_;
    const std::scoped_lock guard(condition);
    const Stopwatch watch;
    EXPECT_FALSE(condition.wait(100ms));
    EXPECT_GE(watch.elapsed(), 100ms);
    EXPECT_TRUE(condition.locked());
    const Stopwatch at_once;
    EXPECT_FALSE(condition.wait(0s));
    EXPECT_FALSE(condition.wait(-1s));
    EXPECT_FALSE(condition.wait(chorus::now));
    EXPECT_LT(at_once.elapsed(), too_long);
    EXPECT_FALSE(condition.wait_for([] { return false; }, 10ms));
    EXPECT_TRUE(condition.wait_for([] { return true; }, -1s));
}

EACH_WAY_TEST(Condition, test_waitfor) {
    auto& condition = this->condition_;
    typename TypeParam::Semaphore state(0);
    const auto wait_for_four = [](typename TypeParam::Condition theirs, typename TypeParam::Semaphore at) {
        const std::scoped_lock guard(theirs);
        at.release();
        theirs.notify();
        REQUIRE(theirs.wait_for([&] { return at.get_value() == 4; }, too_long));
    };
    Crew<TypeParam> crew;
    const std::unique_lock guard(condition);
    crew.start(wait_for_four, condition, state);
    EXPECT_TRUE(condition.wait_for([&] { return state.get_value() == 1; }, too_long));
    for (int i = 0; i < 3; ++i) {
        state.release();
        condition.notify();
        EXPECT_FALSE(condition.wait(1ms));
    }
}

EACH_WAY_TEST(Condition, test_waitfor_timeout) {
    const std::scoped_lock guard(this->condition_);
    int asked = 0;
    const Stopwatch watch;
    EXPECT_FALSE(this->condition_.wait_for([&] { return ++asked > 100; }, 100ms));
    EXPECT_GE(watch.elapsed(), 100ms);
    EXPECT_EQ(asked, 2) << "before and after";
}

// False on timeout, true when notified. A signal does not end the wait: no handler throws through it.
EACH_WAY_TEST(Condition, test_wait_result) {
    auto& condition = this->condition_;
    Crew<TypeParam> crew;
    const std::unique_lock guard(condition);
    EXPECT_FALSE(condition.wait(0s));
    EXPECT_FALSE(condition.wait(10ms));
    const auto notify = [](typename TypeParam::Condition theirs) {
        const std::scoped_lock held(theirs);
        theirs.notify();
    };
    crew.start(notify, condition);
    EXPECT_TRUE(condition.wait(too_long));
    const Alarms alarms;
    do {
        const Stopwatch watch;
        EXPECT_FALSE(condition.wait(200ms));
        EXPECT_GE(watch.elapsed(), 200ms);
    } while (Alarms::count() <= 10);
    crew.start(notify, condition);
    EXPECT_TRUE(condition.wait());
}

EACH_WAY_TEST(Condition, wait_lets_go_of_every_level_and_takes_them_back) {
    auto& condition = this->condition_;
    for (int i = 0; i < 3; ++i) condition.acquire();
    Crew<TypeParam> crew;
    crew.start(
        [](typename TypeParam::Condition theirs) {
            const std::scoped_lock guard(theirs);
            const std::scoped_lock again(theirs);
            theirs.notify();
        },
        condition);
    EXPECT_TRUE(condition.wait(too_long));
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(condition.locked());
        condition.release();
    }
    EXPECT_FALSE(condition.locked());
}

EACH_WAY_TEST(Condition, test_repr) {
    EXPECT_EQ(text_of(this->condition_), "<Condition(<RLock(None, 0)>, 0)>");
    EXPECT_EQ(text_of(typename TypeParam::Condition(typename TypeParam::Lock())),
              "<Condition(<Lock(owner=None)>, 0)>");
    Crew<TypeParam> crew;
    crew.start(wait_once<typename TypeParam::Condition, typename TypeParam::Semaphore>, this->condition_,
               this->done_);
    this->expect_waiters(1);
    const std::scoped_lock guard(this->condition_);
    EXPECT_THAT(text_of(this->condition_), MatchesRegex("<Condition\\(<RLock\\(.*, 1\\)>, 1\\)>"));
    this->condition_.notify();
}

// What was notified before does not count, and neither does it after others have waited.
EACH_WAY_TEST(Condition, a_notification_is_not_kept) {
    const std::scoped_lock guard(this->condition_);
    this->condition_.notify(3);
    this->condition_.notify_all();
    EXPECT_FALSE(this->condition_.wait(10ms));
}

EACH_WAY_TEST(Condition, two_of_one_lock_do_not_wake_each_other) {
    typename TypeParam::Lock lock;
    typename TypeParam::Condition one(lock);
    typename TypeParam::Condition two(lock);
    Crew<TypeParam> crew;
    crew.start(wait_once<typename TypeParam::Condition, typename TypeParam::Semaphore>, one, this->done_);
    EXPECT_TRUE(becomes_true([&] {
        const std::scoped_lock guard(lock);
        return this->waiters(one) == 1;
    }));
    lock.acquire();
    EXPECT_EQ(this->waiters(two), 0);
    two.notify_all();
    lock.release();
    EXPECT_EQ(this->done_.get_value(), 0);
    const std::scoped_lock guard(lock);
    EXPECT_EQ(this->waiters(one), 1);
    one.notify();
}

EACH_WAY_TEST(Condition, hands_a_turn_to_and_fro) {
    typename TypeParam::Semaphore turn(0);  // even: mine
    const auto answer = [](typename TypeParam::Condition changed, typename TypeParam::Semaphore at) {
        const std::scoped_lock guard(changed);
        for (int i = 0; i < 300; ++i) {
            REQUIRE(changed.wait_for([&] { return at.get_value() % 2 == 1; }, too_long));
            at.release();
            changed.notify();
        }
    };
    Crew<TypeParam> crew;
    const std::unique_lock guard(this->condition_);
    crew.start(answer, this->condition_, turn);
    for (int i = 0; i < 300; ++i) {
        turn.release();
        this->condition_.notify();
        ASSERT_TRUE(this->condition_.wait_for([&] { return turn.get_value() % 2 == 0; }, too_long));
    }
}

EACH_WAY_TEST(Condition, in_a_forked_copy) {
    auto& condition = this->condition_;
    const bool shared = TypeParam::are_processes;
    mt::Thread copy([&] {
        EXPECT_EQ(in_forked_copy([&] {
                      const std::scoped_lock guard(condition);
                      REQUIRE(!condition.wait(10ms));
                      condition.notify();
                      if (shared) REQUIRE(condition.wait(too_long));
                  }),
                  0);
    });
    if (!shared) {
        copy.start();
        return (void)copy.join();
    }
    {
        const std::scoped_lock guard(condition);
        copy.start();
        EXPECT_TRUE(condition.wait(too_long));
        EXPECT_FALSE(condition.wait(10ms));
        condition.notify();
    }
    copy.join();
}

EACH_WAY_TEST(Condition, an_idle_waiter_uses_no_cpu) {
    const auto idle = [](typename TypeParam::Condition condition) {
        const std::scoped_lock guard(condition);
        REQUIRE(cpu_time_of([&] { REQUIRE(!condition.wait(1s)); }) < hardly_any_cpu_time);
    };
    Crew<TypeParam> crew;
    crew.start_many(2, idle, this->condition_);
}

// ---- death -------------------------------------------------------------------------------------

template <class Par>
class ConditionOfTheDead : public Condition<Par> {
protected:
    void notify(int count) {
        const std::scoped_lock guard(this->condition_);
        this->condition_.notify(count);
    }
};
EACH_WAY_SUITE(ConditionOfTheDead, ProcessesOnly);

EACH_WAY_TEST(ConditionOfTheDead, a_waiter_killed_is_not_notified) {
    Victim oldest(wait_once<mp::Condition, mp::Semaphore>, this->condition_, this->done_);
    this->expect_waiters(1);
    Victim next(wait_once<mp::Condition, mp::Semaphore>, this->condition_, this->done_);
    this->expect_waiters(2);
    Crew<TypeParam> crew;
    crew.start(wait_once<mp::Condition, mp::Semaphore>, this->condition_, this->done_);
    this->expect_waiters(3);
    oldest.die();
    next.die();
    this->expect_waiters(1);
    this->notify(1);
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 1);
    this->expect_waiters(0);
}

// The notifier of the C library's own condition would sleep indefinitely here.
EACH_WAY_TEST(ConditionOfTheDead, notifying_the_dead_alone_blocks_nobody) {
    for (int round = 0; round < 5; ++round) {
        std::deque<Victim> victims;
        for (int i = 0; i < 3; ++i)
            victims.emplace_back(wait_once<mp::Condition, mp::Semaphore>, this->condition_, this->done_);
        this->expect_waiters(3);
        for (auto& victim : victims) victim.die();
        this->notify(1);
        this->notify(100);
        this->expect_waiters(0);
    }
    Crew<TypeParam> crew;
    crew.start(wait_once<mp::Condition, mp::Semaphore>, this->condition_, this->done_);
    this->expect_waiters(1);
    this->notify(1);
}

EACH_WAY_TEST(ConditionOfTheDead, one_killed_after_it_was_notified_passes_it_on) {
    Victim first(wait_once<mp::Condition, mp::Semaphore>, this->condition_, this->done_);
    this->expect_waiters(1);
    Crew<TypeParam> crew;
    crew.start(wait_once<mp::Condition, mp::Semaphore>, this->condition_, this->done_);
    this->expect_waiters(2);
    EXPECT_TRUE(becomes_true([&] { return sleeps_on_a_word(system_id(crew.workers()[0])); }));
    first.stop();
    this->notify(1);
    first.die();
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 1);
}

EACH_WAY_TEST(ConditionOfTheDead, several_killed_after_they_were_notified_pass_it_on) {
    std::deque<Victim> victims;
    for (int i = 0; i < 2; ++i) {
        victims.emplace_back(wait_once<mp::Condition, mp::Semaphore>, this->condition_, this->done_);
        this->expect_waiters(i + 1);
    }
    Crew<TypeParam> crew;
    crew.start_many(2, wait_once<mp::Condition, mp::Semaphore>, this->condition_, this->done_);
    this->expect_waiters(4);
    for (const auto& victim : victims) victim.stop();
    this->notify(2);
    for (auto& victim : victims) victim.die();
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 2);
}

// Its death is an older one's, so no other waiter is told of it twice.
EACH_WAY_TEST(ConditionOfTheDead, one_killed_that_was_not_notified_wakes_nobody_for_good) {
    Victim first(wait_once<mp::Condition, mp::Semaphore>, this->condition_, this->done_);
    this->expect_waiters(1);
    Crew<TypeParam> crew;
    crew.start_many(2, wait_once<mp::Condition, mp::Semaphore>, this->condition_, this->done_);
    this->expect_waiters(3);
    first.die();
    for (const auto& worker : crew.workers())
        EXPECT_TRUE(becomes_true([&] { return sleeps_on_a_word(system_id(worker)); }));
    this->expect_waiters(2);
    EXPECT_EQ(this->done_.get_value(), 0);
    this->notify(2);
}

// Its notification must not be lost though its place among the living is reused before a thread looks.
EACH_WAY_TEST(ConditionOfTheDead, a_notification_outlives_the_place_of_who_was_told) {
    Victim first(wait_once<mp::Condition, mp::Semaphore>, this->condition_, this->done_);
    this->expect_waiters(1);
    Victim second(wait_once<mp::Condition, mp::Semaphore>, this->condition_, this->done_);
    this->expect_waiters(2);
    first.stop();
    second.stop();
    this->notify(1);
    first.die();
    {
        mp::Lock lock;
        mp::Semaphore together(0);
        mp::Event leave;
        Crew<threads> many;
        for (int i = 0; i < 60; ++i) {
            many.start([&] {
                lock.acquire();
                lock.release();
                together.release();
                leave.wait();
            });
        }
        for (int i = 0; i < 60; ++i) EXPECT_TRUE(together.acquire(too_long));
        leave.set();
    }
    second.go_on();
    EXPECT_TRUE(this->done_.acquire(too_long));
}

EACH_WAY_TEST(ConditionOfTheDead, survives_many_deaths_at_any_instant) {
    const auto take_part = [](mp::Condition condition) {
        for (;;) {
            try {
                const std::scoped_lock guard(condition);
                condition.notify();
                condition.wait(1ms);
            } catch (const chorus::OwnerDied&) {
                condition.recover();
                condition.release();
            }
        }
    };
    for (int round = 0; round < 30; ++round) {
        std::deque<Victim> victims;
        for (int i = 0; i < 3; ++i) victims.emplace_back(take_part, this->condition_);
        std::this_thread::sleep_for(std::chrono::milliseconds(round % 7));
        for (auto& victim : victims) victim.die();
        try {
            EXPECT_TRUE(this->condition_.acquire(too_long));
        } catch (const chorus::OwnerDied&) {
            this->condition_.recover();
        }
        // Each of the dead may have left a notification to the next one, and then there is no waiter to
        // notify any more.
        int left_by_the_dead = 0;
        while (left_by_the_dead <= 3 && this->condition_.wait(1ms)) ++left_by_the_dead;
        EXPECT_LE(left_by_the_dead, 3);
        this->condition_.release();
    }
}

}  // namespace

// The death of a lock's holder: the next one is told, once or until it is well again, and none hangs.
#include <algorithm>
#include <iterator>

#include <sync/flavours.hpp>

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

namespace {

template <class Par>
class OwnerDied : public Flavoured<Par> {
protected:
    mp::Lock lock_;
    mp::RLock rlock_;
    mp::Semaphore holding_{0};
    mp::Semaphore about_to_wait_{0};
    mp::Semaphore told_{0};
    mp::Semaphore done_{0};
};
EACH_WAY_SUITE(OwnerDied, ProcessesOnly);

template <class AnyLock>
bool learns_of_a_death(AnyLock lock) {
    try {
        EXPECT_TRUE(lock.acquire(too_long));
    } catch (const chorus::OwnerDied&) {
        return true;
    }
    return false;
}

// ---- how a holder may end ------------------------------------------------------------------------

template <class AnyLock>
void hold_for_ever(AnyLock lock, mp::Semaphore holding) {
    lock.acquire();
    holding.release();
    mp::Event().wait();
}

template <class AnyLock>
void hold_until(AnyLock lock, mp::Semaphore holding, mp::Event until) {
    lock.acquire();
    holding.release();
    until.wait();
    lock.release();
}

EACH_WAY_TEST(OwnerDied, by_sigkill_and_names_who_it_was) {
    Victim victim(hold_for_ever<mp::Lock>, this->lock_, this->holding_);
    ASSERT_TRUE(this->holding_.acquire(too_long));
    victim.die();
    EXPECT_TRUE(this->lock_.locked()) << "until somebody inherits it";
    EXPECT_EQ(text_of(this->lock_), "<Lock(owner=SomeOtherProcess)>");
    const std::string told = message_of<chorus::OwnerDied>([&] { this->lock_.acquire(); });
    EXPECT_THAT(told, AllOf(HasSubstr(victim.process().name()),
                            HasSubstr("pid " + std::to_string(victim.pid())), HasSubstr("recover()")));
    EXPECT_TRUE(this->lock_.locked());
    EXPECT_FALSE(this->lock_.acquire(chorus::now)) << "this thread holds it";
    this->lock_.recover();
    this->lock_.release();
    EXPECT_FALSE(learns_of_a_death(this->lock_));
}

EACH_WAY_TEST(OwnerDied, by_leaving_at_once_by_exit_by_exception_or_in_order) {
    enum Way { leave_at_once, exit_program, throw_exit, return_from_it };
    const auto end_holding = [](mp::Lock lock, int way) {
        lock.acquire();
        if (way == leave_at_once) ::_exit(0);
        if (way == exit_program) std::exit(0);
        if (way == throw_exit) throw chorus::SystemExit(0);
    };
    for (const Way way : {leave_at_once, exit_program, throw_exit, return_from_it}) {
        mp::Lock lock;
        {
            Crew<TypeParam> crew;
            crew.start(end_holding, lock, static_cast<int>(way));
        }
        EXPECT_TRUE(learns_of_a_death(lock)) << way;
    }
}

EACH_WAY_TEST(OwnerDied, by_a_thread_that_ends_in_another_process) {
    const auto end_a_thread = [](mp::Lock lock, mp::Semaphore ended, mp::Event go_on) {
        mt::Thread holder([&lock] { lock.acquire(); });
        holder.start();
        holder.join();
        ended.release();
        go_on.wait();
    };
    mp::Event go_on;
    Crew<TypeParam> crew;
    crew.start(end_a_thread, this->lock_, this->holding_, go_on);
    ASSERT_TRUE(this->holding_.acquire(too_long));
    EXPECT_TRUE(learns_of_a_death(this->lock_)) << "though its process lives";
    go_on.set();
}

EACH_WAY_TEST(OwnerDied, by_a_thread_that_ends_in_this_process) {
    mt::Thread holder([this] { this->lock_.acquire(); });
    holder.start();
    holder.join();
    EXPECT_TRUE(learns_of_a_death(this->lock_));
    this->lock_.recover();
    this->lock_.release();
    std::thread foreign([this] { this->lock_.acquire(); });
    foreign.join();
    EXPECT_TRUE(learns_of_a_death(this->lock_));
}

EACH_WAY_TEST(OwnerDied, of_a_recursive_lock_held_three_times) {
    const auto hold_three_times = [](mp::RLock lock, mp::Semaphore holding) {
        lock.acquire();
        lock.acquire();
        hold_for_ever(lock, holding);
    };
    Victim victim(hold_three_times, this->rlock_, this->holding_);
    ASSERT_TRUE(this->holding_.acquire(too_long));
    victim.die();
    EXPECT_TRUE(learns_of_a_death(this->rlock_));
    this->rlock_.recover();
    EXPECT_EQ(text_of(this->rlock_), "<RLock(MainProcess, 1)>");
    this->rlock_.release();
    EXPECT_FALSE(this->rlock_.locked());
}

// ---- which waiter is told, and how often ---------------------------------------------------------

EACH_WAY_TEST(OwnerDied, told_again_until_it_is_recovered) {
    Victim victim(hold_for_ever<mp::Lock>, this->lock_, this->holding_);
    ASSERT_TRUE(this->holding_.acquire(too_long));
    victim.die();
    const auto be_told = [](mp::Lock lock, bool expected) {
        REQUIRE(learns_of_a_death(lock) == expected);
        lock.release();
    };
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(learns_of_a_death(this->lock_));
        this->lock_.release();
        Crew<TypeParam>().start(be_told, this->lock_, true);
    }
    EXPECT_THROW(this->lock_.recover(), chorus::UsageError) << "nobody holds it";
    EXPECT_TRUE(learns_of_a_death(this->lock_));
    this->lock_.recover();
    this->lock_.release();
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(learns_of_a_death(this->lock_));
        this->lock_.release();
        Crew<TypeParam>().start(be_told, this->lock_, false);
    }
}

EACH_WAY_TEST(OwnerDied, scoped_use_leaves_it_to_the_next) {
    Victim victim(hold_for_ever<mp::Lock>, this->lock_, this->holding_);
    ASSERT_TRUE(this->holding_.acquire(too_long));
    victim.die();
    EXPECT_THROW(const std::scoped_lock guard(this->lock_), chorus::OwnerDied);
    EXPECT_TRUE(this->lock_.locked()) << "no guard was made, so none has released it";
    this->lock_.release();
    EXPECT_THROW(this->lock_.try_lock(), chorus::OwnerDied);
    this->lock_.release();
    EXPECT_THROW(this->lock_.try_lock_for(1s), chorus::OwnerDied);
}

EACH_WAY_TEST(OwnerDied, not_told_when_another_released_it) {
    Victim victim(hold_for_ever<mp::Lock>, this->lock_, this->holding_);
    ASSERT_TRUE(this->holding_.acquire(too_long));
    this->lock_.release();
    victim.die();
    EXPECT_FALSE(learns_of_a_death(this->lock_));
    this->lock_.release();

    Victim other(hold_for_ever<mp::Lock>, this->lock_, this->holding_);
    ASSERT_TRUE(this->holding_.acquire(too_long));
    other.die();
    this->lock_.release();
    EXPECT_FALSE(learns_of_a_death(this->lock_))
        << "who releases what the dead had held says that it is well";
}

template <class AnyLock>
void wait_and_go(AnyLock lock, mp::Semaphore about_to_wait, mp::Semaphore told, mp::Semaphore done) {
    about_to_wait.release();
    if (learns_of_a_death(lock)) {
        told.release();
        lock.recover();
    }
    lock.release();
    done.release();
}

EACH_WAY_TEST(OwnerDied, one_of_those_asleep_is_told_at_once_and_all_go_on) {
    Victim victim(hold_for_ever<mp::Lock>, this->lock_, this->holding_);
    ASSERT_TRUE(this->holding_.acquire(too_long));
    Crew<TypeParam> crew;
    crew.start_many(4, wait_and_go<mp::Lock>, this->lock_, this->about_to_wait_, this->told_, this->done_);
    expect_asleep(this->about_to_wait_, crew.workers());
    victim.die();
    crew.join();
    EXPECT_EQ(this->told_.get_value(), 1);
    EXPECT_EQ(this->done_.get_value(), 4);
}

EACH_WAY_TEST(OwnerDied, those_asleep_at_several_locks_of_the_dead_are_all_told) {
    std::vector<mp::Lock> locks(4);
    const auto hold_all = [](std::vector<mp::Lock> theirs, mp::Semaphore holding) {
        for (auto& lock : theirs) lock.acquire();
        holding.release();
        mp::Event().wait();
    };
    Victim victim(hold_all, locks, this->holding_);
    ASSERT_TRUE(this->holding_.acquire(too_long));
    Crew<TypeParam> crew;
    for (const auto& lock : locks)
        crew.start(wait_and_go<mp::Lock>, lock, this->about_to_wait_, this->told_, this->done_);
    expect_asleep(this->about_to_wait_, crew.workers());
    victim.die();
    crew.join();
    EXPECT_EQ(this->told_.get_value(), 4);
}

// The system takes back 2,048 mutexes of a dead thread, and no more.
EACH_WAY_TEST(OwnerDied, of_each_of_three_thousand_locks) {
    std::vector<mp::Lock> locks(3000);
    const auto hold_all = [](std::vector<mp::Lock> theirs, mp::Semaphore holding) {
        for (auto& lock : theirs) lock.acquire();
        holding.release();
        mp::Event().wait();
    };
    Victim victim(hold_all, locks, this->holding_);
    ASSERT_TRUE(this->holding_.acquire(too_long));
    victim.die();
    EXPECT_TRUE(std::all_of(locks.begin(), locks.end(), learns_of_a_death<mp::Lock>));
}

EACH_WAY_TEST(OwnerDied, names_no_other_when_its_place_was_taken) {
    Victim victim(hold_for_ever<mp::Lock>, this->lock_, this->holding_);
    ASSERT_TRUE(this->holding_.acquire(too_long));
    victim.die();
    mp::Event leave;
    Crew<threads> many;
    mp::Lock other;
    for (int i = 0; i < 60; ++i) {
        many.start([&] {
            other.acquire();
            other.release();
            this->holding_.release();
            leave.wait();
        });
    }
    for (int i = 0; i < 60; ++i) EXPECT_TRUE(this->holding_.acquire(too_long));
    const std::string told = message_of<chorus::OwnerDied>([&] { this->lock_.acquire(); });
    EXPECT_THAT(told,
                AllOf(Not(HasSubstr("MainProcess")), Not(HasSubstr("pid " + std::to_string(::getpid())))));
    leave.set();
}

// ---- waiters that die ----------------------------------------------------------------------------

EACH_WAY_TEST(OwnerDied, waiters_killed_asleep_block_nobody) {
    this->lock_.acquire();
    // The first sleeps at the lock, the others behind it.
    std::deque<Victim> victims;
    for (int i = 0; i < 3; ++i) {
        victims
            .emplace_back(wait_and_go<mp::Lock>, this->lock_, this->about_to_wait_, this->told_, this->done_)
            .expect_asleep(this->about_to_wait_);
    }
    Crew<TypeParam> crew;
    crew.start_many(2, wait_and_go<mp::Lock>, this->lock_, this->about_to_wait_, this->told_, this->done_);
    expect_asleep(this->about_to_wait_, crew.workers());
    victims[1].die();
    victims[0].die();
    victims[2].die();
    this->lock_.release();
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 2);
    EXPECT_EQ(this->told_.get_value(), 0) << "none of the dead had it";
}

EACH_WAY_TEST(OwnerDied, one_killed_when_woken_passes_it_on) {
    for (int round = 0; round < 5; ++round) {
        this->lock_.acquire();
        Victim first(wait_and_go<mp::Lock>, this->lock_, this->about_to_wait_, this->told_, this->done_);
        first.expect_asleep(this->about_to_wait_);
        first.set_trap();
        Crew<TypeParam> crew;
        crew.start(wait_and_go<mp::Lock>, this->lock_, this->about_to_wait_, this->told_, this->done_);
        expect_asleep(this->about_to_wait_, crew.workers());
        this->lock_.release();
        first.die_in_the_trap();
        crew.join();
    }
    EXPECT_EQ(this->done_.get_value(), 5);
}

// The kernel wakes one of the sleepers of a dead holder, each at another lock of it. If that one
// is killed in turn, it wakes the next.
EACH_WAY_TEST(OwnerDied, one_killed_when_woken_by_a_death_passes_that_on) {
    mp::RLock other;
    const auto hold_both = [](mp::Lock one, mp::RLock two, mp::Semaphore holding) {
        two.acquire();
        hold_for_ever(one, holding);
    };
    for (int round = 0; round < 5; ++round) {
        Victim holder(hold_both, this->lock_, other, this->holding_);
        ASSERT_TRUE(this->holding_.acquire(too_long));
        Victim first(wait_and_go<mp::Lock>, this->lock_, this->about_to_wait_, this->told_, this->done_);
        first.expect_asleep(this->about_to_wait_);
        first.set_trap();
        Crew<TypeParam> crew;
        crew.start(wait_and_go<mp::RLock>, other, this->about_to_wait_, this->told_, this->done_);
        expect_asleep(this->about_to_wait_, crew.workers());
        holder.die();
        first.die_in_the_trap();
        crew.join();
        EXPECT_TRUE(learns_of_a_death(this->lock_));
        this->lock_.recover();
        this->lock_.release();
    }
    EXPECT_EQ(this->told_.get_value(), 5);
}

EACH_WAY_TEST(OwnerDied, holder_and_first_waiter_killed_together) {
    for (int round = 0; round < 5; ++round) {
        Victim holder(hold_for_ever<mp::Lock>, this->lock_, this->holding_);
        ASSERT_TRUE(this->holding_.acquire(too_long));
        Victim first(wait_and_go<mp::Lock>, this->lock_, this->about_to_wait_, this->told_, this->done_);
        first.expect_asleep(this->about_to_wait_);
        Crew<TypeParam> crew;
        crew.start(wait_and_go<mp::Lock>, this->lock_, this->about_to_wait_, this->told_, this->done_);
        expect_asleep(this->about_to_wait_, crew.workers());
        first.stop();
        holder.die();
        first.die();
        crew.join();
    }
    EXPECT_EQ(this->told_.get_value(), 5);
}

// ---- only the kernel decides that a process is dead ------------------------------------------------

EACH_WAY_TEST(OwnerDied, a_stopped_holder_is_not_dead) {
    mp::Event go_on;
    Victim victim(hold_until<mp::Lock>, this->lock_, this->holding_, go_on);
    ASSERT_TRUE(this->holding_.acquire(too_long));
    victim.stop();
    const Stopwatch watch;
    EXPECT_FALSE(this->lock_.acquire(100ms));
    EXPECT_GE(watch.elapsed(), 100ms);
    victim.go_on();
    go_on.set();
    EXPECT_FALSE(learns_of_a_death(this->lock_));
}

// ---- conditions ----------------------------------------------------------------------------------

EACH_WAY_TEST(OwnerDied, a_condition_tells_in_acquire_and_in_wait) {
    mp::Condition condition;
    Victim victim(hold_for_ever<mp::Condition>, condition, this->holding_);
    ASSERT_TRUE(this->holding_.acquire(too_long));
    victim.die();
    EXPECT_THROW(condition.acquire(), chorus::OwnerDied);
    condition.recover();
    // Twice, so that wait() has to take back both.
    condition.acquire();
    const auto notify_and_hold = [](mp::Condition theirs, mp::Semaphore holding) {
        theirs.acquire();
        theirs.notify();
        holding.release();
        mp::Event().wait();
    };
    Victim other(notify_and_hold, condition, this->holding_);
    mt::Thread killer([&] {
        EXPECT_TRUE(this->holding_.acquire(too_long));
        other.die();
    });
    killer.start();
    EXPECT_THAT(message_of<chorus::OwnerDied>([&] { condition.wait(too_long); }),
                HasSubstr("pid " + std::to_string(other.pid())));
    killer.join();
    EXPECT_TRUE(condition.locked());
    condition.recover();
    condition.release();
    condition.release();
    EXPECT_FALSE(condition.locked());
    EXPECT_FALSE(learns_of_a_death(condition));
}

// ---- plain fork ----------------------------------------------------------------------------------

TEST(ForkedCopy, that_dies_with_the_lock_is_told_of) {
    mp::Lock lock;
    EXPECT_EQ(in_forked_copy([&] {
                  lock.acquire();
                  ::raise(SIGKILL);
              }),
              -SIGKILL);
    EXPECT_TRUE(learns_of_a_death(lock));
}

TEST(ForkedCopy, that_ends_leaves_its_parents_locks_alone) {
    mp::Lock lock;
    lock.acquire();
    EXPECT_EQ(in_forked_copy([&] { REQUIRE(lock.locked()); }), 0);
    EXPECT_TRUE(lock.locked());
    lock.release();
    EXPECT_FALSE(learns_of_a_death(lock));
}

// No process has used anything shared when the copy is made, so neither has a name by then.
TEST(ForkedCopy, made_before_any_use_is_not_taken_for_its_parent) {
    mp::RLock lock;
    mp::Semaphore holding(0);
    mp::Event go_on;
    mt::Thread copy([&] { EXPECT_EQ(in_forked_copy([&] { hold_until(lock, holding, go_on); }), 0); });
    copy.start();
    ASSERT_TRUE(holding.acquire(too_long));
    EXPECT_FALSE(lock.acquire(chorus::now));
    EXPECT_THROW(lock.release(), chorus::UsageError);
    go_on.set();
    copy.join();
    EXPECT_TRUE(lock.acquire(chorus::now));
}

// ---- torture -------------------------------------------------------------------------------------

// Each holder is alone, whichever process is killed at whichever time.
EACH_WAY_TEST(OwnerDied, survives_deaths_at_any_instant) {
    mp::Semaphore inside(1);
    const auto take_turns = [](mp::Lock lock, mp::Semaphore only_one) {
        for (;;) {
            try {
                lock.acquire();
            } catch (const chorus::OwnerDied&) {
                only_one.acquire(chorus::now);  // repair: taken, whether the dead had it or not
                only_one.release();
                lock.recover();
            }
            REQUIRE(only_one.acquire(chorus::now));
            only_one.release();
            lock.release();
        }
    };
    std::deque<Victim> living;
    for (int i = 0; i < 2; ++i) living.emplace_back(take_turns, this->lock_, inside);
    for (int round = 0; round < 150; ++round) {
        living.emplace_back(take_turns, this->lock_, inside);
        std::this_thread::sleep_for(std::chrono::microseconds(37 * (round % 50)));
        EXPECT_TRUE(living.front().process().is_alive()) << "it found another one inside";
        living.pop_front();
        bool told = false;
        try {
            ASSERT_TRUE(this->lock_.acquire(too_long)) << round;
        } catch (const chorus::OwnerDied&) {
            told = true;
        }
        if (told) {
            inside.acquire(chorus::now);
            inside.release();
            this->lock_.recover();
        }
        EXPECT_EQ(inside.get_value(), 1);
        this->lock_.release();
    }
}

}  // namespace

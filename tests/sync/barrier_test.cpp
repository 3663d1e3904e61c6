// Barrier.
#include <cstdlib>
#include <fstream>

#include <sync/flavours.hpp>

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

namespace {

constexpr int parties = 5;

template <class Par>
class Barrier : public Flavoured<Par> {
protected:
    typename Par::Semaphore done_{0};
};
EACH_WAY_SUITE(Barrier, ThreadsAndProcesses);

template <class AnyBarrier, class Semaphore>
void pass(AnyBarrier barrier, Semaphore done, int rounds) {
    for (int i = 0; i < rounds; ++i) {
        const int number = barrier.wait();
        REQUIRE(number >= 0 && number < barrier.parties());
        done.release();
    }
}

template <class AnyBarrier, class Semaphore>
void meet_broken_barrier(AnyBarrier barrier, Semaphore done) {
    try {
        barrier.wait(too_long);
    } catch (const chorus::BrokenBarrierError&) {
        done.release();
        return;
    }
    REQUIRE(false && "BrokenBarrierError");
}

template <class AnyBarrier>
void expect_waiting(const AnyBarrier& barrier, int count) {
    EXPECT_TRUE(becomes_true([&] { return barrier.n_waiting() == count; })) << barrier;
}

// In step: no party begins a round before all have ended the one before.
template <class AnyBarrier, class Semaphore>
void keep_in_step(AnyBarrier barrier, Semaphore inside, Semaphore outside, int rounds) {
    for (int i = 0; i < rounds; ++i) {
        REQUIRE(outside.acquire(chorus::now));
        inside.release();
        barrier.wait(too_long);
        REQUIRE(inside.get_value() == barrier.parties());
        barrier.wait(too_long);
        REQUIRE(inside.acquire(chorus::now));
        outside.release();
        barrier.wait(too_long);
    }
}

template <class Par>
void run_in_step(int rounds) {
    typename Par::Barrier barrier(parties);
    typename Par::Semaphore inside(0);
    typename Par::Semaphore outside(parties);
    {
        Crew<Par> crew;
        crew.start_many(parties, keep_in_step<typename Par::Barrier, typename Par::Semaphore>, barrier,
                        inside, outside, rounds);
    }
    EXPECT_EQ(outside.get_value(), parties);
    EXPECT_FALSE(barrier.broken());
}

EACH_WAY_TEST(Barrier, test_barrier) { run_in_step<TypeParam>(2); }
EACH_WAY_TEST(Barrier, test_barrier_10) { run_in_step<TypeParam>(10); }
EACH_WAY_TEST(Barrier, test_thousand) { run_in_step<TypeParam>(1000); }

EACH_WAY_TEST(Barrier, test_wait_return) {
    typename TypeParam::Barrier barrier(parties);
    std::vector<typename TypeParam::Semaphore> numbers;
    for (int i = 0; i < parties; ++i) numbers.emplace_back(0);
    const auto note = [](typename TypeParam::Barrier theirs,
                         std::vector<typename TypeParam::Semaphore> noted) {
        for (int i = 0; i < 100; ++i) noted.at(static_cast<std::size_t>(theirs.wait(too_long))).release();
    };
    {
        Crew<TypeParam> crew;
        crew.start_many(parties, note, barrier, numbers);
    }
    for (const auto& number : numbers)
        EXPECT_EQ(number.get_value(), 100) << "each number is somebody's in each round";
}

// Found by the action, which has no arguments: by name in the environment, for processes too.
std::string action_log() { return std::getenv("CHORUS_TEST_ACTIONS"); }
void note_action() { std::ofstream(action_log(), std::ios::app) << "ran\n"; }

class ActionLog {
public:
    ActionLog() : path_("/tmp/chorus-test-actions-" + std::to_string(::getpid())) {
        ::setenv("CHORUS_TEST_ACTIONS", path_.c_str(), 1);
        clear();
    }
    ~ActionLog() { clear(); }
    ActionLog(const ActionLog&) = delete;
    ActionLog& operator=(const ActionLog&) = delete;
    static int count() {
        std::ifstream file(action_log());
        int lines = 0;
        for (std::string line; std::getline(file, line);) ++lines;
        return lines;
    }

private:
    void clear() const { ::unlink(path_.c_str()); }
    std::string path_;
};

EACH_WAY_TEST(Barrier, test_action) {
    const ActionLog log;
    typename TypeParam::Barrier barrier(parties, note_action);
    const auto count = [](typename TypeParam::Barrier theirs, typename TypeParam::Barrier between) {
        for (int round = 1; round <= 3; ++round) {
            theirs.wait(too_long);
            REQUIRE(ActionLog::count() == round);
            between.wait(too_long);
        }
    };
    {
        Crew<TypeParam> crew;
        crew.start_many(parties, count, barrier, typename TypeParam::Barrier(parties));
    }
    EXPECT_EQ(ActionLog::count(), 3);
}

EACH_WAY_TEST(Barrier, an_action_that_throws_breaks_it_and_reaches_who_ran_it) {
    typename TypeParam::Barrier barrier(3, [] { throw std::runtime_error("no luck"); });
    Crew<TypeParam> crew;
    crew.start_many(2, meet_broken_barrier<typename TypeParam::Barrier, typename TypeParam::Semaphore>,
                    barrier, this->done_);
    expect_waiting(barrier, 2);
    EXPECT_EQ(message_of<std::runtime_error>([&] { barrier.wait(); }), "no luck");
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 2);
    EXPECT_TRUE(barrier.broken());
    EXPECT_THAT(message_of<chorus::BrokenBarrierError>([&] { barrier.wait(); }), HasSubstr("action threw"));
}

EACH_WAY_TEST(Barrier, test_abort) {
    typename TypeParam::Barrier barrier(3);
    Crew<TypeParam> crew;
    crew.start_many(2, meet_broken_barrier<typename TypeParam::Barrier, typename TypeParam::Semaphore>,
                    barrier, this->done_);
    expect_waiting(barrier, 2);
    barrier.abort();
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 2);
    EXPECT_TRUE(barrier.broken());
    EXPECT_EQ(barrier.n_waiting(), 0);
    EXPECT_THROW(barrier.wait(), chorus::BrokenBarrierError);
    EXPECT_THROW(barrier.wait(chorus::now), chorus::BrokenBarrierError);
}

EACH_WAY_TEST(Barrier, test_reset) {
    typename TypeParam::Barrier barrier(3);
    Crew<TypeParam> crew;
    crew.start_many(2, meet_broken_barrier<typename TypeParam::Barrier, typename TypeParam::Semaphore>,
                    barrier, this->done_);
    expect_waiting(barrier, 2);
    barrier.reset();
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 2);
    EXPECT_FALSE(barrier.broken());
    crew.start_many(3, pass<typename TypeParam::Barrier, typename TypeParam::Semaphore>, barrier, this->done_,
                    2);
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 2 + 6);
}

EACH_WAY_TEST(Barrier, test_abort_and_reset) {
    typename TypeParam::Barrier barrier(3);
    Crew<TypeParam> crew;
    for (int round = 1; round <= 3; ++round) {
        crew.start_many(2, meet_broken_barrier<typename TypeParam::Barrier, typename TypeParam::Semaphore>,
                        barrier, this->done_);
        expect_waiting(barrier, 2);
        barrier.abort();
        crew.join();
        EXPECT_TRUE(barrier.broken());
        barrier.reset();
        EXPECT_FALSE(barrier.broken());
        EXPECT_EQ(barrier.n_waiting(), 0);
    }
    crew.start_many(3, pass<typename TypeParam::Barrier, typename TypeParam::Semaphore>, barrier, this->done_,
                    5);
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 6 + 15);
}

EACH_WAY_TEST(Barrier, test_timeout) {
    typename TypeParam::Barrier barrier(4);
    Crew<TypeParam> crew;
    crew.start_many(2, meet_broken_barrier<typename TypeParam::Barrier, typename TypeParam::Semaphore>,
                    barrier, this->done_);
    expect_waiting(barrier, 2);
    const Stopwatch watch;
    EXPECT_THAT(message_of<chorus::BrokenBarrierError>([&] { barrier.wait(100ms); }), HasSubstr("in time"));
    EXPECT_GE(watch.elapsed(), 100ms);
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 2);
    EXPECT_TRUE(barrier.broken());
}

EACH_WAY_TEST(Barrier, test_default_timeout) {
    typename TypeParam::Barrier barrier(3, nullptr, 100ms);
    const auto be_late = [](typename TypeParam::Barrier theirs, typename TypeParam::Semaphore done) {
        try {
            theirs.wait();
        } catch (const chorus::BrokenBarrierError&) {
            done.release();
        }
    };
    const Stopwatch watch;
    Crew<TypeParam> crew;
    crew.start_many(2, be_late, barrier, this->done_);
    crew.join();
    EXPECT_GE(watch.elapsed(), 100ms);
    EXPECT_EQ(this->done_.get_value(), 2);
    EXPECT_TRUE(barrier.broken());
}

EACH_WAY_TEST(Barrier, zero_and_negative_timeouts_do_not_wait) {
    typename TypeParam::Barrier barrier(2);
    for (const chorus::Deadline deadline :
         {chorus::Deadline(0s), chorus::Deadline(-1s), chorus::Deadline(chorus::now)}) {
        EXPECT_THROW(barrier.wait(deadline), chorus::BrokenBarrierError);
        barrier.reset();
    }
    typename TypeParam::Barrier one(1);
    EXPECT_EQ(one.wait(-1s), 0) << "the last one has nobody to wait for";
    EXPECT_EQ(one.wait(std::chrono::hours::max()), 0);
}

EACH_WAY_TEST(Barrier, test_single_thread) {
    typename TypeParam::Barrier one(1);
    EXPECT_EQ(one.wait(), 0);
    EXPECT_EQ(one.wait(), 0);
    EXPECT_EQ(one.parties(), 1);
    EXPECT_EQ(one.n_waiting(), 0);
}

EACH_WAY_TEST(Barrier, has_at_least_one_party) {
    EXPECT_THROW(typename TypeParam::Barrier(0), chorus::UsageError);
    EXPECT_THROW(typename TypeParam::Barrier(-1), chorus::UsageError);
    EXPECT_THROW(typename TypeParam::Barrier(32768), chorus::UsageError);
    EXPECT_EQ(typename TypeParam::Barrier(32767).parties(), 32767);
}

EACH_WAY_TEST(Barrier, test_repr) {
    typename TypeParam::Barrier barrier(3);
    EXPECT_EQ(text_of(barrier), "<Barrier(waiters=0/3)>");
    Crew<TypeParam> crew;
    crew.start_many(2, meet_broken_barrier<typename TypeParam::Barrier, typename TypeParam::Semaphore>,
                    barrier, this->done_);
    expect_waiting(barrier, 2);
    EXPECT_EQ(text_of(barrier), "<Barrier(waiters=2/3)>");
    barrier.abort();
    EXPECT_EQ(text_of(barrier), "<Barrier(broken)>");
}

EACH_WAY_TEST(Barrier, test_interrupted_waits) {
    typename TypeParam::Barrier barrier(2);
    const Alarms alarms;
    do {
        const Stopwatch watch;
        EXPECT_THROW(barrier.wait(200ms), chorus::BrokenBarrierError);
        EXPECT_GE(watch.elapsed(), 200ms);
        barrier.reset();
    } while (Alarms::count() <= 10);
    Crew<TypeParam> crew;
    crew.start(pass<typename TypeParam::Barrier, typename TypeParam::Semaphore>, barrier, this->done_, 1);
    EXPECT_NO_THROW(barrier.wait());
}

// More come than there are parties: they make the next rounds.
EACH_WAY_TEST(Barrier, any_five_of_ten_pass_together) {
    typename TypeParam::Barrier barrier(5);
    Crew<TypeParam> crew;
    crew.start_many(10, pass<typename TypeParam::Barrier, typename TypeParam::Semaphore>, barrier,
                    this->done_, 1);
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 10);
    EXPECT_EQ(barrier.n_waiting(), 0);
}

EACH_WAY_TEST(Barrier, in_a_forked_copy) {
    typename TypeParam::Barrier one(1);
    EXPECT_EQ(in_forked_copy([&] { REQUIRE(one.wait() == 0); }), 0);
    if (!TypeParam::are_processes) return;
    typename TypeParam::Barrier two(2);
    mt::Thread copy([&] { EXPECT_EQ(in_forked_copy([&] { two.wait(too_long); }), 0); });
    copy.start();
    EXPECT_NO_THROW(two.wait(too_long));
    copy.join();
}

EACH_WAY_TEST(Barrier, an_idle_waiter_uses_no_cpu) {
    const auto idle = [](typename TypeParam::Barrier barrier) {
        const auto used = cpu_time_of([&] {
            try {
                barrier.wait(1s);
            } catch (const chorus::BrokenBarrierError&) {
            }
        });
        REQUIRE(used < hardly_any_cpu_time);
    };
    Crew<TypeParam> crew;
    crew.start_many(2, idle, typename TypeParam::Barrier(3));
}

// ---- death -------------------------------------------------------------------------------------

template <class Par>
class BarrierOfTheDead : public Flavoured<Par> {
protected:
    mp::Semaphore done_{0};
};
EACH_WAY_SUITE(BarrierOfTheDead, ProcessesOnly);

std::string name_and_pid(const mp::Process& process) {
    return process.name() + " (pid " + std::to_string(process.pid()) + ")";
}

EACH_WAY_TEST(BarrierOfTheDead, a_party_killed_while_it_waits_breaks_it_and_is_named) {
    mp::Barrier barrier(4);
    Victim victim(pass<mp::Barrier, mp::Semaphore>, barrier, this->done_, 1);
    expect_waiting(barrier, 1);
    Crew<TypeParam> crew;
    crew.start_many(2, meet_broken_barrier<mp::Barrier, mp::Semaphore>, barrier, this->done_);
    expect_waiting(barrier, 3);
    for (const auto& worker : crew.workers())
        EXPECT_TRUE(becomes_true([&] { return sleeps_on_a_word(system_id(worker)); }));
    victim.die();
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 2) << "those who waited were told at once";
    EXPECT_TRUE(barrier.broken());
    for (int i = 0; i < 2; ++i) {
        EXPECT_THAT(message_of<chorus::BrokenBarrierError>([&] { barrier.wait(); }),
                    AllOf(HasSubstr(name_and_pid(victim.process())), HasSubstr("died")));
    }
    barrier.reset();
    crew.start_many(4, pass<mp::Barrier, mp::Semaphore>, barrier, this->done_, 10);
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 2 + 40);
}

// No waiter was there to see it: the next one to come does.
EACH_WAY_TEST(BarrierOfTheDead, who_comes_after_the_only_waiter_was_killed_is_told) {
    mp::Barrier barrier(3);
    Victim victim(pass<mp::Barrier, mp::Semaphore>, barrier, this->done_, 1);
    expect_waiting(barrier, 1);
    victim.die();
    EXPECT_THAT(message_of<chorus::BrokenBarrierError>([&] { barrier.wait(); }),
                HasSubstr(name_and_pid(victim.process())));
}

EACH_WAY_TEST(BarrierOfTheDead, a_second_death_changes_nothing) {
    mp::Barrier barrier(4);
    Victim first(pass<mp::Barrier, mp::Semaphore>, barrier, this->done_, 1);
    expect_waiting(barrier, 1);
    Victim second(pass<mp::Barrier, mp::Semaphore>, barrier, this->done_, 1);
    expect_waiting(barrier, 2);
    Crew<TypeParam> crew;
    crew.start(meet_broken_barrier<mp::Barrier, mp::Semaphore>, barrier, this->done_);
    expect_waiting(barrier, 3);
    first.stop();
    second.stop();
    second.die();
    crew.join();
    first.die();
    EXPECT_THAT(message_of<chorus::BrokenBarrierError>([&] { barrier.wait(); }),
                HasSubstr(name_and_pid(second.process())));
}

// An action has no arguments: what it needs is a global of each process.
std::optional<mp::Semaphore> in_action;
void stay_in_action() {
    in_action->release();
    mp::Event().wait();
}
void run_action(mp::Barrier barrier, mp::Semaphore begun) {
    in_action = begun;
    barrier.wait();
}

EACH_WAY_TEST(BarrierOfTheDead, one_killed_in_the_action_breaks_it_and_is_named) {
    mp::Barrier barrier(3, stay_in_action);
    mp::Semaphore begun(0);
    Crew<TypeParam> crew;
    crew.start_many(2, meet_broken_barrier<mp::Barrier, mp::Semaphore>, barrier, this->done_);
    expect_waiting(barrier, 2);
    Victim victim(run_action, barrier, begun);
    ASSERT_TRUE(begun.acquire(too_long));
    victim.die();
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 2);
    EXPECT_THAT(message_of<chorus::BrokenBarrierError>([&] { barrier.wait(); }),
                HasSubstr(name_and_pid(victim.process())));
}

// Waiters that have come for the next round must not wait for the dead either.
EACH_WAY_TEST(BarrierOfTheDead, one_killed_in_the_action_while_only_later_ones_wait) {
    mp::Barrier barrier(1, stay_in_action);
    mp::Semaphore begun(0);
    mp::Semaphore about_to_wait(0);
    Victim victim(run_action, barrier, begun);
    ASSERT_TRUE(begun.acquire(too_long));
    const auto come_later = [](mp::Barrier theirs, mp::Semaphore about, mp::Semaphore told) {
        about.release();
        try {
            theirs.wait();
        } catch (const chorus::BrokenBarrierError&) {
            told.release();
        }
    };
    Crew<TypeParam> crew;
    crew.start_many(2, come_later, barrier, about_to_wait, this->done_);
    expect_asleep(about_to_wait, crew.workers());
    victim.die();
    EXPECT_TRUE(becomes_true([&] { return this->done_.get_value() == 2; }));
    if (!barrier.broken()) barrier.abort();
    crew.join();
}

// It has not come, so it is late like any other.
EACH_WAY_TEST(BarrierOfTheDead, one_killed_before_it_comes_is_only_late) {
    mp::Barrier barrier(2);
    mp::Event never;
    Victim victim(
        [](mp::Barrier theirs, mp::Semaphore there, mp::Event wait_for) {
            there.release();
            wait_for.wait();
            theirs.wait();
        },
        barrier, this->done_, never);
    ASSERT_TRUE(this->done_.acquire(too_long));
    victim.die();
    EXPECT_THAT(message_of<chorus::BrokenBarrierError>([&] { barrier.wait(50ms); }),
                AllOf(HasSubstr("in time"), Not(HasSubstr("died"))));
}

EACH_WAY_TEST(BarrierOfTheDead, one_that_is_stopped_is_only_late) {
    mp::Barrier barrier(3);
    const Victim victim(pass<mp::Barrier, mp::Semaphore>, barrier, this->done_, 1);
    expect_waiting(barrier, 1);
    EXPECT_TRUE(becomes_true([&] { return sleeps_on_a_word(victim.pid()); }));  // and holds nothing any more
    victim.stop();
    Crew<TypeParam> crew;
    crew.start(pass<mp::Barrier, mp::Semaphore>, barrier, this->done_, 1);
    expect_waiting(barrier, 2);
    EXPECT_NO_THROW(barrier.wait(too_long));
    crew.join();
    victim.go_on();
    EXPECT_TRUE(becomes_true([&] { return this->done_.get_value() == 2; })) << "it has passed too";
}

EACH_WAY_TEST(BarrierOfTheDead, survives_deaths_at_any_instant) {
    const auto come_and_go = [](mp::Barrier barrier) {
        for (;;) {
            try {
                barrier.wait();
            } catch (const chorus::BrokenBarrierError&) {
                barrier.reset();
            }
        }
    };
    mp::Barrier barrier(3);
    for (int round = 0; round < 30; ++round) {
        std::deque<Victim> victims;
        for (int i = 0; i < 3; ++i) victims.emplace_back(come_and_go, barrier);
        std::this_thread::sleep_for(std::chrono::milliseconds(round % 5));
        for (auto& victim : victims) victim.die();
        barrier.reset();
        Crew<TypeParam> crew;
        crew.start_many(3, pass<mp::Barrier, mp::Semaphore>, barrier, this->done_, 2);
        crew.join();
        EXPECT_EQ(this->done_.get_value(), 6 * (round + 1));
    }
}

}  // namespace

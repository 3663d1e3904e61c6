// Event.
#include <sync/flavours.hpp>

namespace {

template <class Par>
class Event : public Flavoured<Par> {
protected:
    typename Par::Event event_;
    typename Par::Semaphore about_to_wait_{0};
    typename Par::Semaphore done_{0};
};
EACH_WAY_SUITE(Event, ThreadsAndProcesses);

EACH_WAY_TEST(Event, test_is_set) {
    auto& event = this->event_;
    EXPECT_FALSE(event.is_set());
    event.set();
    EXPECT_TRUE(event.is_set());
    event.set();
    EXPECT_TRUE(event.is_set());
    event.clear();
    EXPECT_FALSE(event.is_set());
    event.clear();
    EXPECT_FALSE(event.is_set());
}

EACH_WAY_TEST(Event, test_event) {
    auto& event = this->event_;
    EXPECT_FALSE(event.wait(0s));
    const Stopwatch watch;
    EXPECT_FALSE(event.wait(100ms));
    EXPECT_GE(watch.elapsed(), 100ms);
    event.set();
    EXPECT_TRUE(event.wait(0s));
    EXPECT_TRUE(event.wait(1h));
    EXPECT_TRUE(event.wait());
    event.clear();
    EXPECT_FALSE(event.wait(chorus::now));
    Crew<TypeParam> crew;
    crew.start([](typename TypeParam::Event theirs) { theirs.set(); }, event);
    EXPECT_TRUE(event.wait());
    crew.join();
    EXPECT_TRUE(event.is_set());
}

template <class AnyEvent, class Semaphore>
void wait_for(AnyEvent event, Semaphore about_to_wait, Semaphore done) {
    about_to_wait.release();
    REQUIRE(event.wait(too_long));
    done.release();
}

EACH_WAY_TEST(Event, test_notify) {
    Crew<TypeParam> crew;
    crew.start_many(5, wait_for<typename TypeParam::Event, typename TypeParam::Semaphore>, this->event_,
                    this->about_to_wait_, this->done_);
    expect_asleep(this->about_to_wait_, crew.workers());
    EXPECT_EQ(this->done_.get_value(), 0);
    this->event_.set();
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 5);
    crew.start_many(5, wait_for<typename TypeParam::Event, typename TypeParam::Semaphore>, this->event_,
                    this->about_to_wait_, this->done_);
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 10);
}

EACH_WAY_TEST(Event, test_timeout) {
    const auto wait_in_vain = [](typename TypeParam::Event event) {
        REQUIRE(!event.wait(chorus::now));
        const Stopwatch watch;
        REQUIRE(!event.wait(100ms));
        REQUIRE(watch.elapsed() >= 100ms);
        REQUIRE(!event.wait(-1s));
    };
    Crew<TypeParam> crew;
    crew.start_many(2, wait_in_vain, this->event_);
    crew.join();
    this->event_.set();
    EXPECT_TRUE(this->event_.wait(100ms));
    EXPECT_TRUE(this->event_.wait(-1s));
    EXPECT_TRUE(this->event_.wait(std::chrono::hours::max()));
}

// Set and cleared again before the waiters have run: they were told all the same.
EACH_WAY_TEST(Event, a_waiter_learns_of_a_set_that_was_cleared_at_once) {
    Crew<TypeParam> crew;
    for (int round = 1; round <= 10; ++round) {
        crew.start_many(3, wait_for<typename TypeParam::Event, typename TypeParam::Semaphore>, this->event_,
                        this->about_to_wait_, this->done_);
        expect_asleep(this->about_to_wait_, crew.workers());
        this->event_.set();
        this->event_.clear();
        crew.join();
        EXPECT_EQ(this->done_.get_value(), 3 * round);
        EXPECT_FALSE(this->event_.wait(chorus::now)) << "who comes later waits for the next one";
    }
}

EACH_WAY_TEST(Event, test_at_fork_reinit) {
    EXPECT_EQ(in_forked_copy([&] {
                  REQUIRE(!this->event_.wait(chorus::now));
                  this->event_.set();
                  REQUIRE(this->event_.wait(chorus::now));
              }),
              0);
    EXPECT_EQ(this->event_.is_set(), TypeParam::are_processes);
}

EACH_WAY_TEST(Event, test_repr) {
    EXPECT_EQ(text_of(this->event_), "<Event unset>");
    this->event_.set();
    EXPECT_EQ(text_of(this->event_), "<Event set>");
    this->event_.clear();
    EXPECT_EQ(text_of(this->event_), "<Event unset>");
}

EACH_WAY_TEST(Event, test_interrupted_waits) {
    const Alarms alarms;
    do {
        const Stopwatch watch;
        EXPECT_FALSE(this->event_.wait(200ms));
        EXPECT_GE(watch.elapsed(), 200ms);
    } while (Alarms::count() <= 10);
    Crew<TypeParam> crew;
    crew.start([](typename TypeParam::Event event) { event.set(); }, this->event_);
    EXPECT_TRUE(this->event_.wait());
}

EACH_WAY_TEST(Event, is_handed_to_and_fro) {
    typename TypeParam::Event there;
    typename TypeParam::Event back;
    const auto answer = [](typename TypeParam::Event asked, typename TypeParam::Event answered) {
        for (int i = 0; i < 1000; ++i) {
            REQUIRE(asked.wait(too_long));
            asked.clear();
            answered.set();
        }
    };
    Crew<TypeParam> crew;
    crew.start(answer, there, back);
    for (int i = 0; i < 1000; ++i) {
        there.set();
        ASSERT_TRUE(back.wait(too_long));
        back.clear();
    }
}

EACH_WAY_TEST(Event, an_idle_waiter_uses_no_cpu) {
    const auto idle = [](typename TypeParam::Event event) {
        REQUIRE(cpu_time_of([&] { REQUIRE(!event.wait(1s)); }) < hardly_any_cpu_time);
    };
    Crew<TypeParam> crew;
    crew.start_many(2, idle, this->event_);
}

// ---- death -------------------------------------------------------------------------------------

template <class Par>
class EventOfTheDead : public Flavoured<Par> {
protected:
    mp::Event event_;
    mp::Semaphore about_to_wait_{0};
    mp::Semaphore done_{0};
};
EACH_WAY_SUITE(EventOfTheDead, ProcessesOnly);

EACH_WAY_TEST(EventOfTheDead, waiters_killed_asleep_block_nobody) {
    std::deque<Victim> victims;
    for (int i = 0; i < 3; ++i)
        victims
            .emplace_back(wait_for<mp::Event, mp::Semaphore>, this->event_, this->about_to_wait_, this->done_)
            .expect_asleep(this->about_to_wait_);
    Crew<TypeParam> crew;
    crew.start_many(2, wait_for<mp::Event, mp::Semaphore>, this->event_, this->about_to_wait_, this->done_);
    expect_asleep(this->about_to_wait_, crew.workers());
    for (auto& victim : victims) victim.die();
    this->event_.set();
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 2);
}

EACH_WAY_TEST(EventOfTheDead, waiters_killed_when_woken_block_nobody) {
    Victim victim(wait_for<mp::Event, mp::Semaphore>, this->event_, this->about_to_wait_, this->done_);
    victim.expect_asleep(this->about_to_wait_);
    Crew<TypeParam> crew;
    crew.start_many(2, wait_for<mp::Event, mp::Semaphore>, this->event_, this->about_to_wait_, this->done_);
    expect_asleep(this->about_to_wait_, crew.workers());
    victim.stop();
    this->event_.set();
    victim.die();
    crew.join();
}

// At an unknown instant while it sets: all waiters are told in the end, or none and another sets it.
EACH_WAY_TEST(EventOfTheDead, a_setter_killed_at_any_instant_leaves_it_usable) {
    const auto keep_setting = [](mp::Event event, mp::Event other) {
        for (;;) {
            event.set();
            event.clear();
            other.set();
        }
    };
    for (int round = 0; round < 20; ++round) {
        Crew<TypeParam> crew;
        mp::Event first_set;
        crew.start_many(2, wait_for<mp::Event, mp::Semaphore>, this->event_, this->about_to_wait_,
                        this->done_);
        for (int i = 0; i < 2; ++i) ASSERT_TRUE(this->about_to_wait_.acquire(too_long));
        {
            const Victim setter(keep_setting, this->event_, first_set);
            EXPECT_TRUE(first_set.wait(too_long));
        }
        this->event_.set();
        crew.join();
        this->event_.clear();
    }
}

}  // namespace

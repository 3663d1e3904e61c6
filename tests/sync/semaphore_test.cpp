// Semaphore and BoundedSemaphore.
#include <climits>

#include <sync/flavours.hpp>

using testing::HasSubstr;

template <class Par>
struct unbounded : Par {
    static constexpr const char* name = "unbounded";
    using AnySemaphore = typename Par::Semaphore;
    static constexpr bool is_bounded = false;
};
template <class Par>
struct bounded : Par {
    static constexpr const char* name = "bounded";
    using AnySemaphore = typename Par::BoundedSemaphore;
    static constexpr bool is_bounded = true;
};

namespace {

template <class Kind>
class BaseSemaphore : public Flavoured<Kind> {
protected:
    typename Kind::Semaphore about_to_wait_{0};
    typename Kind::Semaphore done_{0};
};
using Kinds = EachOf<unbounded, bounded>;
EACH_WAY_SUITE(BaseSemaphore, Kinds);

EACH_WAY_TEST(BaseSemaphore, test_constructor) {
    using Semaphore = typename TypeParam::AnySemaphore;
    EXPECT_THAT(message_of<chorus::UsageError>([] { Semaphore(-1); }), HasSubstr("-1"));
    EXPECT_THROW(Semaphore(INT_MIN), chorus::UsageError);
    EXPECT_EQ(Semaphore().get_value(), 1);
    EXPECT_EQ(Semaphore(0).get_value(), 0);
    EXPECT_EQ(Semaphore(INT_MAX).get_value(), INT_MAX);
}

EACH_WAY_TEST(BaseSemaphore, test_acquire) {
    typename TypeParam::AnySemaphore one(1);
    EXPECT_TRUE(one.acquire());
    EXPECT_TRUE(one.locked());
    one.release();
    EXPECT_FALSE(one.locked());
    typename TypeParam::AnySemaphore two(2);
    EXPECT_TRUE(two.acquire());
    EXPECT_TRUE(two.acquire());
    EXPECT_EQ(two.get_value(), 0);
    two.release();
    EXPECT_EQ(two.get_value(), 1);
    two.release();
    EXPECT_EQ(two.get_value(), 2);
}

EACH_WAY_TEST(BaseSemaphore, test_acquire_destroy) {
    for (int i = 0; i < 100; ++i) {
        typename TypeParam::AnySemaphore dropped(1);
        dropped.acquire();
    }
}

// In three phases: as many go through as there are permits, and the others sleep.
EACH_WAY_TEST(BaseSemaphore, test_acquire_contended) {
    using AnySemaphore = typename TypeParam::AnySemaphore;
    using Semaphore = typename TypeParam::Semaphore;
    AnySemaphore seven(7);
    const auto take = [](AnySemaphore permits, Semaphore about_to_wait, Semaphore taken) {
        about_to_wait.release();
        for (int i = 0; i < 2; ++i) {
            REQUIRE(permits.acquire(too_long));
            taken.release();
        }
    };
    seven.acquire();
    Crew<TypeParam> crew;
    crew.start_many(10, take, seven, this->about_to_wait_, this->done_);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(this->about_to_wait_.acquire(too_long));
    const auto expect_taken = [&](int count) {
        EXPECT_TRUE(becomes_true([&] { return this->done_.get_value() == count; }))
            << this->done_.get_value();
        for (const auto& worker : crew.workers()) {
            EXPECT_TRUE(becomes_true([&] {
                return state_of(system_id(worker)) == 'X' || state_of(system_id(worker)) == 'Z' ||
                       sleeps_on_a_word(system_id(worker));
            }));
        }
        EXPECT_EQ(this->done_.get_value(), count);
        EXPECT_TRUE(seven.locked());
    };
    expect_taken(6);
    seven.release();
    expect_taken(7);
    for (int i = 0; i < 6; ++i) seven.release();
    expect_taken(13);
    for (int i = 0; i < 7; ++i) seven.release();
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 20);
}

EACH_WAY_TEST(BaseSemaphore, test_multirelease) {
    using AnySemaphore = typename TypeParam::AnySemaphore;
    using Semaphore = typename TypeParam::Semaphore;
    AnySemaphore permits(5);
    for (int i = 0; i < 5; ++i) permits.acquire();
    const auto take = [](AnySemaphore from, Semaphore about_to_wait, Semaphore taken) {
        about_to_wait.release();
        REQUIRE(from.acquire(too_long));
        taken.release();
    };
    Crew<TypeParam> crew;
    crew.start_many(5, take, permits, this->about_to_wait_, this->done_);
    expect_asleep(this->about_to_wait_, crew.workers());
    permits.release(2);
    EXPECT_TRUE(becomes_true([&] { return this->done_.get_value() == 2; }));
    permits.release(3);
    crew.join();
    EXPECT_EQ(this->done_.get_value(), 5);
    EXPECT_THROW(permits.release(0), chorus::UsageError);
    EXPECT_THROW(permits.release(-1), chorus::UsageError);
    EXPECT_THROW(permits.release(INT_MIN), chorus::UsageError);
    EXPECT_EQ(permits.get_value(), 0);
}

EACH_WAY_TEST(BaseSemaphore, test_try_acquire) {
    typename TypeParam::AnySemaphore two(2);
    EXPECT_TRUE(two.acquire(chorus::now));
    EXPECT_TRUE(two.try_lock());
    EXPECT_FALSE(two.acquire(chorus::now));
    EXPECT_FALSE(two.try_lock());
    two.release();
    EXPECT_TRUE(two.acquire(chorus::now));
}

EACH_WAY_TEST(BaseSemaphore, test_try_acquire_contended) {
    using AnySemaphore = typename TypeParam::AnySemaphore;
    AnySemaphore permits(4);
    permits.acquire();
    const auto try_often = [](AnySemaphore from, typename TypeParam::Semaphore taken) {
        for (int i = 0; i < 5; ++i) {
            if (from.acquire(chorus::now)) taken.release();
        }
    };
    {
        Crew<TypeParam> crew;
        crew.start_many(5, try_often, permits, this->done_);
    }
    EXPECT_EQ(this->done_.get_value(), 3);
}

EACH_WAY_TEST(BaseSemaphore, test_default_value) {
    typename TypeParam::AnySemaphore one;
    EXPECT_TRUE(one.acquire(chorus::now));
    EXPECT_FALSE(one.acquire(chorus::now));
}

EACH_WAY_TEST(BaseSemaphore, test_with) {
    typename TypeParam::AnySemaphore two(2);
    try {
        const std::scoped_lock first(two);
        EXPECT_EQ(two.get_value(), 1);
        const std::lock_guard second(two);
        EXPECT_EQ(two.get_value(), 0);
        throw std::runtime_error("out");
    } catch (const std::runtime_error&) {
    }
    EXPECT_EQ(two.get_value(), 2);
}

EACH_WAY_TEST(BaseSemaphore, test_release_unacquired) {
    typename TypeParam::AnySemaphore one(1);
    if (!TypeParam::is_bounded) {
        one.release();
        EXPECT_EQ(one.get_value(), 2);
        one.release(3);
        EXPECT_EQ(one.get_value(), 5);
        return;
    }
    EXPECT_THAT(message_of<chorus::UsageError>([&] { one.release(); }), HasSubstr("too many times"));
    EXPECT_EQ(one.get_value(), 1);
    one.acquire();
    EXPECT_THROW(one.release(2), chorus::UsageError);
    EXPECT_EQ(one.get_value(), 0);
    one.release();
    EXPECT_EQ(one.get_value(), 1);
}

EACH_WAY_TEST(BaseSemaphore, holds_no_more_than_an_int_can_say) {
    typename TypeParam::AnySemaphore full(INT_MAX);
    EXPECT_THROW(full.release(), chorus::UsageError);
    EXPECT_THROW(full.release(INT_MAX), chorus::UsageError);
    full.acquire();
    EXPECT_THROW(full.release(2), chorus::UsageError);
    full.release();
    EXPECT_EQ(full.get_value(), INT_MAX);
}

EACH_WAY_TEST(BaseSemaphore, test_repr) {
    typename TypeParam::AnySemaphore three(3);
    const std::string name = TypeParam::is_bounded ? "BoundedSemaphore" : "Semaphore";
    EXPECT_EQ(text_of(three), "<" + name + "(value=3)>");
    three.acquire();
    EXPECT_EQ(text_of(three), "<" + name + "(value=2)>");
}

EACH_WAY_TEST(BaseSemaphore, test_timeout) {
    typename TypeParam::AnySemaphore none(0);
    const Stopwatch watch;
    EXPECT_FALSE(none.acquire(100ms));
    EXPECT_GE(watch.elapsed(), 100ms);
    const Stopwatch at_once;
    EXPECT_FALSE(none.acquire(-1s));
    EXPECT_FALSE(none.acquire(0s));
    EXPECT_LT(at_once.elapsed(), too_long);
    typename TypeParam::AnySemaphore one(1);
    EXPECT_TRUE(one.acquire(std::chrono::hours::max()));
    one.release();
    EXPECT_TRUE(one.acquire(-1s)) << "a free one is taken without waiting";
}

EACH_WAY_TEST(BaseSemaphore, released_by_another) {
    using AnySemaphore = typename TypeParam::AnySemaphore;
    AnySemaphore permits(1);
    permits.acquire();
    Crew<TypeParam> crew;
    crew.start([](AnySemaphore semaphore) { semaphore.release(); }, permits);
    EXPECT_TRUE(permits.acquire(too_long));
}

EACH_WAY_TEST(BaseSemaphore, test_interrupted_waits) {
    using AnySemaphore = typename TypeParam::AnySemaphore;
    AnySemaphore permits(1);
    permits.acquire();
    const Alarms alarms;
    do {
        const Stopwatch watch;
        EXPECT_FALSE(permits.acquire(200ms));
        EXPECT_GE(watch.elapsed(), 200ms);
    } while (Alarms::count() <= 10);
    Crew<TypeParam> crew;
    crew.start([](AnySemaphore semaphore) { semaphore.release(); }, permits);
    EXPECT_TRUE(permits.acquire());
}

EACH_WAY_TEST(BaseSemaphore, loses_and_doubles_no_permit) {
    using AnySemaphore = typename TypeParam::AnySemaphore;
    AnySemaphore permits(2);
    const auto take_and_give = [](AnySemaphore semaphore, typename TypeParam::Semaphore inside) {
        for (int i = 0; i < 1000; ++i) {
            REQUIRE(semaphore.acquire(too_long));
            REQUIRE(inside.acquire(chorus::now));
            if (i % 50 == 0) std::this_thread::yield();
            inside.release();
            semaphore.release();
        }
    };
    {
        typename TypeParam::Semaphore inside(2);
        Crew<TypeParam> crew;
        crew.start_many(4, take_and_give, permits, inside);
    }
    EXPECT_EQ(permits.get_value(), 2);
}

EACH_WAY_TEST(BaseSemaphore, in_a_forked_copy) {
    typename TypeParam::AnySemaphore permits(1);
    EXPECT_EQ(in_forked_copy([&] { REQUIRE(permits.acquire(chorus::now)); }), 0);
    EXPECT_EQ(permits.get_value(), TypeParam::are_processes ? 0 : 1);
}

EACH_WAY_TEST(BaseSemaphore, an_idle_waiter_uses_no_cpu) {
    using AnySemaphore = typename TypeParam::AnySemaphore;
    const auto idle = [](AnySemaphore none) {
        REQUIRE(cpu_time_of([&] { REQUIRE(!none.acquire(1s)); }) < hardly_any_cpu_time);
    };
    Crew<TypeParam> crew;
    crew.start_many(2, idle, AnySemaphore(0));
}

// ---- the rows that speak of the bounded one ------------------------------------------------------

template <class Par>
class BoundedSemaphore : public Flavoured<Par> {};
EACH_WAY_SUITE(BoundedSemaphore, ThreadsAndProcesses);

EACH_WAY_TEST(BoundedSemaphore, test_bounded_semaphore) {
    typename TypeParam::BoundedSemaphore two(2);
    EXPECT_EQ(two.get_value(), 2);
    EXPECT_TRUE(two.acquire());
    EXPECT_EQ(two.get_value(), 1);
    EXPECT_TRUE(two.acquire());
    EXPECT_EQ(two.get_value(), 0);
    EXPECT_FALSE(two.acquire(chorus::now));
    two.release();
    EXPECT_EQ(two.get_value(), 1);
    two.release();
    EXPECT_EQ(two.get_value(), 2);
    EXPECT_THROW(two.release(), chorus::UsageError);
}

EACH_WAY_TEST(BoundedSemaphore, test_BoundedSemaphore_limit) {
    const auto release_too_often = [](typename TypeParam::BoundedSemaphore semaphore, int limit) {
        for (int i = 0; i < limit; ++i) semaphore.acquire();
        for (int i = 0; i < limit; ++i) semaphore.release();
        bool refused = false;
        try {
            semaphore.release();
        } catch (const chorus::UsageError&) {
            refused = true;
        }
        REQUIRE(refused);
    };
    Crew<TypeParam> crew;
    for (int limit = 1; limit < 10; ++limit)
        crew.start(release_too_often, typename TypeParam::BoundedSemaphore(limit), limit);
}

// ---- death -------------------------------------------------------------------------------------

template <class Par>
class SemaphoreOfTheDead : public Flavoured<Par> {
protected:
    mp::Semaphore about_to_wait_{0};
};
EACH_WAY_SUITE(SemaphoreOfTheDead, ProcessesOnly);

void take_one(mp::Semaphore permits, mp::Semaphore about_to_wait) {
    about_to_wait.release();
    REQUIRE(permits.acquire(too_long));
}

EACH_WAY_TEST(SemaphoreOfTheDead, waiters_killed_asleep_block_nobody) {
    mp::Semaphore permits(0);
    std::deque<Victim> victims;
    for (int i = 0; i < 3; ++i)
        victims.emplace_back(take_one, permits, this->about_to_wait_).expect_asleep(this->about_to_wait_);
    Crew<TypeParam> crew;
    crew.start(take_one, permits, this->about_to_wait_);
    expect_asleep(this->about_to_wait_, crew.workers());
    for (auto& victim : victims) victim.die();
    permits.release();
    crew.join();
    EXPECT_EQ(permits.get_value(), 0) << "the dead take nothing";
    permits.release();
    EXPECT_TRUE(permits.acquire(chorus::now));
}

// It was woken for the permit, and killed before it could take it.
EACH_WAY_TEST(SemaphoreOfTheDead, one_killed_when_woken_passes_it_on) {
    for (int round = 0; round < 5; ++round) {
        mp::Semaphore permits(0);
        Victim first(take_one, permits, this->about_to_wait_);
        first.expect_asleep(this->about_to_wait_);
        first.set_trap();
        Crew<TypeParam> crew;
        crew.start(take_one, permits, this->about_to_wait_);
        expect_asleep(this->about_to_wait_, crew.workers());
        permits.release();
        first.die_in_the_trap();
        crew.join();
    }
}

// A permit has no owner.
EACH_WAY_TEST(SemaphoreOfTheDead, what_the_dead_had_taken_stays_taken) {
    mp::Semaphore permits(1);
    const auto take_and_stay = [](mp::Semaphore from, mp::Semaphore taken) {
        from.acquire();
        taken.release();
        mp::Event().wait();
    };
    Victim victim(take_and_stay, permits, this->about_to_wait_);
    EXPECT_TRUE(this->about_to_wait_.acquire(too_long));
    victim.die();
    EXPECT_FALSE(permits.acquire(10ms));
    permits.release();
    EXPECT_TRUE(permits.acquire(chorus::now));
}

}  // namespace

// local<T>: a value of which each thread has its own.
#include <atomic>
#include <future>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <malloc.h>

#include <gtest/gtest.h>

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;

namespace {

template <class Function>
void in_a_thread(Function function) {
    mt::Thread thread(std::move(function));
    thread.start();
    thread.join();
}

/// Counts how many of its kind are alive.
struct Counted {
    static inline std::atomic<int> alive{0};
    int value = 0;
    Counted() { ++alive; }
    explicit Counted(int initial) : value(initial) { ++alive; }
    Counted(const Counted& other) : value(other.value) { ++alive; }
    Counted& operator=(const Counted&) = default;
    ~Counted() { --alive; }
};

TEST(Local, test_threading_local) {
    mt::local<int> number;
    *number = 1;
    int seen = -1;
    in_a_thread([&] {
        seen = *number;
        *number = 2;
    });
    EXPECT_EQ(seen, 0);
    EXPECT_EQ(*number, 1);
}

TEST(Local, two_locals_of_a_type_are_two) {
    mt::local<std::string> first("a");
    mt::local<std::string> second("b");
    *first += "1";
    EXPECT_EQ(*first, "a1");
    EXPECT_EQ(*second, "b");
    EXPECT_EQ(first->size(), 2U);
    EXPECT_EQ(first.get(), first.get());
}

TEST(Local, test_derived) {
    // An initialiser that lets another thread make its own value in between.
    struct Slow {
        std::uintptr_t made_by = mt::get_ident();
        int x = 0;
        explicit Slow(const std::shared_ptr<std::latch>& both) { both->arrive_and_wait(); }
    };
    mt::local<Slow> slow(std::make_shared<std::latch>(2));
    std::vector<int> seen(2);
    std::vector<mt::Thread> threads;
    for (int i = 0; i < 2; ++i) {
        threads.emplace_back([&, i] {
            slow->x = i;
            EXPECT_EQ(slow->made_by, mt::get_ident());
            seen[static_cast<std::size_t>(i)] = slow->x;
        });
        threads.back().start();
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(seen, (std::vector<int>{0, 1}));
}

TEST(Local, each_thread_starts_with_the_original_arguments) {
    mt::local<std::vector<int>> list(std::size_t{2}, 7);
    list->push_back(8);
    in_a_thread([&] { EXPECT_EQ(*list, (std::vector<int>{7, 7})); });
    EXPECT_EQ(*list, (std::vector<int>{7, 7, 8}));
}

TEST(Local, test_local_refs) {
    mt::local<Counted> counted;
    std::vector<mt::Thread> threads;
    std::latch all(5);
    std::promise<void> go;
    const auto gate = go.get_future().share();
    for (int i = 0; i < 5; ++i) {
        threads.emplace_back([&] {
            counted->value = 1;
            all.count_down();
            gate.wait();
        });
        threads.back().start();
    }
    all.wait();
    EXPECT_EQ(Counted::alive, 5);
    go.set_value();
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(Counted::alive, 0) << "join covers the values of the thread";
}

TEST(Local, values_of_foreign_threads_die_with_them_too) {
    mt::local<Counted> counted;
    std::thread thread([&] { counted->value = 1; });
    thread.join();
    EXPECT_EQ(Counted::alive, 0);
}

TEST(Local, values_die_with_the_local) {
    auto counted = std::make_unique<mt::local<Counted>>();
    std::latch made(1);
    std::promise<void> go;
    mt::Thread thread([&] {
        (*counted)->value = 1;
        made.count_down();
        go.get_future().wait();
    });
    thread.start();
    made.wait();
    (*counted)->value = 2;
    EXPECT_EQ(Counted::alive, 2);
    counted.reset();
    EXPECT_EQ(Counted::alive, 0);
    go.set_value();
    thread.join();
}

TEST(Local, a_new_local_in_the_place_of_an_old_one_begins_anew) {
    for (int i = 0; i < 100; ++i) {
        mt::local<Counted> counted(5);
        ASSERT_EQ(counted->value, 5);
        counted->value = 6;
    }
    EXPECT_EQ(Counted::alive, 0);
}

TEST(Local, test_threading_local_clear_race) {
    for (int round = 0; round < 200; ++round) {
        auto shared = std::make_shared<mt::local<Counted>>();
        std::vector<mt::Thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([shared] { (*shared)->value = 1; });
            threads.back().start();
        }
        // The last holder destroys it, while others end: each order of the two must do.
        shared.reset();
        for (auto& thread : threads) thread.join();
        ASSERT_EQ(Counted::alive, 0) << "in round " << round;
    }
}

TEST(Local, a_local_destroyed_while_threads_that_used_it_end) {
    for (int round = 0; round < 100; ++round) {
        auto counted = std::make_unique<mt::local<Counted>>();
        std::vector<mt::Thread> threads;
        std::latch used(4);
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] {
                (*counted)->value = 1;
                used.count_down();
            });
            threads.back().start();
        }
        used.wait();
        counted.reset();
        for (auto& thread : threads) thread.join();
        ASSERT_EQ(Counted::alive, 0) << "in round " << round;
    }
}

TEST(Local, can_be_read_by_destructors_at_the_end_of_a_thread) {
    static mt::local<int> number(3);
    static std::atomic<int> seen{0};
    struct Late {
        int used = 0;
        ~Late() { seen = *number; }
    };
    in_a_thread([] {
        static thread_local Late late;  // made before the local's value: destroyed after it
        late.used = 1;
        *number = 4;
    });
    EXPECT_TRUE(seen == 4 || seen == 3) << "the thread's value, or a new one: " << seen;
}

TEST(Local, a_value_may_use_other_locals_when_it_is_destroyed) {
    struct Chain {
        mt::local<int>* others = nullptr;
        ~Chain() {
            // Many, so that whatever table the thread keeps has to grow.
            for (int i = 0; others != nullptr && i < 64; ++i) *others[i] = i;
        }
    };
    const auto others = std::make_unique<mt::local<int>[]>(64);
    mt::local<Chain> chain;
    in_a_thread([&] { chain->others = others.get(); });
    EXPECT_EQ(*others[5], 0);
}

TEST(Local, what_a_constructor_throws_leaves_nothing_behind) {
    static int made = 0;
    struct Picky {
        Picky() {
            if (++made == 1) throw std::runtime_error("not the first time");
        }
    };
    mt::local<Picky> picky;
    EXPECT_THROW(picky.get(), std::runtime_error);
    EXPECT_NE(picky.get(), nullptr);
}

TEST(Local, a_thread_that_meets_many_locals_does_not_grow) {
    const auto meet = [](int count) {
        for (int i = 0; i < count; ++i) {
            mt::local<int> number;
            *number = i;
        }
    };
    meet(1000);
    const auto before = ::mallinfo2().uordblks;
    meet(100'000);
    EXPECT_LT(::mallinfo2().uordblks, before + 1'000'000)
        << "each of a hundred thousand locals left 10 bytes or more";
}

}  // namespace

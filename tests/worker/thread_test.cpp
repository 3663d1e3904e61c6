// Thread: its life, its names, its place in lists, and what becomes of what it throws.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <malloc.h>
#include <pthread.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chorus/chorus.hpp>
#include <programs/thread_library.hpp>
#include <support/message_of.hpp>
#include <support/run_program.hpp>

namespace mt = chorus::threading;
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

namespace {

/// A door that threads wait at until the test opens it; it opens by itself when the test is left early.
class Door {
public:
    Door() : opened_(promise_.get_future().share()) {}
    ~Door() { open(); }
    Door(const Door&) = delete;
    Door& operator=(const Door&) = delete;

    void open() {
        if (!is_open_.exchange(true)) promise_.set_value();
    }
    /// Copied into the threads, so that the door may go first.
    std::shared_future<void> wait_for() const { return opened_; }

private:
    std::promise<void> promise_;
    std::shared_future<void> opened_;
    std::atomic<bool> is_open_{false};
};

void work() {}

bool is_listed(const mt::Thread& wanted) {
    for (const auto& thread : mt::enumerate()) {
        if (thread == wanted) return true;
    }
    return false;
}

/// The name that the system shows for a thread of this process.
std::string system_name(int thread_id) {
    std::ifstream file("/proc/self/task/" + std::to_string(thread_id) + "/comm");
    std::string name;
    std::getline(file, name);
    return name;
}

// ---- names ------------------------------------------------------------------------------------

void hidden_work() {}
template <class T>
void work_on(T) {}
struct Machine {
    void run() {}
    void operator()() const {}
};

TEST(Thread, test_name) {
    EXPECT_EQ(mt::Thread({.name = "myname1"}, work).name(), "myname1");
    EXPECT_THAT(mt::Thread(work).name(), MatchesRegex("Thread-[0-9]+ \\(work\\)"));
    EXPECT_THAT(mt::Thread({.name = ""}, work).name(), MatchesRegex("Thread-[0-9]+ \\(work\\)"));
    EXPECT_THAT(mt::Thread([] {}).name(), MatchesRegex("Thread-[0-9]+ \\(<lambda>\\)"));
}

TEST(Thread, names_count_all_threads_of_the_process_that_were_given_none) {
    const auto number = [](const mt::Thread& thread) {
        return std::stoi(thread.name().substr(std::strlen("Thread-")));
    };
    const mt::Thread first(work);
    const mt::Thread named({.name = "named"}, work);
    const mt::Thread second(work);
    EXPECT_EQ(number(second), number(first) + 1);
}

TEST(Thread, names_functions_that_no_dynamic_symbol_names) {
    EXPECT_THAT(mt::Thread(hidden_work).name(), MatchesRegex("Thread-[0-9]+ \\(hidden_work\\)"));
    EXPECT_THAT(mt::Thread(work_on<int>, 1).name(), MatchesRegex("Thread-[0-9]+ \\(work_on\\)"));
    constexpr auto named = chorus::named<"value">(work_on<double>);
    EXPECT_THAT(mt::Thread(named, chorus::kw<"value"> = 1.5).name(),
                MatchesRegex("Thread-[0-9]+ \\(work_on\\)"));
    constexpr auto named_lambda = chorus::named<"value">([](int) {});
    EXPECT_THAT(mt::Thread(named_lambda, 1).name(), MatchesRegex("Thread-[0-9]+ \\(<lambda>\\)"));
    const int captured = 1;
    EXPECT_THAT(mt::Thread([captured] { (void)captured; }).name(),
                MatchesRegex("Thread-[0-9]+ \\(<lambda>\\)"));
}

TEST(Thread, names_functions_of_a_shared_library) {
    EXPECT_THAT(mt::Thread(work_in_library).name(), MatchesRegex("Thread-[0-9]+ \\(work_in_library\\)"));
    EXPECT_THAT(mt::Thread(hidden_work_in_library()).name(),
                MatchesRegex("Thread-[0-9]+ \\(work_hidden_in_library\\)"));
}

TEST(Thread, name_of_an_object_that_is_called_is_short) {
    // Python: a callable without __name__ adds nothing. A class has a name here, which may be added.
    EXPECT_THAT(mt::Thread(Machine{}).name(), MatchesRegex("Thread-[0-9]+( \\(Machine\\))?"));
    EXPECT_THAT(mt::Thread(std::function<void()>(work)).name(), MatchesRegex("Thread-[0-9]+"));
    EXPECT_THAT(mt::Thread(std::bind(work)).name(), MatchesRegex("Thread-[0-9]+"));
    EXPECT_THAT(mt::Thread(&Machine::run, Machine{}).name(), MatchesRegex("Thread-[0-9]+( \\(run\\))?"));
}

TEST(Thread, set_name_changes_it_at_any_time) {
    Door door;
    mt::Thread thread([gate = door.wait_for()] { gate.wait(); });
    thread.set_name("before");
    EXPECT_EQ(thread.name(), "before");
    thread.start();
    thread.set_name("between");
    EXPECT_EQ(thread.name(), "between");
    EXPECT_THAT(text_of(thread), HasSubstr("between"));
    door.open();
    thread.join();
    thread.set_name("after");
    EXPECT_EQ(thread.name(), "after");
}

TEST(Thread, the_system_sees_the_name_cut_between_characters) {
    std::string at_start;
    std::string renamed;
    mt::Thread thread({.name = "abcdefghijklmnopq"}, [&] {
        at_start = system_name(mt::get_native_id());
        mt::current_thread().set_name("abcdefghijklm\u20ac");  // 13 bytes and 3 more: 16
        renamed = system_name(mt::get_native_id());
    });
    thread.start();
    thread.join();
    EXPECT_EQ(at_start, "abcdefghijklmno");
    EXPECT_EQ(renamed, "abcdefghijklm");
    EXPECT_EQ(thread.name(), "abcdefghijklm\u20ac");
}

TEST(Thread, renaming_another_thread_does_not_reach_the_system) {
    Door door;
    std::latch is_running(1);
    mt::Thread thread({.name = "mine"}, [&is_running, gate = door.wait_for()] {
        is_running.count_down();
        gate.wait();
    });
    thread.start();
    is_running.wait();
    thread.set_name("yours");
    EXPECT_EQ(system_name(thread.native_id()), "mine");
    door.open();
    thread.join();
}

// ---- arguments --------------------------------------------------------------------------------

TEST(Thread, test_args_argument) {
    std::string seen;
    const auto note = [&seen](int number, const std::string& text, double real) {
        seen = std::to_string(number) + text + std::to_string(real);
    };
    mt::Thread thread(note, 1, "two", 3.0);
    thread.start();
    thread.join();
    EXPECT_EQ(seen, "1two" + std::to_string(3.0));
}

TEST(Thread, takes_anything_that_std_thread_takes) {
    int sum = 0;
    auto owned = std::make_unique<int>(4);
    mt::Thread moved([](std::unique_ptr<int> mine, int& target) { target += *mine; }, std::move(owned),
                     std::ref(sum));
    moved.start();
    moved.join();
    EXPECT_EQ(sum, 4);

    struct Counter {
        int count = 0;
        void add(int n) { count += n; }
    } counter;
    mt::Thread member(&Counter::add, &counter, 5);
    member.start();
    member.join();
    EXPECT_EQ(counter.count, 5);

    auto move_only = [held = std::make_unique<int>(6), &sum] { sum += *held; };
    mt::Thread from_move_only(std::move(move_only));
    from_move_only.start();
    from_move_only.join();
    EXPECT_EQ(sum, 10);
}

TEST(Thread, takes_keywords_in_any_order) {
    constexpr auto note =
        chorus::named<"out", "first", "second">([](std::string* out, int first, int second) {
            *out = std::to_string(first) + "," + std::to_string(second);
        });
    std::string seen;
    mt::Thread thread(note, &seen, chorus::kw<"second"> = 2, chorus::kw<"first"> = 1);
    thread.start();
    thread.join();
    EXPECT_EQ(seen, "1,2");
}

TEST(Thread, lets_go_of_function_and_arguments_when_it_has_run) {
    auto token = std::make_shared<int>(0);
    const std::weak_ptr<int> watched = token;
    mt::Thread thread([](const std::shared_ptr<int>&) {}, std::move(token));
    EXPECT_FALSE(watched.expired());
    thread.start();
    thread.join();
    EXPECT_TRUE(watched.expired());
}

TEST(Thread, test_boolean_target) {
    struct False {
        bool* was_run;
        void operator()() const { *was_run = true; }
        explicit operator bool() const { return false; }
    };
    bool was_run = false;
    mt::Thread thread(False{&was_run});
    thread.start();
    thread.join();
    EXPECT_TRUE(was_run);
}

// ---- life -------------------------------------------------------------------------------------

TEST(Thread, test_various_ops) {
    constexpr int threads_at_once = 3;
    constexpr int count = 10;
    std::counting_semaphore<threads_at_once> slots(threads_at_once);
    std::mutex mutex;
    int running = 0;
    int most_running = 0;
    std::set<int> native_ids;
    std::vector<mt::Thread> threads;
    for (int i = 0; i < count; ++i) {
        threads.emplace_back(mt::ThreadOptions{.name = "<thread " + std::to_string(i) + ">"}, [&] {
            slots.acquire();
            {
                const std::lock_guard guard(mutex);
                most_running = std::max(most_running, ++running);
                native_ids.insert(mt::get_native_id());
            }
            std::this_thread::yield();
            {
                const std::lock_guard guard(mutex);
                --running;
            }
            slots.release();
        });
        auto& thread = threads.back();
        EXPECT_EQ(thread.ident(), 0U);
        EXPECT_EQ(thread.native_id(), 0);
        EXPECT_FALSE(thread.is_alive());
        EXPECT_EQ(text_of(thread), "<Thread(<thread " + std::to_string(i) + ">, initial)>");
    }
    // The kernel gives a number again once its thread is gone: all must be alive to be told apart.
    for (int i = 0; i < threads_at_once; ++i) slots.acquire();
    for (auto& thread : threads) thread.start();
    for (const auto& thread : threads) {
        EXPECT_NE(thread.ident(), 0U);
        EXPECT_NE(thread.native_id(), 0);
    }
    slots.release(threads_at_once);
    for (auto& thread : threads) {
        EXPECT_TRUE(thread.join());
        EXPECT_FALSE(thread.is_alive());
        EXPECT_NE(thread.ident(), 0U) << "the identity stays readable";
        EXPECT_THAT(text_of(thread), MatchesRegex("<Thread\\(<thread [0-9]>, stopped [0-9]+\\)>"));
    }
    EXPECT_LE(most_running, threads_at_once);
    EXPECT_GE(most_running, 1);
    EXPECT_EQ(native_ids.size(), static_cast<std::size_t>(count));
}

TEST(Thread, identities_are_those_the_thread_sees) {
    std::uintptr_t ident = 0;
    int native_id = 0;
    mt::Thread thread([&] {
        ident = mt::get_ident();
        native_id = mt::get_native_id();
        EXPECT_EQ(native_id, ::gettid());
        EXPECT_EQ(mt::current_thread().ident(), ident);
    });
    thread.start();
    EXPECT_NE(thread.native_id(), mt::get_native_id());
    thread.join();
    EXPECT_EQ(thread.ident(), ident);
    EXPECT_EQ(thread.native_id(), native_id);
}

TEST(Thread, is_alive_from_start_to_end) {
    bool inside = false;
    Door door;
    mt::Thread thread([&inside, gate = door.wait_for()] {
        inside = mt::current_thread().is_alive();
        gate.wait();
    });
    EXPECT_FALSE(thread.is_alive());
    thread.start();
    EXPECT_TRUE(thread.is_alive());
    EXPECT_TRUE(is_listed(thread));
    door.open();
    thread.join();
    EXPECT_FALSE(thread.is_alive());
    EXPECT_TRUE(inside);
}

TEST(Thread, run_calls_here_and_starts_nothing) {
    std::uintptr_t ran_in = 0;
    mt::Thread thread([&] { ran_in = mt::get_ident(); });
    thread.run();
    EXPECT_EQ(ran_in, mt::get_ident());
    EXPECT_FALSE(thread.is_alive());
    EXPECT_THAT(text_of(thread), HasSubstr("initial"));
    EXPECT_EQ(mt::active_count(), 1U);
}

TEST(Thread, run_hands_on_what_the_function_throws) {
    mt::Thread thread([] { throw std::out_of_range("far"); });
    EXPECT_THROW(thread.run(), std::out_of_range);
}

TEST(Thread, start_after_run_is_refused) {
    int runs = 0;
    mt::Thread thread([&] { ++runs; });
    thread.run();
    EXPECT_THROW(thread.start(), chorus::UsageError) << "its function was used up";
    EXPECT_FALSE(thread.is_alive());
    EXPECT_EQ(runs, 1);
}

TEST(Thread, copies_mean_the_same_thread) {
    Door door;
    mt::Thread thread([gate = door.wait_for()] { gate.wait(); });
    mt::Thread copy = thread;
    copy.start();
    EXPECT_TRUE(thread.is_alive());
    EXPECT_TRUE(copy == thread);
    EXPECT_FALSE(thread == mt::current_thread());
    door.open();
    EXPECT_TRUE(thread.join());
    EXPECT_FALSE(copy.is_alive());
}

TEST(Thread, a_dropped_handle_changes_nothing) {
    Door door;
    std::promise<void> ran;
    {
        mt::Thread thread({.name = "dropped"}, [&ran, gate = door.wait_for()] {
            gate.wait();
            ran.set_value();
        });
        thread.start();
    }
    auto all = mt::enumerate();
    const auto found =
        std::find_if(all.begin(), all.end(), [](const auto& each) { return each.name() == "dropped"; });
    ASSERT_NE(found, all.end());
    door.open();
    ran.get_future().wait();
    EXPECT_TRUE(found->join());
}

// ---- errors -----------------------------------------------------------------------------------

TEST(ThreadingException, test_start_thread_again) {
    mt::Thread thread(work);
    thread.start();
    EXPECT_THROW(thread.start(), chorus::UsageError);
    thread.join();
    try {
        thread.start();
        FAIL() << "a thread was started twice";
    } catch (const chorus::UsageError& error) {
        EXPECT_THAT(error.what(), HasSubstr("threads can only be started once"));
        EXPECT_THAT(error.what(), HasSubstr(thread.name()));
    }
}

TEST(ThreadingException, of_many_starts_at_once_one_succeeds) {
    std::atomic<int> runs{0};
    std::atomic<int> refused{0};
    mt::Thread thread([&] { ++runs; });
    std::latch together(4);
    std::vector<mt::Thread> starters;
    for (int i = 0; i < 4; ++i) {
        starters.emplace_back([&] {
            together.arrive_and_wait();
            try {
                thread.start();
            } catch (const chorus::UsageError&) {
                ++refused;
            }
        });
        starters.back().start();
    }
    for (auto& starter : starters) starter.join();
    thread.join();
    EXPECT_EQ(runs, 1);
    EXPECT_EQ(refused, 3);
}

TEST(ThreadingException, test_joining_current_thread) {
    EXPECT_THROW(mt::current_thread().join(), chorus::UsageError);
    bool refused = false;
    mt::Thread thread([&] {
        try {
            mt::current_thread().join(chorus::now);
        } catch (const chorus::UsageError&) {
            refused = true;
        }
    });
    thread.start();
    thread.join();
    EXPECT_TRUE(refused);
}

TEST(ThreadingException, join_before_start) {
    mt::Thread thread({.name = "early"}, work);
    try {
        thread.join();
        FAIL() << "a thread was joined before its start";
    } catch (const chorus::UsageError& error) {
        EXPECT_THAT(error.what(), HasSubstr("early"));
    }
}

TEST(ThreadingException, daemon_flag_is_fixed_by_the_start) {
    mt::Thread thread(work);
    thread.set_daemon(true);
    thread.set_daemon(false);
    thread.start();
    EXPECT_THROW(thread.set_daemon(true), chorus::UsageError);
    thread.join();
    EXPECT_THROW(thread.set_daemon(true), chorus::UsageError);
    EXPECT_THROW(mt::main_thread().set_daemon(true), chorus::UsageError);
    EXPECT_THROW(mt::main_thread().start(), chorus::UsageError);
}

// ---- join -------------------------------------------------------------------------------------

TEST(Thread, timed_join_tells_whether_it_has_ended) {
    Door door;
    mt::Thread thread([gate = door.wait_for()] { gate.wait(); });
    thread.start();
    EXPECT_FALSE(thread.join(chorus::now));
    EXPECT_FALSE(thread.join(0s));
    EXPECT_FALSE(thread.join(-1s));
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_FALSE(thread.join(50ms));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 50ms);
    EXPECT_FALSE(thread.join(std::chrono::steady_clock::now() + 10ms));
    EXPECT_FALSE(thread.join(std::chrono::system_clock::now() + 10ms));
    EXPECT_THROW(thread.join(std::chrono::duration<double>(std::nan(""))), chorus::UsageError);
    door.open();
    EXPECT_TRUE(thread.join(std::chrono::hours(24 * 365 * 1000)));
    EXPECT_TRUE(thread.join(chorus::now));
    EXPECT_TRUE(thread.join());
}

TEST(Thread, many_threads_may_join_one) {
    Door door;
    mt::Thread thread([gate = door.wait_for()] { gate.wait(); });
    thread.start();
    std::atomic<int> joined{0};
    std::vector<mt::Thread> joiners;
    std::latch waiting(8);
    for (int i = 0; i < 8; ++i) {
        joiners.emplace_back([&] {
            waiting.count_down();
            if (thread.join()) ++joined;
        });
        joiners.back().start();
    }
    waiting.wait();
    door.open();
    for (auto& joiner : joiners) joiner.join();
    EXPECT_EQ(joined, 8);
}

TEST(Thread, join_covers_the_destructors_of_thread_locals) {
    static std::atomic<bool> is_destroyed{false};
    static std::shared_future<void> gate;
    struct Late {
        int used = 0;
        ~Late() {
            gate.wait();
            is_destroyed = true;
        }
    };
    Door door;
    gate = door.wait_for();
    std::latch has_run(1);
    mt::Thread thread([&] {
        static thread_local Late late;
        late.used = 1;
        has_run.count_down();
    });
    thread.start();
    has_run.wait();
    EXPECT_FALSE(thread.join(50ms));
    EXPECT_TRUE(thread.is_alive());
    door.open();
    EXPECT_TRUE(thread.join());
    EXPECT_TRUE(is_destroyed);
}

// ---- lists ------------------------------------------------------------------------------------

TEST(Thread, main_thread_is_known) {
    const auto main = mt::main_thread();
    EXPECT_EQ(main.name(), "MainThread");
    EXPECT_FALSE(main.daemon());
    EXPECT_TRUE(main.is_alive());
    EXPECT_EQ(main.native_id(), ::getpid());
    EXPECT_TRUE(main == mt::current_thread());
    EXPECT_TRUE(main == mt::current_worker());
    EXPECT_EQ(text_of(main), "<_MainThread(MainThread, started " + std::to_string(mt::get_ident()) + ")>");
    bool same = false;
    mt::Thread thread([&] { same = mt::main_thread() == main && !(mt::current_thread() == main); });
    thread.start();
    thread.join();
    EXPECT_TRUE(same);
}

TEST(Thread, enumerate_lists_what_is_alive) {
    Door door;
    std::vector<mt::Thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back(mt::ThreadOptions{.daemon = i == 1}, [gate = door.wait_for()] { gate.wait(); });
    EXPECT_EQ(mt::active_count(), 1U) << "not before the start";
    for (auto& thread : threads) thread.start();
    EXPECT_EQ(mt::active_count(), 4U);
    EXPECT_EQ(mt::enumerate().size(), 4U);
    EXPECT_TRUE(is_listed(mt::main_thread()));
    for (auto& thread : threads) EXPECT_TRUE(is_listed(thread));
    door.open();
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(mt::active_count(), 1U);
}

TEST(Thread, test_enumerate_after_join) {
    for (int i = 0; i < 1000; ++i) {
        mt::Thread thread(work);
        thread.start();
        thread.join();
        ASSERT_FALSE(is_listed(thread)) << "at round " << i;
    }
}

TEST(Thread, test_foreign_thread) {
    std::latch seen(1);
    Door door;
    std::optional<mt::Thread> foreign;
    std::thread thread([&, gate = door.wait_for()] {
        foreign = mt::current_thread();
        EXPECT_TRUE(foreign->is_alive());
        EXPECT_TRUE(foreign->daemon());
        EXPECT_EQ(foreign->ident(), mt::get_ident());
        EXPECT_EQ(foreign->native_id(), ::gettid());
        EXPECT_TRUE(*foreign == mt::current_thread());
        EXPECT_THAT(text_of(*foreign),
                    MatchesRegex("<_DummyThread\\(Dummy-[0-9]+, started daemon [0-9]+\\)>"));
        EXPECT_THROW(foreign->start(), chorus::UsageError);
        EXPECT_THROW(foreign->set_daemon(false), chorus::UsageError);
        mt::Thread child(work);
        child.start();
        EXPECT_TRUE(child.join());
        seen.count_down();
        gate.wait();
    });
    seen.wait();
    EXPECT_TRUE(is_listed(*foreign));
    EXPECT_EQ(mt::active_count(), 2U);
    EXPECT_THROW(foreign->join(), chorus::UsageError);
    door.open();
    thread.join();
    EXPECT_FALSE(foreign->is_alive());
    EXPECT_FALSE(is_listed(*foreign));
}

TEST(Thread, a_foreign_thread_that_never_asked_is_not_listed) {
    Door door;
    std::thread thread([gate = door.wait_for()] { gate.wait(); });
    EXPECT_EQ(mt::active_count(), 1U);
    door.open();
    thread.join();
}

// ---- daemons ----------------------------------------------------------------------------------

TEST(Thread, test_repr_daemon) {
    EXPECT_THAT(text_of(mt::Thread(work)), Not(HasSubstr("daemon")));
    mt::Thread thread({.name = "d", .daemon = true}, work);
    EXPECT_EQ(text_of(thread), "<Thread(d, initial daemon)>");
    thread.start();
    thread.join();
    EXPECT_THAT(text_of(thread), MatchesRegex("<Thread\\(d, stopped daemon [0-9]+\\)>"));
}

TEST(Thread, daemon_flag_is_inherited_from_the_thread_that_makes_it) {
    const auto flags_made_by = [](bool maker_is_daemon) {
        std::vector<bool> flags;
        mt::Thread maker({.daemon = maker_is_daemon}, [&] {
            flags = {mt::Thread(work).daemon(), mt::Thread({.daemon = true}, work).daemon(),
                     mt::Thread({.daemon = false}, work).daemon()};
        });
        maker.start();
        maker.join();
        return flags;
    };
    EXPECT_FALSE(mt::Thread(work).daemon());
    EXPECT_EQ(flags_made_by(true), (std::vector<bool>{true, true, false}));
    EXPECT_EQ(flags_made_by(false), (std::vector<bool>{false, true, false}));
}

TEST(Thread, test_repr_stopped) {
    Door door;
    mt::Thread thread({.name = "t"}, [gate = door.wait_for()] { gate.wait(); });
    thread.start();
    EXPECT_EQ(text_of(thread), "<Thread(t, started " + std::to_string(thread.ident()) + ")>");
    door.open();
    // No thread joins it: its state alone has to tell.
    const auto limit = std::chrono::steady_clock::now() + 30s;
    while (text_of(thread).find("stopped") == std::string::npos && std::chrono::steady_clock::now() < limit)
        std::this_thread::yield();
    EXPECT_EQ(text_of(thread), "<Thread(t, stopped " + std::to_string(thread.ident()) + ")>");
}

TEST(Thread, test_leak_without_join) {
    const auto start_thousand = [] {
        auto token = std::make_shared<std::vector<char>>(1000);
        const std::weak_ptr<std::vector<char>> watched = token;
        for (int i = 0; i < 1000; ++i) {
            mt::Thread thread([](const std::shared_ptr<std::vector<char>>&) {}, token);
            thread.start();
        }
        token.reset();
        const auto limit = std::chrono::steady_clock::now() + 40s;
        while (mt::active_count() > 1 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
        EXPECT_TRUE(watched.expired());
        EXPECT_EQ(mt::active_count(), 1U);
    };
    start_thousand();
    const auto before = ::mallinfo2().uordblks;
    start_thousand();
    // The last ones may still be giving back what they had.
    const auto limit = std::chrono::steady_clock::now() + 20s;
    while (::mallinfo2().uordblks >= before + 64'000 && std::chrono::steady_clock::now() < limit)
        std::this_thread::yield();
    EXPECT_LT(::mallinfo2().uordblks, before + 64'000) << "each of a thousand threads left 64 bytes or more";
}

// ---- limits -----------------------------------------------------------------------------------

TEST(Thread, test_limbo_cleanup) {
    const auto before = mt::stack_size(std::size_t{1} << 46);
    mt::Thread thread(work);
    try {
        thread.start();
        FAIL() << "a thread with a stack of 64 TiB was started";
    } catch (const chorus::OsError& error) {
        EXPECT_NE(error.code(), 0);
        EXPECT_THAT(error.what(), HasSubstr("thread"));
    }
    mt::stack_size(before);
    EXPECT_EQ(mt::active_count(), 1U);
    EXPECT_FALSE(is_listed(thread));
    EXPECT_FALSE(thread.is_alive());
    EXPECT_THROW(thread.join(), chorus::UsageError);
    thread.start();
    EXPECT_TRUE(thread.join());
}

TEST(Thread, no_more_threads_is_an_error_that_names_the_limit) {
    const auto result = run_program({test_program("thread_limit")});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("RLIMIT_NPROC"));
    EXPECT_THAT(result.out, HasSubstr("alive: 1\n"));
    EXPECT_THAT(result.out, HasSubstr("again: ran\n"));
}

std::size_t own_stack_size() {
    pthread_attr_t attributes;
    ::pthread_getattr_np(::pthread_self(), &attributes);
    std::size_t size = 0;
    ::pthread_attr_getstacksize(&attributes, &size);
    ::pthread_attr_destroy(&attributes);
    return size;
}

TEST(Thread, stack_size_holds_for_threads_started_later) {
    const auto size_of_new_thread = [] {
        std::size_t size = 0;
        mt::Thread thread([&] { size = own_stack_size(); });
        thread.start();
        thread.join();
        return size;
    };
    EXPECT_EQ(mt::stack_size(), 0U);
    const auto usual = size_of_new_thread();
    for (const std::size_t size : {std::size_t{256} << 10, std::size_t{4} << 20, std::size_t{100} << 20}) {
        EXPECT_EQ(mt::stack_size(size), 0U);
        EXPECT_EQ(mt::stack_size(), size);
        EXPECT_GE(size_of_new_thread(), size);
        EXPECT_LT(size_of_new_thread(), 2 * size + (std::size_t{64} << 10));
        EXPECT_EQ(mt::stack_size(0), size);
    }
    EXPECT_EQ(size_of_new_thread(), usual);
}

TEST(Thread, stack_size_refuses_what_is_too_small) {
    try {
        mt::stack_size(1);
        FAIL() << "a stack of one byte was accepted";
    } catch (const chorus::UsageError& error) {
        EXPECT_THAT(error.what(), HasSubstr("smallest"));
    }
    EXPECT_EQ(mt::stack_size(), 0U);
}

TEST(Thread, an_odd_stack_size_works) {
    mt::stack_size(300'001);
    mt::Thread thread(work);
    thread.start();
    EXPECT_TRUE(thread.join());
    mt::stack_size(0);
}

// ---- signals ----------------------------------------------------------------------------------

volatile std::sig_atomic_t handled_by = 0;
volatile std::sig_atomic_t handled_signal = 0;

class Handler {
public:
    explicit Handler(int signal) : signal_(signal) {
        handled_by = 0;
        handled_signal = 0;
        struct sigaction action {};
        action.sa_handler = [](int number) {
            handled_by = ::gettid();
            handled_signal = number;
        };
        ::sigaction(signal, &action, &before_);
    }
    ~Handler() { ::sigaction(signal_, &before_, nullptr); }
    Handler(const Handler&) = delete;
    Handler& operator=(const Handler&) = delete;

private:
    int signal_;
    struct sigaction before_ {};
};

TEST(InterruptMain, test_interrupt_main_subthread) {
    const auto result = run_program({test_program("thread_exit"), "interrupt"});
    EXPECT_EQ(result.exit_code, -SIGINT) << "nobody handles it: the program ends by it";
}

TEST(InterruptMain, test_interrupt_main_with_signal_handler) {
    const Handler handler(SIGINT);
    mt::Thread thread([] { mt::interrupt_main(); });
    thread.start();
    thread.join();
    EXPECT_EQ(handled_signal, SIGINT);
    EXPECT_EQ(handled_by, ::getpid());
}

TEST(InterruptMain, test_interrupt_main_invalid_signal) {
    EXPECT_THROW(mt::interrupt_main(-1), chorus::UsageError);
    EXPECT_THROW(mt::interrupt_main(0), chorus::UsageError);
    EXPECT_THROW(mt::interrupt_main(65), chorus::UsageError);
    EXPECT_THROW(mt::interrupt_main(1'000'000), chorus::UsageError);
}

TEST(ThreadSignals, test_signals) {
    const Handler first(SIGUSR1);
    Door door;
    std::vector<mt::Thread> idle;
    for (int i = 0; i < 3; ++i) {
        idle.emplace_back([gate = door.wait_for()] { gate.wait(); });
        idle.back().start();
    }
    mt::Thread sender([] { mt::interrupt_main(SIGUSR1); });
    sender.start();
    sender.join();
    EXPECT_EQ(handled_by, ::getpid());
    EXPECT_EQ(handled_signal, SIGUSR1);
    door.open();
    for (auto& thread : idle) thread.join();
}

TEST(ThreadSignals, join_goes_on_after_a_signal) {
    const Handler handler(SIGUSR1);
    Door door;
    std::latch both(2);
    mt::Thread thread([gate = door.wait_for()] { gate.wait(); });
    thread.start();
    mt::Thread sender([&] {
        for (int i = 0; i < 100; ++i) mt::interrupt_main(SIGUSR1);
        both.count_down();
        both.wait();
        for (int i = 0; i < 100; ++i) mt::interrupt_main(SIGUSR1);
    });
    sender.start();
    both.count_down();
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_FALSE(thread.join(100ms));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 100ms);
    sender.join();
    door.open();
    EXPECT_TRUE(thread.join());
    EXPECT_EQ(handled_signal, SIGUSR1);
}

// ---- what a thread throws ---------------------------------------------------------------------

/// Puts a hook in force for one test.
class Hooked {
public:
    explicit Hooked(mt::ExceptHook hook) : before_(mt::set_excepthook(std::move(hook))) {}
    ~Hooked() { mt::set_excepthook(before_); }
    Hooked(const Hooked&) = delete;
    Hooked& operator=(const Hooked&) = delete;

private:
    mt::ExceptHook before_;
};

struct Odd {
    int number = 3;
};
void fail() { throw std::runtime_error("broken on purpose"); }
void fail_oddly() { throw Odd{}; }

void start_and_join(void (*function)(), const std::string& name) {
    mt::Thread thread({.name = name}, function);
    thread.start();
    EXPECT_TRUE(thread.join());
}

TEST(ExceptHook, test_excepthook) {
    testing::internal::CaptureStderr();
    start_and_join(fail, "unlucky");
    const std::string report = testing::internal::GetCapturedStderr();
    EXPECT_THAT(report, testing::StartsWith("Exception in thread unlucky:\n"));
    EXPECT_THAT(report, HasSubstr("thread_test.cpp:"));
    EXPECT_THAT(report, HasSubstr("fail"));
    EXPECT_THAT(report, testing::EndsWith("std::runtime_error: broken on purpose\n"));
}

TEST(ExceptHook, what_is_no_std_exception_is_reported_too) {
    testing::internal::CaptureStderr();
    start_and_join(fail_oddly, "odd");
    start_and_join([] { throw 7; }, "seven");
    start_and_join([] { throw "text"; }, "literal");
    start_and_join([] { throw std::string("a string"); }, "string");
    const std::string report = testing::internal::GetCapturedStderr();
    EXPECT_THAT(report, HasSubstr("Exception in thread odd:\n"));
    EXPECT_THAT(report, HasSubstr("Odd"));
    EXPECT_THAT(report, HasSubstr("int: 7\n"));
    EXPECT_THAT(report, HasSubstr("text\n"));
    EXPECT_THAT(report, HasSubstr("a string\n"));
}

TEST(ExceptHook, nested_exceptions_are_told_of) {
    testing::internal::CaptureStderr();
    start_and_join(
        [] {
            try {
                fail();
            } catch (...) {
                std::throw_with_nested(std::logic_error("outer"));
            }
        },
        "nested");
    const std::string report = testing::internal::GetCapturedStderr();
    EXPECT_THAT(report, HasSubstr("outer"));
    EXPECT_THAT(report, HasSubstr("broken on purpose"));
}

TEST(ExceptHook, an_exception_ends_the_thread_and_not_the_program) {
    const auto result = run_program({test_program("thread_exit"), "throw"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.err, HasSubstr("Exception in thread unlucky:"));
    EXPECT_EQ(result.out, "main goes on\n");
}

TEST(ExceptHook, test_system_exit) {
    testing::internal::CaptureStderr();
    start_and_join([] { throw chorus::SystemExit(1); }, "leaving");
    start_and_join([] { throw chorus::SystemExit("with a message"); }, "leaving too");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(ExceptHook, test_custom_excepthook) {
    std::optional<mt::ExceptHookArgs> told;
    const Hooked hooked([&](const mt::ExceptHookArgs& args) { told = args; });
    testing::internal::CaptureStderr();
    mt::Thread thread({.name = "hooked"}, fail);
    thread.start();
    thread.join();
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    ASSERT_TRUE(told);
    EXPECT_EQ(told->exc_type, "std::runtime_error");
    EXPECT_THROW(std::rethrow_exception(told->exc_value), std::runtime_error);
    EXPECT_THAT(told->exc_traceback, HasSubstr("fail"));
    EXPECT_THAT(told->exc_traceback, HasSubstr("thread_test.cpp:"));
    EXPECT_TRUE(told->thread == thread);
}

TEST(ExceptHook, a_hook_runs_in_the_thread_that_threw) {
    std::uintptr_t ran_in = 0;
    bool alive = false;
    const Hooked hooked([&](const mt::ExceptHookArgs& args) {
        ran_in = mt::get_ident();
        alive = args.thread->is_alive();
    });
    mt::Thread thread(fail);
    thread.start();
    thread.join();
    EXPECT_EQ(ran_in, thread.ident());
    EXPECT_TRUE(alive);
}

TEST(ExceptHook, test_custom_excepthook_fail) {
    const Hooked hooked([](const mt::ExceptHookArgs&) { throw std::logic_error("the hook fails"); });
    testing::internal::CaptureStderr();
    start_and_join(fail, "unlucky");
    const std::string report = testing::internal::GetCapturedStderr();
    EXPECT_THAT(report, HasSubstr("the hook fails"));
    EXPECT_THAT(report, HasSubstr("unlucky"));
    EXPECT_THAT(report, HasSubstr("broken on purpose"));
}

TEST(ExceptHook, finds_the_type_of_a_bare_exception) {
    std::string told;
    {
        const Hooked hooked([&](const mt::ExceptHookArgs& args) { told = args.exc_type; });
        mt::excepthook({.exc_type = "",
                        .exc_value = std::make_exception_ptr(std::out_of_range("too far")),
                        .exc_traceback = "",
                        .thread = std::nullopt});
    }
    EXPECT_EQ(told, "std::out_of_range");
    testing::internal::CaptureStderr();
    mt::excepthook({.exc_type = "",
                    .exc_value = std::make_exception_ptr(std::out_of_range("too far")),
                    .exc_traceback = "",
                    .thread = std::nullopt});
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("\nstd::out_of_range: too far\n"));
}

TEST(ExceptHook, test_original_excepthook) {
    int calls = 0;
    auto before = mt::set_excepthook([&](const mt::ExceptHookArgs&) { ++calls; });
    EXPECT_FALSE(before) << "the original is the empty one";
    testing::internal::CaptureStderr();
    start_and_join(fail, "first");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    EXPECT_TRUE(mt::set_excepthook(before));
    testing::internal::CaptureStderr();
    start_and_join(fail, "second");
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("Exception in thread second:"));
    mt::set_excepthook(mt::default_excepthook);
    testing::internal::CaptureStderr();
    start_and_join(fail, "third");
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("Exception in thread third:"));
    mt::set_excepthook({});
    EXPECT_EQ(calls, 1);
}

TEST(ExceptHook, may_be_called_by_hand_without_a_thread) {
    testing::internal::CaptureStderr();
    mt::excepthook({.exc_type = "Broken",
                    .exc_value = std::make_exception_ptr(std::runtime_error("by hand")),
                    .exc_traceback = "",
                    .thread = {}});
    const std::string report = testing::internal::GetCapturedStderr();
    EXPECT_THAT(report, HasSubstr("Exception in thread " + std::to_string(mt::get_ident()) + ":"));
    EXPECT_THAT(report, HasSubstr("by hand"));
}

TEST(ThreadingException, test_print_exception_stderr_is_none_1) {
    const auto result = run_program({test_program("thread_exit"), "stream-removed"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.err, HasSubstr("Exception in thread unlucky:"));
    EXPECT_THAT(result.err, HasSubstr("broken on purpose"));
}

TEST(ThreadingException, test_print_exception_stderr_is_none_2) {
    const auto result = run_program({test_program("thread_exit"), "stderr-closed"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.err, "");
    EXPECT_EQ(result.out, "main goes on\n");
}

// ---- the program's end ------------------------------------------------------------------------

TEST(Thread, dropped_threads_are_joined_when_main_returns) {
    const auto result = run_program({test_program("thread_exit"), "return"});
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_EQ(result.out, "main ends\nthe thread ends after main\n");
}

TEST(Thread, dropped_threads_are_joined_when_main_calls_exit) {
    const auto result = run_program({test_program("thread_exit"), "exit"});
    EXPECT_EQ(result.exit_code, 5);
    EXPECT_EQ(result.out, "main ends\nthe thread ends after main\n");
}

TEST(Thread, threads_started_by_joined_threads_are_joined_too) {
    const auto result = run_program({test_program("thread_exit"), "chain"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.out, "main ends\nlink 3\nlink 2\nlink 1\n");
}

TEST(Thread, daemons_are_left_behind) {
    const auto result = run_program({test_program("thread_exit"), "daemon"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.out, "main ends\n");
}

TEST(Thread, daemons_do_not_run_while_statics_are_destroyed) {
    for (int i = 0; i < 20; ++i) {
        const auto result = run_program({test_program("thread_daemons"), i % 2 == 0 ? "return" : "exit"});
        ASSERT_EQ(result.exit_code, 0) << "run " << i << ": " << result.err;
        ASSERT_EQ(result.err, "") << "run " << i;
        ASSERT_EQ(result.out, "destroyed\n") << "run " << i;
    }
}

}  // namespace

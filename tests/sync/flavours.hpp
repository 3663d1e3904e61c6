// What the tests of locks and other synchronisation have in common.
#pragma once

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <deque>
#include <fstream>
#include <mutex>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>

#include <support/each_way.hpp>
#include <support/message_of.hpp>

using namespace std::chrono_literals;

/// What only a broken library needs.
inline constexpr auto too_long = 20s;

/// A thread that throws fails the test.
template <class Par>
class Flavoured : public testing::Test {
protected:
    void SetUp() override {
        mt::set_excepthook([](const mt::ExceptHookArgs& args) {
            mt::default_excepthook(args);
            ADD_FAILURE() << "a thread threw " << args.exc_type;
        });
    }
    void TearDown() override { mt::set_excepthook({}); }
};

/// For workers: what they find wrong ends them, and fails the test.
inline void require(bool condition, const char* what) {
    if (!condition) throw std::runtime_error(std::string("expected: ") + what);
}
#define REQUIRE(condition) require(condition, #condition)

inline int system_id(const mp::Process& process) { return process.pid(); }
inline int system_id(const mt::Thread& thread) { return thread.native_id(); }

/// Workers that must come to a good end.
template <class Par>
class Crew {
public:
    Crew() = default;
    ~Crew() { join(); }
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;

    template <class Function, class... Args>
    typename Par::Worker& start(Function function, Args... args) {
        workers_.push_back(typename Par::Worker(function, args...));
        workers_.back().start();
        return workers_.back();
    }
    template <class Function, class... Args>
    void start_many(int count, Function function, Args... args) {
        for (int i = 0; i < count; ++i) start(function, args...);
    }
    const std::deque<typename Par::Worker>& workers() const { return workers_; }

    void join() {
        for (auto& worker : workers_) {
            const bool ended = worker.join(too_long);
            EXPECT_TRUE(ended) << "a worker hangs: " << system_id(worker);
            if constexpr (Par::are_processes) {
                if (!ended) worker.kill();
                worker.join();
                EXPECT_EQ(worker.exitcode(), 0);
            }
        }
        workers_.clear();
    }

private:
    std::deque<typename Par::Worker> workers_;
};

/// What the system says of a thread: R, S (asleep), T (stopped), Z, or X if it is gone.
inline char state_of(int id) {
    std::ifstream file("/proc/" + std::to_string(id) + "/stat");
    std::string text;
    std::getline(file, text);
    const auto end = text.rfind(')');
    return end == std::string::npos ? 'X' : text[end + 2];
}

inline bool sleeps_on_a_word(int id) {
    std::ifstream file("/proc/" + std::to_string(id) + "/syscall");
    long call = -1;
    return state_of(id) == 'S' && file >> call && (call == SYS_futex || call == 449 /* futex_waitv */);
}

/// No call tells when a thread falls asleep: the caller has to look.
template <class Condition>
bool becomes_true(Condition condition) {
    const auto limit = std::chrono::steady_clock::now() + too_long;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > limit) return false;
        std::this_thread::sleep_for(1ms);
    }
    return true;
}

/// Workers say `about_to_wait.release()` right before they wait. Then this waits until each of them sleeps.
template <class Semaphore, class Workers>
void expect_asleep(Semaphore about_to_wait, const Workers& workers) {
    for (std::size_t i = 0; i < workers.size(); ++i) ASSERT_TRUE(about_to_wait.acquire(too_long));
    for (const auto& worker : workers)
        ASSERT_TRUE(becomes_true([&] { return sleeps_on_a_word(system_id(worker)); }))
            << state_of(system_id(worker));
}

/// A process that is to be killed, or stopped for a while.
class Victim {
public:
    template <class Function, class... Args>
    explicit Victim(Function function, Args... args) : process_(function, args...) {
        process_.start();
    }
    ~Victim() { die(); }
    Victim(const Victim&) = delete;
    Victim& operator=(const Victim&) = delete;

    void die() {
        process_.kill();
        EXPECT_TRUE(process_.join(too_long));
    }
    void stop() const {
        ::kill(pid(), SIGSTOP);
        EXPECT_TRUE(becomes_true([&] { return state_of(pid()) == 'T'; }));
    }
    /// Lets it sleep on, but when it is woken it does not get to run. (One that was stopped sleeps on
    /// nothing, so nothing wakes it.)
    void set_trap() const {
        ASSERT_EQ(::ptrace(PTRACE_SEIZE, pid(), nullptr, nullptr), 0);
        ::ptrace(PTRACE_INTERRUPT, pid(), nullptr, nullptr);
        ASSERT_EQ(::waitpid(pid(), nullptr, __WALL), pid());
        ::ptrace(PTRACE_SYSCALL, pid(), nullptr, nullptr);  // to where it goes back to sleep
        ASSERT_EQ(::waitpid(pid(), nullptr, __WALL), pid());
        ::ptrace(PTRACE_SYSCALL, pid(), nullptr, nullptr);
        // A sleeper looks again by itself at times: then it stops once more before it sleeps again.
        EXPECT_TRUE(becomes_true([&] {
            if (::waitpid(pid(), nullptr, __WALL | WNOHANG) == pid())
                ::ptrace(PTRACE_SYSCALL, pid(), nullptr, nullptr);
            return sleeps_on_a_word(pid());
        }));
    }
    void die_in_the_trap() {
        EXPECT_TRUE(becomes_true([&] { return ::waitpid(pid(), nullptr, __WALL | WNOHANG) == pid(); }))
            << "it was not woken";
        die();
    }
    void go_on() const { ::kill(pid(), SIGCONT); }
    int pid() const { return process_.pid(); }
    mp::Process& process() { return process_; }
    template <class Semaphore>
    void expect_asleep(Semaphore about_to_wait) const {
        ::expect_asleep(about_to_wait, std::vector<mp::Process>{process_});
    }

private:
    mp::Process process_;
};

/// A signal each millisecond, which interrupts whatever sleeps in this thread.
class Alarms {
public:
    Alarms() {
        struct sigaction action {};
        action.sa_handler = [](int) { ++count_; };
        ::sigaction(SIGALRM, &action, &before_);
        const itimerval each_millisecond{{0, 1000}, {0, 1000}};
        ::setitimer(ITIMER_REAL, &each_millisecond, nullptr);
    }
    ~Alarms() {
        const itimerval off{};
        ::setitimer(ITIMER_REAL, &off, nullptr);
        ::sigaction(SIGALRM, &before_, nullptr);
    }
    Alarms(const Alarms&) = delete;
    Alarms& operator=(const Alarms&) = delete;
    static int count() { return count_; }

private:
    inline static std::atomic<int> count_{0};
    struct sigaction before_ {};
};

class Stopwatch {
public:
    std::chrono::duration<double> elapsed() const { return std::chrono::steady_clock::now() - begin_; }

private:
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// Processor time that a call takes in this thread.
template <class Function>
std::chrono::nanoseconds cpu_time_of(Function function) {
    const auto used = [] {
        timespec time{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
    };
    const auto before = used();
    function();
    return used() - before;
}
/// A second asleep takes much less, even where each first touch of memory is dear; one of looking all the
/// time takes a second.
inline constexpr auto hardly_any_cpu_time = 200ms;

/// Runs a function in a copy of this process made by plain fork(). Returns its exit code: 0 if it has
/// returned, 1 if it has thrown, or -SIGNAL.
template <class Function>
int in_forked_copy(Function function) {
    const pid_t child = ::fork();
    if (child == 0) {
        int code = 0;
        try {
            function();
        } catch (const std::exception& error) {
            ::dprintf(2, "in the copy: %s\n", error.what());
            code = 1;
        }
        ::_exit(code);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

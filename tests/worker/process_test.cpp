// Process: its life, its names and its errors, for each start method.
#include <atomic>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <support/message_of.hpp>
#include <support/run_program.hpp>
#include <support/start_methods.hpp>
#include <worker/scratch.hpp>

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::MatchesRegex;

namespace {

class Process : public EachStartMethod {};
FOR_EACH_START_METHOD(Process);

bool is_listed(const mp::Process& process) {
    for (const auto& each : mp::active_children()) {
        if (each == process) return true;
    }
    return false;
}

std::size_t count_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
    return count;
}

void nothing() {}

// ---- the rows of CPython's suite ---------------------------------------------------------------

struct Self {
    bool alive = false;
    bool daemon = true;
    bool has_code = true;
    int pid = 0;
    std::string name;
    std::vector<unsigned char> key;
};

Self describe_self() {
    const auto self = mp::current_process();
    return {self.is_alive(), self.daemon(), self.exitcode().has_value(),
            self.pid(),      self.name(),   self.authkey()};
}

TEST_P(Process, test_current) {
    const Self here = describe_self();
    const Self there = mp::run(describe_self);
    for (const Self* self : {&here, &there}) {
        EXPECT_TRUE(self->alive);
        EXPECT_FALSE(self->daemon);
        EXPECT_FALSE(self->has_code);
        EXPECT_EQ(self->key.size(), 32U);
    }
    EXPECT_EQ(here.pid, ::getpid());
    EXPECT_NE(there.pid, ::getpid());
    EXPECT_EQ(here.key, there.key);
    EXPECT_EQ(here.name, "MainProcess");
}

TEST_P(Process, test_daemon_argument) {
    EXPECT_FALSE(context().Process(nothing).daemon());
    EXPECT_TRUE(context().Process({.daemon = true}, nothing).daemon());
    EXPECT_FALSE(context().Process({.daemon = false}, nothing).daemon());
}

void look_at_the_flag(const std::string& path) {
    tell(path, std::to_string(mp::current_process().daemon()) +
                   std::to_string(mp::Process(nothing).daemon()) +
                   std::to_string(mp::Process({.daemon = false}, nothing).daemon()));
}

TEST_P(Process, an_unset_daemon_flag_is_inherited_from_the_creator) {
    const Scratch scratch;
    auto child = context().Process({.daemon = true}, look_at_the_flag, scratch.path("seen"));
    child.start();
    child.join();
    EXPECT_EQ(scratch.text("seen"), "110\n");
}

void describe_the_call(const std::string& path, const std::string& go_on, int number, double share,
                       std::string word) {
    const auto self = mp::current_process();
    std::string key;
    for (const unsigned char byte : self.authkey()) key += std::to_string(byte) + ",";
    std::ostringstream line;
    line << number << ' ' << share << ' ' << word << ' ' << self.name() << ' ' << self.pid() << ' '
         << ::getpid() << ' ' << key;
    tell(path, line.str());
    wait_at_gate(go_on);
}
constexpr auto call_with_names = chorus::named<"path", "go_on", "number", "share", "word">(describe_the_call);

TEST_P(Process, test_process) {
    const Scratch scratch;
    const Gate go_on(scratch, "go on");
    auto child =
        context().Process({.name = "one"}, call_with_names, scratch.path("seen"), go_on.path(),
                          chorus::kw<"word"> = "three", chorus::kw<"number"> = 1, chorus::kw<"share"> = 2.5);
    EXPECT_FALSE(child.is_alive());
    EXPECT_FALSE(child.daemon());
    EXPECT_FALSE(is_listed(child));
    EXPECT_EQ(child.exitcode(), std::nullopt);
    EXPECT_EQ(child.pid(), 0);

    child.start();
    EXPECT_EQ(child.exitcode(), std::nullopt);
    EXPECT_TRUE(child.is_alive());
    EXPECT_TRUE(is_listed(child));
    EXPECT_GT(child.pid(), 0);
    EXPECT_EQ(child.ident(), child.pid());
    go_on.pass();

    EXPECT_TRUE(child.join());
    EXPECT_EQ(child.exitcode(), 0);
    EXPECT_FALSE(child.is_alive());
    EXPECT_FALSE(is_listed(child));
    std::string key;
    for (const unsigned char byte : mp::current_process().authkey()) key += std::to_string(byte) + ",";
    const std::string pid = std::to_string(child.pid());
    EXPECT_EQ(scratch.text("seen"), "1 2.5 three one " + pid + " " + pid + " " + key + "\n");
}

int native_id_of_main() { return mt::main_thread().native_id(); }

TEST_P(Process, test_process_mainthread_native_id) {
    const int here = mt::main_thread().native_id();
    const int there = mp::run(native_id_of_main);
    EXPECT_EQ(here, ::gettid());
    EXPECT_GT(there, 0);
    EXPECT_NE(there, here);
}

/// Starts a child that waits, ends it, and looks at how that shows.
void expect_ending_by(const mp::Context& context, void (mp::BaseProcess::*end)() const, int signal) {
    const Scratch scratch;
    const Gate here(scratch, "here");
    const Gate never(scratch, "never");
    auto child = context.Process({.daemon = true}, meet_at_gates, here.path(), never.path());
    child.start();
    ASSERT_TRUE(here.wait());

    const auto before = std::chrono::steady_clock::now();
    EXPECT_FALSE(child.join(0s));
    EXPECT_FALSE(child.join(-1s));
    EXPECT_FALSE(child.join(chorus::now));
    EXPECT_LT(std::chrono::steady_clock::now() - before, 20s) << "a join that may not wait waited";
    EXPECT_TRUE(child.is_alive());
    EXPECT_TRUE(is_listed(child));

    (child.*end)();
    EXPECT_TRUE(child.join());
    EXPECT_FALSE(child.is_alive());
    EXPECT_FALSE(is_listed(child));
    EXPECT_TRUE(child.join());
    EXPECT_EQ(child.exitcode(), -signal);
    (child.*end)();
    EXPECT_EQ(child.exitcode(), -signal);
}

TEST_P(Process, test_interrupt_no_handler) { expect_ending_by(context(), &mp::Process::interrupt, SIGINT); }
TEST_P(Process, test_terminate) { expect_ending_by(context(), &mp::Process::terminate, SIGTERM); }
TEST_P(Process, test_kill) { expect_ending_by(context(), &mp::Process::kill, SIGKILL); }

TEST_P(Process, test_active_children) {
    const Scratch scratch;
    const Gate go_on(scratch, "go on");
    auto child = context().Process(wait_at_gate, go_on.path());
    EXPECT_FALSE(is_listed(child));
    child.start();
    EXPECT_TRUE(is_listed(child));
    go_on.pass();
    child.join();
    EXPECT_FALSE(is_listed(child));
}

TEST_P(Process, test_sentinel) {
    const Scratch scratch;
    const Gate go_on(scratch, "go on");
    auto child = context().Process(wait_at_gate, go_on.path());
    EXPECT_THROW(child.sentinel(), chorus::UsageError);
    child.start();
    pollfd waited{child.sentinel(), POLLIN, 0};
    EXPECT_EQ(::poll(&waited, 1, 0), 0);
    EXPECT_EQ(child.sentinel(), waited.fd);
    go_on.pass();
    EXPECT_EQ(::poll(&waited, 1, 20'000), 1);
    EXPECT_TRUE(child.join(20s));
    EXPECT_EQ(::poll(&waited, 1, 0), 1);
}

TEST_P(Process, test_close) {
    const Scratch scratch;
    const Gate go_on(scratch, "go on");
    auto child = context().Process(wait_at_gate, go_on.path());
    child.start();
    EXPECT_THAT(message_of<chorus::UsageError>([&] { child.close(); }), HasSubstr("while it runs"));
    EXPECT_TRUE(child.is_alive());
    go_on.pass();
    child.join();
    EXPECT_EQ(child.exitcode(), 0);

    const int sentinel = child.sentinel();
    child.close();
    EXPECT_THAT(message_of<chorus::UsageError>([&] { child.is_alive(); }),
                HasSubstr(child.name() + " is closed"));
    EXPECT_THROW(child.join(), chorus::UsageError);
    EXPECT_THROW(child.start(), chorus::UsageError);
    EXPECT_THROW(child.run(), chorus::UsageError);
    EXPECT_THROW(child.terminate(), chorus::UsageError);
    EXPECT_THROW(child.kill(), chorus::UsageError);
    EXPECT_THROW(child.interrupt(), chorus::UsageError);
    EXPECT_THROW(child.exitcode(), chorus::UsageError);
    EXPECT_THROW(child.pid(), chorus::UsageError);
    EXPECT_THROW(child.sentinel(), chorus::UsageError);
    EXPECT_THROW(child.set_daemon(true), chorus::UsageError);
    EXPECT_NO_THROW(child.close());
    EXPECT_LT(::fcntl(sentinel, F_GETFD), 0) << "the handle was not freed";
}

/// Counts how many of it are alive in this process.
struct Counted {
    static inline std::atomic<int> alive{0};
    Counted() { ++alive; }
    Counted(const Counted&) { ++alive; }
    Counted(Counted&&) noexcept { ++alive; }
    Counted& operator=(const Counted&) = default;
    Counted& operator=(Counted&&) = default;
    ~Counted() { --alive; }
    template <class Archive>
    void serialize(Archive&) {}
    void operator()() const {}
};

TEST_P(Process, test_lose_target_ref) {
    auto child = context().Process(Counted{});
    EXPECT_EQ(Counted::alive, 1);
    child.start();
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
    EXPECT_EQ(Counted::alive, 0) << "the parent keeps the function of a child that has ended";
}

void leave_with(const chorus::SystemExit& request) { throw request; }
void leave_true() { leave_with(chorus::SystemExit(true)); }
void leave_false() { leave_with(chorus::SystemExit(false)); }
void leave_eight() { leave_with(chorus::SystemExit(8)); }
void leave_plain() { leave_with(chorus::SystemExit()); }
void leave_with_text() { leave_with(chorus::SystemExit("ignore this line")); }

TEST_P(Process, test_sys_exit) {
    for (const auto& [leave, code] : std::vector<std::pair<void (*)(), int>>{
             {leave_true, 1}, {leave_false, 0}, {leave_eight, 8}, {leave_plain, 0}}) {
        auto child = context().Process(leave);
        child.start();
        child.join();
        EXPECT_EQ(child.exitcode(), code);
    }
    testing::internal::CaptureStderr();
    auto child = context().Process(leave_with_text);
    child.start();
    child.join();
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "ignore this line\n");
    EXPECT_EQ(child.exitcode(), 1);
}

// By the time it looks, the parent sleeps nowhere but in the join.
void signal_the_sleeping_parent(const std::string& about_to_join, const std::string& handled) {
    wait_at_gate(about_to_join);
    char state = ' ';
    while (state != 'S') {
        std::ifstream file("/proc/" + std::to_string(::getppid()) + "/stat");
        std::string text;
        std::getline(file, text);
        state = text[text.rfind(')') + 2];
    }
    ::kill(::getppid(), SIGUSR1);
    wait_at_gate(handled);
}

int handled_gate = -1;

TEST_P(Process, test_poll_eintr) {
    const Scratch scratch;
    const Gate about_to_join(scratch, "about to join");
    const Gate handled(scratch, "handled");
    handled_gate = handled.descriptor();
    struct sigaction action {};
    struct sigaction before {};
    action.sa_handler = [](int) { [[maybe_unused]] const auto size = ::write(handled_gate, ".", 1); };
    ::sigaction(SIGUSR1, &action, &before);  // without SA_RESTART: the system call ends with EINTR
    auto child = context().Process(signal_the_sleeping_parent, about_to_join.path(), handled.path());
    child.start();
    about_to_join.pass();
    EXPECT_TRUE(child.join());
    EXPECT_EQ(child.exitcode(), 0);
    ::sigaction(SIGUSR1, &before, nullptr);
}

// ---- names and text forms ----------------------------------------------------------------------

std::vector<std::string> names_made_here() {
    return {mp::current_process().name(), mp::Process(nothing).name(), mp::Process(nothing).name()};
}

TEST_P(Process, default_names_show_the_tree) {
    const auto first = mp::run(names_made_here);
    ASSERT_THAT(first[0], MatchesRegex("Process-[0-9]+"));
    EXPECT_EQ(first[1], first[0] + ":1");
    EXPECT_EQ(first[2], first[0] + ":2");
    const int number = std::stoi(first[0].substr(8));
    EXPECT_EQ(mp::Process(nothing).name(), "Process-" + std::to_string(number + 1));
    EXPECT_EQ(mp::Process({.name = "mine"}, nothing).name(), "mine");
}

TEST_P(Process, text_form_tells_the_state) {
    const std::string type = method() == "fork"    ? "ForkProcess"
                             : method() == "spawn" ? "SpawnProcess"
                                                   : "ForkServerProcess";
    const Scratch scratch;
    const Gate never(scratch, "never");
    auto child = context().Process({.name = "p", .daemon = true}, wait_at_gate, never.path());
    const std::string begin = "<" + type + " name='p'";
    const std::string parent = " parent=" + std::to_string(::getpid());
    EXPECT_EQ(text_of(child), begin + parent + " initial daemon>");
    child.start();
    const std::string pid = " pid=" + std::to_string(child.pid());
    EXPECT_EQ(text_of(child), begin + pid + parent + " started daemon>");
    child.terminate();
    child.join();
    EXPECT_EQ(text_of(child), begin + pid + parent + " stopped exitcode=-SIGTERM daemon>");
    child.close();
    EXPECT_THAT(text_of(child), HasSubstr(" closed"));

    mp::Process plain(nothing);
    plain.start();
    plain.join();
    EXPECT_THAT(text_of(plain),
                MatchesRegex("<Process name='Process-[0-9]+' pid=[0-9]+ parent=[0-9]+ stopped exitcode=0>"));
}

struct Parent {
    bool known = false;
    bool alive = false;
    int pid = 0;
    std::string name;
    int told = 0;
};
Parent describe_parent() {
    const auto parent = mp::parent_process();
    if (!parent) return {};
    return {true, parent->is_alive(), parent->pid(), parent->name(), chorus::getppid()};
}

TEST_P(Process, parent_process_is_who_started_it) {
    EXPECT_FALSE(mp::parent_process());
    const auto parent = mp::run(describe_parent);
    EXPECT_TRUE(parent.known);
    EXPECT_TRUE(parent.alive);
    EXPECT_EQ(parent.pid, ::getpid());
    EXPECT_EQ(parent.told, ::getpid());
    EXPECT_EQ(parent.name, "MainProcess");
}

// ---- errors ------------------------------------------------------------------------------------

TEST_P(Process, what_makes_no_sense_is_refused_and_says_why) {
    auto child = context().Process({.name = "c"}, nothing);
    EXPECT_THAT(message_of<chorus::UsageError>([&] { child.join(); }),
                HasSubstr("cannot join c before it is started"));
    EXPECT_THROW(child.terminate(), chorus::UsageError);
    child.start();
    EXPECT_THAT(message_of<chorus::UsageError>([&] { child.start(); }), HasSubstr("cannot start c twice"));
    EXPECT_THAT(message_of<chorus::UsageError>([&] { child.set_daemon(true); }),
                HasSubstr("started already"));
    child.join();
    EXPECT_THROW(child.start(), chorus::UsageError);
    EXPECT_EQ(child.exitcode(), 0);
    EXPECT_THAT(message_of<chorus::UsageError>([] { mp::current_process().join(); }),
                HasSubstr("current process"));
}

// Only a copy of the parent's memory can hold a handle of the parent's.
TEST(ForkedHandle, another_process_than_its_maker_may_not_use_it) {
    const Scratch scratch;
    mp::Process child({.name = "c"}, nothing);
    mp::ForkProcess other([&] {
        tell(scratch.path("start"), message_of<chorus::UsageError>([&] { child.start(); }));
        tell(scratch.path("join"), text_of(child));
    });
    other.start();
    other.join();
    EXPECT_EQ(other.exitcode(), 0);
    EXPECT_THAT(scratch.text("start"), HasSubstr("can only start a child process: c was made by process " +
                                                 std::to_string(::getpid())));
    EXPECT_THAT(scratch.text("join"), HasSubstr(" unknown"));
    child.start();
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
}

TEST_P(Process, a_refused_start_may_be_repeated) {
    const Scratch scratch;
    auto child = context().Process(tell, scratch.path("seen"), "ran");
    context().Process(nothing).run();  // nothing is started by it
    mp::run(nothing);                  // what start() itself keeps open is open now
    struct rlimit limit {};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    struct rlimit none = limit;
    none.rlim_cur = 4;
    ::setrlimit(RLIMIT_NOFILE, &none);
    std::string message;
    try {
        child.start();
    } catch (const chorus::OsError& error) {
        message = error.what();
    }
    ::setrlimit(RLIMIT_NOFILE, &limit);
    EXPECT_THAT(message, HasSubstr("4 descriptors open (RLIMIT_NOFILE"));
    EXPECT_TRUE(mp::active_children().empty()) << "a process that never began is listed";
    EXPECT_FALSE(child.is_alive());
    EXPECT_EQ(child.pid(), 0);
    EXPECT_EQ(child.exitcode(), std::nullopt);
    child.start();
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
    EXPECT_EQ(scratch.text("seen"), "ran\n") << "it ran although its start was refused, or not at all";
}

// One more at each step: some of what start() opens succeeds before the limit is met.
TEST_P(Process, no_descriptors_left_at_any_step_leaks_none) {
    mp::run(nothing);
    const std::size_t before = count_descriptors();
    struct rlimit limit {};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    int refused = 0;
    for (rlim_t most = 4; most < before + 12; ++most) {
        struct rlimit few = limit;
        few.rlim_cur = most;
        auto child = context().Process(nothing);
        ::setrlimit(RLIMIT_NOFILE, &few);
        bool started = true;
        try {
            child.start();
        } catch (const chorus::Error&) {
            started = false;
            ++refused;
        }
        ::setrlimit(RLIMIT_NOFILE, &limit);
        if (started) {
            child.join();
            EXPECT_EQ(child.exitcode(), 0);
        }
        EXPECT_TRUE(mp::active_children().empty());
    }
    EXPECT_GT(refused, 0);
    EXPECT_LE(count_descriptors(), before + 1);
}

// ---- joins -------------------------------------------------------------------------------------

TEST_P(Process, many_threads_may_join_one_process) {
    const Scratch scratch;
    const Gate go_on(scratch, "go on");
    auto child = context().Process(wait_at_gate, go_on.path());
    child.start();
    std::atomic<int> joined{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&, i] {
            const bool ended = i % 2 == 0 ? child.join() : child.join(30s);
            if (ended && child.exitcode() == 0) ++joined;
        });
    }
    EXPECT_FALSE(child.join(10ms));
    go_on.pass();
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(joined, 8);
}

TEST_P(Process, a_timed_join_takes_its_time_and_tells) {
    const Scratch scratch;
    const Gate go_on(scratch, "go on");
    auto child = context().Process(wait_at_gate, go_on.path());
    child.start();
    const auto before = std::chrono::steady_clock::now();
    EXPECT_FALSE(child.join(150ms));
    EXPECT_GE(std::chrono::steady_clock::now() - before, 150ms);
    EXPECT_FALSE(child.join(std::chrono::system_clock::now() + 10ms));
    go_on.pass();
    EXPECT_TRUE(child.join(30s));
    EXPECT_TRUE(child.join(0s));
}

TEST_P(Process, three_threads_start_processes_at_once) {
    const Scratch scratch;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&, i] {
            std::vector<mp::Process> children;
            for (int j = 0; j < 5; ++j) {
                children.push_back(context().Process(tell, scratch.path("seen"), std::to_string(i * 5 + j)));
                children.back().start();
            }
            for (auto& child : children) {
                EXPECT_TRUE(child.join());
                EXPECT_EQ(child.exitcode(), 0);
            }
        });
    }
    for (auto& thread : threads) thread.join();
    auto seen = scratch.lines("seen");
    std::vector<std::string> all;
    for (int i = 0; i < 15; ++i) all.push_back(std::to_string(i));
    EXPECT_THAT(seen, testing::UnorderedElementsAreArray(all));
}

TEST_P(Process, a_dropped_handle_changes_nothing) {
    const Scratch scratch;
    const Gate here(scratch, "here");
    const Gate go_on(scratch, "go on");
    int pid = 0;
    {
        auto child = context().Process({.name = "dropped"}, meet_at_gates, here.path(), go_on.path());
        child.start();
        pid = child.pid();
    }
    ASSERT_TRUE(here.wait());
    auto children = mp::active_children();
    ASSERT_EQ(children.size(), 1U);
    EXPECT_EQ(children[0].name(), "dropped");
    EXPECT_EQ(children[0].pid(), pid);
    go_on.pass();
    EXPECT_TRUE(children[0].join());
    EXPECT_EQ(children[0].exitcode(), 0);
}

TEST_P(Process, run_calls_the_function_here) {
    const Scratch scratch;
    auto child = context().Process(tell, scratch.path("seen"), "here");
    child.run();
    EXPECT_EQ(scratch.text("seen"), "here\n");
    EXPECT_FALSE(child.is_alive());
    EXPECT_EQ(child.pid(), 0);
}

// ---- the exit code -----------------------------------------------------------------------------

void return_normally() {}
void exit_300() { std::exit(300); }
void exit_minus_1() { std::exit(-1); }
void exit_at_once() { ::_exit(7); }
void exit_quickly() { std::quick_exit(9); }
void abort_here() { std::abort(); }
void raise_segv() { ::raise(SIGSEGV); }
void write_nowhere() {
    volatile int* volatile nowhere = nullptr;
    *nowhere = 1;
}
int overflow_the_stack(int depth) {
    volatile char frame[1024];
    frame[0] = static_cast<char>(depth);
    if (depth < 0) return frame[0];
    return overflow_the_stack(depth + 1) + frame[0];
}
void overflow() { overflow_the_stack(1); }
void throw_runtime_error() { throw std::runtime_error("deliberate"); }
void throw_number() { throw 42; }
void kill_self() { ::raise(SIGKILL); }
void terminate_by_noexcept() noexcept { throw_runtime_error(); }

struct Leaving {
    const char* name;
    void (*leave)();
    int code;
};
constexpr Leaving leavings[] = {
    {"return", return_normally, 0},
    {"exit(300)", exit_300, 44},
    {"exit(-1)", exit_minus_1, 255},
    {"_exit(7)", exit_at_once, 7},
    {"quick_exit(9)", exit_quickly, 9},
    {"abort", abort_here, -SIGABRT},
    {"raise(SIGSEGV)", raise_segv, -SIGSEGV},
    {"null pointer", write_nowhere, -SIGSEGV},
    {"stack overflow", overflow, -SIGSEGV},
    {"exception", throw_runtime_error, 1},
    {"number thrown", throw_number, 1},
    {"SystemExit(8)", leave_eight, 8},
    {"SystemExit(text)", leave_with_text, 1},
    {"SIGKILL", kill_self, -SIGKILL},
    {"exception out of noexcept", terminate_by_noexcept, -SIGABRT},
};

TEST_P(Process, exit_code_follows_the_table) {
    testing::internal::CaptureStderr();
    std::vector<std::pair<const Leaving*, mp::Process>> children;
    for (const auto& leaving : leavings) children.emplace_back(&leaving, context().Process(leaving.leave));
    for (auto& [leaving, child] : children) child.start();
    for (auto& [leaving, child] : children) child.join();
    testing::internal::GetCapturedStderr();
    for (auto& [leaving, child] : children) EXPECT_EQ(child.exitcode(), leaving->code) << leaving->name;
}

// ---- the report of an exception ----------------------------------------------------------------

void throw_deeply(int depth) {
    if (depth == 0) throw std::out_of_range("the index 12 is beyond 10");
    throw_deeply(depth - 1);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // keeps the frame: not a tail call
}

TEST_P(Process, test_stderr_flush) {
    testing::internal::CaptureStderr();
    auto child = context().Process({.name = "thrower"}, throw_deeply, 3);
    child.start();
    child.join();
    const std::string report = testing::internal::GetCapturedStderr();
    EXPECT_EQ(child.exitcode(), 1);
    EXPECT_EQ(report.find("Process thrower:\n"), 0U) << report;
    EXPECT_THAT(report, HasSubstr("throw_deeply"));
    EXPECT_THAT(report, HasSubstr("process_test.cpp:"));
    const std::string end = "std::out_of_range: the index 12 is beyond 10\n";
    ASSERT_GE(report.size(), end.size());
    EXPECT_EQ(report.substr(report.size() - end.size()), end) << "the report is cut short";
}

struct Odd {
    int value = 3;
};
void throw_odd() { throw Odd{}; }

TEST_P(Process, report_names_the_type_of_something_that_is_no_exception) {
    testing::internal::CaptureStderr();
    auto child = context().Process({.name = "odd"}, throw_odd);
    child.start();
    child.join();
    const std::string report = testing::internal::GetCapturedStderr();
    EXPECT_EQ(child.exitcode(), 1);
    EXPECT_EQ(report.find("Process odd:\n"), 0U) << report;
    EXPECT_THAT(report, HasSubstr("Odd"));
    EXPECT_THAT(report, HasSubstr("throw_odd"));
}

// ---- what travels ------------------------------------------------------------------------------

void sum_up(const std::vector<std::uint32_t>& numbers, const std::string& path) {
    std::uint64_t sum = 0;
    for (const auto number : numbers) sum += number;
    tell(path, std::to_string(numbers.size()) + " " + std::to_string(sum));
}

TEST_P(Process, an_argument_may_be_large) {
    const Scratch scratch;
    std::vector<std::uint32_t> numbers(16 * 1024 * 1024);
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < numbers.size(); ++i)
        sum += numbers[i] = static_cast<std::uint32_t>(i * 2654435761U);
    auto child = context().Process(sum_up, std::move(numbers), scratch.path("seen"));
    child.start();
    child.join();
    EXPECT_EQ(scratch.text("seen"), "16777216 " + std::to_string(sum) + "\n");
}

}  // namespace

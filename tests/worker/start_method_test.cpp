// The start methods: which there are, what a child made by each is born with, and what is left alone.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <support/message_of.hpp>
#include <support/run_program.hpp>
#include <support/sanitizers.hpp>
#include <support/start_methods.hpp>
#include <worker/scratch.hpp>

using namespace std::chrono_literals;
using testing::HasSubstr;

namespace {

class StartMethod : public EachStartMethod {};
FOR_EACH_START_METHOD(StartMethod);

/// The two methods whose children begin with fresh static state, and with what was meant for them only.
class FreshStart : public EachStartMethod {};
INSTANTIATE_TEST_SUITE_P(by, FreshStart, testing::Values("forkserver", "spawn"), method_name);

void nothing() {}

// The child of this process that is no zombie and was not made by start() itself: the fork server.
std::vector<int> children_of_this_process() {
    std::vector<int> pids;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
        std::ifstream file(entry.path() / "children");
        for (int pid = 0; file >> pid;) pids.push_back(pid);
    }
    return pids;
}

int fork_server() {
    mp::ForkServerProcess first(nothing);
    first.start();
    first.join();
    const auto children = children_of_this_process();
    return children.size() == 1 ? children[0] : -1;
}

// ---- the rows of CPython's suite ---------------------------------------------------------------

std::string method_here() { return mp::get_start_method(); }

void tell_the_method(const std::string& path) { tell(path, mp::get_start_method()); }

TEST_P(StartMethod, test_context) {
    const Scratch scratch;
    const auto context = mp::get_context(method());
    EXPECT_EQ(context.get_start_method(), method());
    EXPECT_THAT(message_of<chorus::UsageError>([&] { context.set_start_method("spawn"); }),
                HasSubstr("keeps its start method"));
    EXPECT_EQ(context.get_start_method(), method());
    auto child = context.Process(tell_the_method, scratch.path("seen"));
    child.start();
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
    EXPECT_EQ(scratch.text("seen"), method() + "\n");
}

std::string method_and_parent() { return mp::get_start_method() + std::to_string(chorus::getppid()); }

TEST_P(StartMethod, a_context_has_pools_and_what_their_tasks_share) {
    mp::set_start_method("spawn", true);
    const auto here = context();
    auto pool = here.Pool(2, {.name = "in_context"});
    EXPECT_EQ(pool.apply(method_and_parent), method() + std::to_string(::getpid()));
    auto small = here.Pool();
    EXPECT_EQ(small.apply(method_here), method());
    EXPECT_THAT(message_of<chorus::UsageError>([&] { here.Pool(1, {.start_method = "none"}); }),
                HasSubstr("keeps its start method, " + method()));
    auto queue = here.Queue<int>(3);
    auto [reader, writer] = here.Pipe({.duplex = false});
    auto lock = here.Lock();
    auto recursive = here.RLock();
    auto condition = here.Condition(lock);
    auto own = here.Condition();
    auto event = here.Event();
    auto permits = here.Semaphore(2);
    auto bounded = here.BoundedSemaphore(2);
    auto barrier = here.Barrier(2);
    auto value = here.Value<int>(3);
    auto array = here.Array<double>(4);
    const auto filled = here.Array({1, 2, 3});
    EXPECT_EQ(filled.size(), 3U);
    auto child = here.Process(
        [](mp::Queue<int> q, mp::Connection w, mp::Lock l, mp::RLock r, mp::Condition c, mp::Condition o,
           mp::Event e, mp::Semaphore s, mp::BoundedSemaphore b, mp::Barrier at, mp::Value<int> v,
           mp::Array<double> a) {
            const std::lock_guard first(l);
            const std::lock_guard second(r);
            const std::lock_guard third(o);
            c.notify_all();
            s.acquire();
            b.acquire();
            v.value() += static_cast<int>(a.size());
            q.put(v.value());
            w.send(1.5);
            e.set();
            at.wait();
        },
        queue, writer, lock, recursive, condition, own, event, permits, bounded, barrier, value, array);
    child.start();
    barrier.wait();
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
    EXPECT_EQ(queue.get(), 7);
    EXPECT_EQ(reader.recv<double>(), 1.5);
    EXPECT_TRUE(event.is_set());
    EXPECT_EQ(permits.get_value() + bounded.get_value(), 2);
}

TEST(AllStartMethods, test_set_get) {
    for (const std::string method : {"fork", "spawn", "forkserver"}) {
        mp::set_start_method(method, true);
        EXPECT_EQ(mp::get_start_method(), method);
        EXPECT_EQ(mp::get_context().get_start_method(), method);
        EXPECT_EQ(mp::run(method_here), method);
        std::ostringstream text;
        text << mp::get_context().Process(nothing);
        const std::string type = method == "fork"    ? "<ForkProcess "
                                 : method == "spawn" ? "<SpawnProcess "
                                                     : "<ForkServerProcess ";
        EXPECT_EQ(text.str().find(type), 0U) << text.str();
    }
    EXPECT_THROW(mp::set_start_method("spawn"), chorus::UsageError) << "it was used already";
    EXPECT_EQ(mp::get_start_method(), "forkserver");
}

TEST(AllStartMethods, test_get_all_start_methods) {
    EXPECT_EQ(mp::get_all_start_methods(), (std::vector<std::string>{"forkserver", "spawn", "fork"}));
    EXPECT_EQ(mp::get_start_method(), "forkserver");
}

TEST(AllStartMethods, an_unknown_one_is_refused_with_those_there_are) {
    for (const auto& message : {message_of<chorus::UsageError>([] { mp::set_start_method("thread", true); }),
                                message_of<chorus::UsageError>([] { mp::get_context("thread"); })}) {
        EXPECT_THAT(message, HasSubstr("\"thread\""));
        for (const auto& known : mp::get_all_start_methods()) EXPECT_THAT(message, HasSubstr(known));
    }
}

int loaded_by = 0;
void load() { loaded_by = ::getpid(); }
int who_loaded() { return loaded_by; }

TEST(ForkServer, test_preload_resources) {
    mp::set_forkserver_preload(load);
    testing::internal::CaptureStderr();
    mp::set_start_method("forkserver", true);
    const int first = mp::run(who_loaded);
    const int second = mp::run(who_loaded);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    EXPECT_GT(first, 0);
    EXPECT_EQ(first, second) << "each child loaded for itself";
    EXPECT_EQ(first, fork_server());
    EXPECT_THROW(mp::set_forkserver_preload(load), chorus::UsageError) << "it runs already";
}

int threads_wanted() {
    const char* const value = std::getenv("THREADS_WANTED");
    return value != nullptr ? std::atoi(value) : 0;
}
const int threads_wanted_before_main = threads_wanted();  // as libraries for linear algebra do
int read_before_main() { return threads_wanted_before_main; }

TEST(ForkServer, can_be_sent_home) {
    mp::set_start_method("forkserver", true);
    mp::stop_forkserver();  // there is none
    EXPECT_EQ(mp::run(read_before_main), 0);
    ::setenv("THREADS_WANTED", "3", 1);
    EXPECT_EQ(mp::run(read_before_main), 0) << "the server read it before";
    mp::stop_forkserver();
    int status = 0;
    EXPECT_EQ(::wait(&status), -1) << "there is a child left";
    EXPECT_EQ(errno, ECHILD);
    EXPECT_EQ(mp::run(read_before_main), 3);
}

void start_a_grandchild(const std::string& method, const std::string& path) {
    auto child = mp::get_context(method).Process(tell, path, "from the grandchild");
    child.start();
    child.join();
    if (child.exitcode() != 0) throw std::runtime_error("the grandchild failed");
}

TEST_P(StartMethod, test_nested_startmethod) {
    const Scratch scratch;
    const auto all = mp::get_all_start_methods();
    for (const auto& inner : all) {
        auto child = context().Process(start_a_grandchild, inner, scratch.path("seen"));
        child.start();
        child.join();
        EXPECT_EQ(child.exitcode(), 0) << "a grandchild by " << inner;
    }
    EXPECT_EQ(scratch.lines("seen"), std::vector<std::string>(all.size(), "from the grandchild"));
}

std::vector<std::string> look_around() {
    const char* flag = std::getenv("CHORUS_TEST_FLAG");
    std::ifstream file("/proc/self/cmdline");
    std::string arguments;
    std::getline(file, arguments);
    struct rlimit limit {};
    ::getrlimit(RLIMIT_CORE, &limit);
    return {flag == nullptr ? "none" : flag, arguments, std::to_string(limit.rlim_cur),
            std::getenv("CHORUS_IMAGE") == nullptr ? "" : "told"};
}
std::vector<std::string> look_around_in_a_child() { return mp::run(look_around); }

TEST_P(StartMethod, test_flags) {
    struct rlimit limit {};
    ::getrlimit(RLIMIT_CORE, &limit);
    const struct rlimit before = limit;
    limit.rlim_cur = 0;
    ::setrlimit(RLIMIT_CORE, &limit);
    ::setenv("CHORUS_TEST_FLAG", "unusual = value\n", 1);
    const auto here = look_around();
    EXPECT_EQ(mp::run(look_around_in_a_child), here);
    ::unsetenv("CHORUS_TEST_FLAG");
    ::setrlimit(RLIMIT_CORE, &before);
}

std::string image() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

TEST_P(StartMethod, test_set_executable) {
    // A copy of this very build: a child that runs from it is one that obeyed.
    const Scratch scratch;
    const std::string copy = scratch.path("copy of the program");
    std::filesystem::copy_file("/proc/self/exe", copy);
    mp::set_executable(copy);
    const std::string seen = mp::run(image);
    EXPECT_EQ(seen, method() == "fork" ? image() : copy);
    mp::set_executable("/proc/self/exe");
}

TEST_P(FreshStart, another_build_is_refused_with_both_build_ids) {
    mp::set_executable(test_program("other_build"));
    const std::string message = message_of<chorus::BinaryMismatch>([] { mp::run(image); });
    mp::set_executable("/proc/self/exe");
    const auto build_id_of = [](const std::string& path) {
        const auto notes = run_program({"readelf", "-n", path}).out;
        const std::string mark = "Build ID: ";
        const auto at = notes.find(mark);
        // A linker's own choice: GNU's writes 40 digits, lld 16.
        const auto begin = at + mark.size();
        return at == std::string::npos ? "no build id in " + path
                                       : notes.substr(begin, notes.find('\n', begin) - begin);
    };
    EXPECT_THAT(message, HasSubstr(build_id_of(image())));
    EXPECT_THAT(message, HasSubstr(build_id_of(test_program("other_build"))));
}

TEST_P(FreshStart, an_executable_that_is_none_is_an_error_of_start) {
    mp::set_executable("/does/not/exist");
    auto child = context().Process(nothing);
    EXPECT_THAT(message_of<chorus::OsError>([&] { child.start(); }), HasSubstr("/does/not/exist"));
    EXPECT_TRUE(mp::active_children().empty());
    mp::set_executable("/proc/self/exe");
    child.start();
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
}

std::vector<std::string> open_here() {
    std::vector<std::string> targets;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code error;
        targets.push_back(std::filesystem::read_symlink(entry.path(), error).string());
    }
    return targets;
}
std::size_t count_open_here() { return open_here().size(); }

TEST_P(FreshStart, test_child_fd_inflation) {
    const Scratch scratch;
    const Gate never(scratch, "never");
    const std::size_t alone = mp::run(count_open_here);
    std::vector<mp::Process> siblings;
    for (int i = 0; i < 8; ++i) {
        siblings.push_back(context().Process({.daemon = true}, wait_at_gate, never.path()));
        siblings.back().start();
    }
    EXPECT_EQ(mp::run(count_open_here), alone);
    for (auto& sibling : siblings) {
        sibling.kill();
        sibling.join();
    }
}

TEST_P(FreshStart, test_closefd) {
    const Scratch scratch;
    tell(scratch.path("not for the child"), "text");
    // Before the fork server is there and after it; none of them close-on-exec.
    const int early = ::open(scratch.path("not for the child").c_str(), O_RDONLY);
    mp::run(nothing);
    const int late = ::open(scratch.path("not for the child").c_str(), O_RDONLY);
    struct rlimit limit {};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const int high = ::fcntl(late, F_DUPFD, static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 1024)) - 1);
    ASSERT_GT(high, 500);
    const auto seen = mp::run(open_here);
    for (const auto& target : seen) EXPECT_THAT(target, testing::Not(HasSubstr("not for the child")));
    for (const int file : {early, late, high}) ::close(file);
}

TEST(ForkedChild, keeps_the_descriptors_as_after_fork) {
    const Scratch scratch;
    const int file = ::open(scratch.path("shared").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    mp::ForkProcess child([file] { [[maybe_unused]] const auto size = ::write(file, "by the child", 12); });
    child.start();
    child.join();
    ::close(file);
    EXPECT_EQ(scratch.text("shared"), "by the child");
}

TEST_P(StartMethod, test_forkserver_sigkill) {
    const int server = fork_server();
    ASSERT_GT(server, 0);
    const Scratch scratch;
    const Gate here(scratch, "here");
    const Gate go_on(scratch, "go on");
    auto survivor = context().Process(meet_at_gates, here.path(), go_on.path());
    survivor.start();
    ASSERT_TRUE(here.wait());
    ::kill(server, SIGKILL);
    ASSERT_TRUE(wait_until_gone(server, 20s));

    auto next = context().Process(nothing);
    next.start();
    next.join();
    EXPECT_EQ(next.exitcode(), 0);
    EXPECT_TRUE(survivor.is_alive()) << "the child died with its fork server";
    go_on.pass();
    survivor.join();
    EXPECT_EQ(survivor.exitcode(), 0);
    EXPECT_NE(fork_server(), server);
}

TEST(ForkServer, killed_while_it_is_asked_loses_and_doubles_nothing) {
    const Scratch scratch;
    mp::set_start_method("forkserver", true);
    constexpr int count = rounds(40);
    std::vector<std::string> told;
    for (int i = 0; i < count; ++i) {
        const int server = fork_server();
        ASSERT_GT(server, 0);
        std::atomic<bool> asking{false};
        // A little later each time, to meet each step of the start.
        std::thread killer([&] {
            while (!asking) {
            }
            const auto when = std::chrono::steady_clock::now() + std::chrono::microseconds(i * 480 / count);
            while (std::chrono::steady_clock::now() < when) {
            }
            ::kill(server, SIGKILL);
        });
        mp::Process child(tell, scratch.path("seen"), std::to_string(i));
        asking = true;
        child.start();
        child.join();
        killer.join();
        EXPECT_EQ(child.exitcode(), 0);
        told.push_back(std::to_string(i));
        ASSERT_TRUE(wait_until_gone(server, 20s));
    }
    EXPECT_EQ(scratch.lines("seen"), told);
}

// ---- a true child ------------------------------------------------------------------------------

int parent_as_the_system_says() { return ::getppid(); }

TEST_P(StartMethod, child_is_a_true_child) {
    EXPECT_EQ(mp::run(parent_as_the_system_says), ::getpid());
    std::thread([] { EXPECT_EQ(mp::run(parent_as_the_system_says), ::getpid()); }).join();
    const Scratch scratch;
    auto child = context().Process([] { std::exit(21); });
    child.start();
    siginfo_t info{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WEXITED | WNOWAIT), 0);
    EXPECT_EQ(info.si_pid, child.pid());
    EXPECT_EQ(info.si_code, CLD_EXITED);
    EXPECT_EQ(info.si_status, 21);
    child.join();
    EXPECT_EQ(child.exitcode(), 21);
    EXPECT_EQ(::waitpid(child.pid(), nullptr, WNOHANG), -1) << "a zombie is left";
}

int process_group_here() { return ::getpgrp(); }
int session_here() { return ::getsid(0); }
int new_privileges_renounced_here() { return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); }

std::vector<unsigned> users_and_groups_here() {
    std::vector<unsigned> ids(6);
    ::getresuid(&ids[0], &ids[1], &ids[2]);
    ::getresgid(&ids[3], &ids[4], &ids[5]);
    return ids;
}

// A program that gives something up after its first start must not be served with it any longer.
TEST_P(StartMethod, what_the_starter_has_given_up_its_children_do_not_have) {
    // From a group of its own into the one that all tests share, and not the other way: the last of a group
    // with a parent in another one leaves it an orphan when it ends, and one with a stopped process in it, as
    // other tests have, is hung up by the system.
    const int shared = ::getpgrp();
    ASSERT_EQ(::setpgid(0, 0), 0);
    EXPECT_EQ(mp::run(process_group_here), ::getpid());
    ASSERT_EQ(::setpgid(0, shared), 0);
    EXPECT_EQ(mp::run(process_group_here), shared);
    EXPECT_EQ(mp::run(session_here), ::getsid(0));

    ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    EXPECT_EQ(mp::run(new_privileges_renounced_here), 1);

    if (::getuid() != 0) return;  // the rest needs something to give up
    constexpr unsigned nobody = 65534;
    ASSERT_EQ(::setresgid(nobody, nobody, nobody), 0);
    ASSERT_EQ(::setresuid(nobody, nobody, nobody), 0);
    EXPECT_EQ(mp::run(users_and_groups_here), std::vector<unsigned>(6, nobody));
}

int static_number = 1;
int read_static_number() { return static_number; }

TEST_P(StartMethod, static_state_is_fresh_but_after_fork) {
    static_number = 2;
    EXPECT_EQ(mp::run(read_static_number), method() == "fork" ? 2 : 1);
    static_number = 1;
}

// ---- what surrounds the child ------------------------------------------------------------------

std::vector<std::string> surroundings() {
    const char* variable = std::getenv("CHORUS_TEST_LATER");
    return {variable == nullptr ? "unset" : variable, std::filesystem::current_path().string(),
            std::getenv("HOME") == nullptr ? "unset" : "set"};
}

TEST_P(StartMethod, later_changes_of_environment_and_directory_reach_the_child) {
    mp::run(nothing);  // the fork server is there, with the surroundings of now
    const Scratch scratch;
    const auto before = std::filesystem::current_path();
    const std::string home = std::getenv("HOME") == nullptr ? "" : std::getenv("HOME");
    ::setenv("CHORUS_TEST_LATER", "set later", 1);
    ::unsetenv("HOME");
    std::filesystem::current_path(scratch.path("."));
    const auto expected = surroundings();
    EXPECT_EQ(mp::run(surroundings), expected);
    std::filesystem::current_path(before);
    ::unsetenv("CHORUS_TEST_LATER");
    if (!home.empty()) ::setenv("HOME", home.c_str(), 1);
    EXPECT_EQ(mp::run(surroundings)[0], "unset");
}

void write_by_each_stream() {
    std::printf("printf ");
    std::cout << "cout ";
    std::fflush(stdout);
    std::cout.flush();
    std::cerr << "cerr";
}

TEST_P(StartMethod, redirected_streams_reach_the_child) {
    mp::run(nothing);
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    mp::run(write_by_each_stream);
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "printf cout ");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "cerr");
}

// ---- signals and the caller's own children -----------------------------------------------------

std::vector<int> blocked_signals() {
    sigset_t set;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &set);
    std::vector<int> blocked;
    for (int signal = 1; signal < NSIG; ++signal) {
        if (sigismember(&set, signal) == 1) blocked.push_back(signal);
    }
    return blocked;
}

TEST_P(StartMethod, signal_masks_are_left_alone_and_inherited) {
    sigset_t set;
    sigset_t before;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGCHLD);
    ::pthread_sigmask(SIG_SETMASK, &set, &before);
    const auto expected = blocked_signals();
    EXPECT_EQ(mp::run(blocked_signals), expected);
    EXPECT_EQ(blocked_signals(), expected);
    EXPECT_EQ(mp::async(blocked_signals).get(), expected);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    EXPECT_EQ(mp::run(blocked_signals), blocked_signals());
}

TEST_P(StartMethod, the_callers_own_children_are_left_to_it) {
    struct sigaction before {};
    ::sigaction(SIGCHLD, nullptr, &before);
    const int own = ::fork();
    if (own == 0) ::_exit(33);
    for (int i = 0; i < 3; ++i) {
        auto child = context().Process(nothing);
        child.start();
        child.join();
        EXPECT_EQ(child.exitcode(), 0);
        mp::active_children();
    }
    int status = 0;
    EXPECT_EQ(::waitpid(own, &status, 0), own) << "the library collected a child that is not its own";
    EXPECT_EQ(WEXITSTATUS(status), 33);
    struct sigaction after {};
    ::sigaction(SIGCHLD, nullptr, &after);
    EXPECT_EQ(after.sa_handler, before.sa_handler);
}

// ---- starting while other threads run ----------------------------------------------------------

int allocate_and_add() {
    std::vector<std::string> texts;
    for (int i = 0; i < 1000; ++i) texts.push_back(std::string(static_cast<std::size_t>(i), 'x'));
    return static_cast<int>(texts.size());
}

TEST_P(FreshStart, start_is_safe_while_other_threads_hold_locks) {
    std::atomic<bool> done{false};
    std::mutex own;
    std::vector<std::thread> busy;
    for (int i = 0; i < 6; ++i) {
        busy.emplace_back([&, i] {
            while (!done) {
                std::vector<std::string> texts(50, std::string(static_cast<std::size_t>(200 + i), 'x'));
                const std::lock_guard guard(own);
                std::fputs("", stdout);
                const std::locale locale("C");
            }
        });
    }
    // A lock that is held all the time, and one that changes hands.
    std::mutex held;
    const std::lock_guard guard(held);
    for (int i = 0; i < 15; ++i) EXPECT_EQ(mp::run({.timeout = 30s}, allocate_and_add), 1000);
    done = true;
    for (auto& thread : busy) thread.join();
}

}  // namespace

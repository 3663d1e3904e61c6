// How processes and programs end: what is joined, what is ended, and what happens to text in buffers.
//
// Most cases are programs of their own, since the end of a program is what they look at.
#include <algorithm>
#include <csignal>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <support/run_program.hpp>
#include <support/start_methods.hpp>
#include <worker/scratch.hpp>

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

class Lifetime : public EachStartMethod {
protected:
    static ProgramResult run_ending(const std::string& which, const std::string& path = "") {
        return run_program({test_program("endings"), which, method(), path});
    }
};
FOR_EACH_START_METHOD(Lifetime);

// ---- what is joined ----------------------------------------------------------------------------

TEST_P(Lifetime, test_wait_for_threads) {
    const auto result = run_ending("wait_for_threads");
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.err, "");
    EXPECT_THAT(result.lines(), ElementsAre("the child's main code ends",
                                            "a thread, after main's code had ended", "exit code 0"));
}

// The rows 1 to 3 of ThreadJoinOnShutdown: in the main process, in a child, in a child of a thread.
TEST(ProgramEnd, test_1_join_on_shutdown) {
    const auto result = run_program({test_program("endings"), "join_on_shutdown"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.lines(),
                ElementsAre("the child's main code ends", "a thread, after main's code had ended"));
}
TEST_P(Lifetime, test_2_join_in_forked_process) {
    const auto result = run_ending("wait_for_threads");
    EXPECT_THAT(result.lines(), ElementsAre("the child's main code ends",
                                            "a thread, after main's code had ended", "exit code 0"));
}
TEST_P(Lifetime, test_3_join_in_forked_from_thread) {
    const auto result = run_ending("join_in_child_from_thread");
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.lines(), ElementsAre("the child's main code ends",
                                            "a thread, after main's code had ended", "exit code 0"));
}

TEST_P(Lifetime, processes_whose_handle_was_dropped_are_joined_at_exit) {
    const auto result = run_ending("dropped");
    EXPECT_EQ(result.exit_code, 7);
    EXPECT_THAT(result.lines(), ElementsAre("the parent is there", "the parent is there",
                                            "the parent is there", "the parent is there"));
}

TEST_P(Lifetime, a_child_too_joins_its_children_at_exit) {
    const auto result = run_ending("dropped_in_child");
    EXPECT_EQ(result.exit_code, 4);
    EXPECT_THAT(result.lines(), ElementsAre("the parent is there"));
}

TEST_P(Lifetime, test_interpreter_shutdown) {
    const auto result = run_ending("running_task");
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.lines(), ElementsAre("the parent is there", "the task gave 5"));
}

TEST(ProgramEnd, test_finalization_shutdown) {
    const auto result = run_program({test_program("endings"), "thread_local_destructors"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.lines(), ElementsAre("a thread's own object is destroyed", "handlers of exit"));
}

TEST(ProgramEnd, test_finalize_running_thread) {
    const auto result = run_program({test_program("endings"), "exit_with_running_thread"});
    EXPECT_EQ(result.exit_code, 20);
    EXPECT_EQ(result.err, "");
}

// ---- handlers of exit --------------------------------------------------------------------------

TEST_P(Lifetime, test_atexit) {
    const auto result = run_ending("atexit_handlers");
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.lines(),
                ElementsAre("handler in child", "handler in child", "handler in MainProcess"));
}

TEST_P(Lifetime, test_atexit_called_once) {
    const auto result = run_ending("atexit_called_once");
    EXPECT_EQ(result.exit_code, 0);
    // What is registered before the start is the parent's; a child by fork has its copy, as after fork().
    auto lines = result.lines();
    EXPECT_EQ(std::count(lines.begin(), lines.end(), "handler in MainProcess"), 1);
    EXPECT_EQ(lines.back(), "handler in MainProcess") << "it ran before the threads had ended";
}

TEST_P(Lifetime, test_start_new_thread_at_finalization) {
    const auto result = run_ending("start_at_finalization");
    EXPECT_EQ(result.exit_code, 0);
    const auto lines = result.lines();
    ASSERT_EQ(lines.size(), 4U) << result.out;
    for (const auto& line : lines) {
        EXPECT_THAT(line, HasSubstr(" refused: "));
        EXPECT_THAT(line, HasSubstr("the program is ending"));
    }
}

TEST_P(Lifetime, test_submit_after_interpreter_shutdown) {
    EXPECT_THAT(run_ending("start_at_finalization").out, HasSubstr("async refused: "));
}

TEST(ProgramEnd, test_join_daemon_thread_in_finalization) {
    const auto result = run_program({test_program("endings"), "join_daemon_in_finalization"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.out, HasSubstr("join refused: "));
}

TEST(ProgramEnd, test_join_finished_daemon_thread_in_finalization) {
    const auto result = run_program({test_program("endings"), "join_finished_daemon_in_finalization"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.lines(), ElementsAre("joined: true"));
}

TEST(ProgramEnd, test_4_daemon_threads) {
    const auto result = run_program({test_program("endings"), "daemon_threads"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.err, "");
    EXPECT_EQ(result.out, "the static object is destroyed\n");
}

// A daemon thread that is halted inside malloc would hold its lock indefinitely.
TEST(ProgramEnd, daemons_allocate_by_the_programs_own_malloc) {
    const auto result = run_program({test_program("own_allocator")});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.err, "");
    EXPECT_EQ(result.out, "returned from main\n");
}

TEST_P(Lifetime, busy_daemon_threads_of_a_child_do_not_disturb_its_end) {
    const auto result = run_ending("daemon_threads_in_child");
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.err, "");
    // Only a spawned child made its statics itself; the others leave them to the process they copy.
    EXPECT_EQ(result.out, method() == "spawn" ? "the static object is destroyed\n" : "");
}

// ---- daemons and their parent's death ----------------------------------------------------------

using TreeCase = std::tuple<const char*, const char*>;
std::string name_of_tree(const testing::TestParamInfo<TreeCase>& info) {
    const std::string ending = std::get<1>(info.param);
    return std::string(std::get<0>(info.param)) + "_" + (ending == "_exit" ? "exit_at_once" : ending);
}

class Trees : public testing::TestWithParam<TreeCase> {};
INSTANTIATE_TEST_SUITE_P(by, Trees,
                         testing::Combine(testing::Values("forkserver", "spawn", "fork"),
                                          testing::Values("SIGKILL", "abort", "exception", "_exit",
                                                          "quick_exit", "exit", "return", "deaf")),
                         name_of_tree);

TEST_P(Trees, of_daemons_end_with_their_root) {
    const auto [method, ending] = GetParam();
    const Scratch scratch;
    const Gate gate(scratch, "gate");
    // The descendants hold the program's streams: it is over when all of them are.
    const auto result =
        run_program({test_program("trees"), method, ending, scratch.path("pids"), gate.path()});
    EXPECT_LT(result.took, 45s) << "some lived on until their own alarm";
    const std::map<std::string, int> codes{
        {"SIGKILL", -SIGKILL}, {"abort", -SIGABRT}, {"exception", -SIGABRT}};
    const auto code = codes.find(ending);
    EXPECT_EQ(result.exit_code, code == codes.end() ? 0 : code->second);
    const auto pids = scratch.lines("pids");
    EXPECT_EQ(std::set<std::string>(pids.begin(), pids.end()).size(),
              std::string(ending) == "return" || std::string(ending) == "exit" ? 15U : 16U);
    for (const auto& pid : pids)
        EXPECT_TRUE(wait_until_gone(std::stoi(pid), 20s)) << pid << " outlived the program that started it";
}

// ---- text in buffers ---------------------------------------------------------------------------

using BufferCase = std::tuple<const char*, const char*, const char*>;
std::string name_of_buffers(const testing::TestParamInfo<BufferCase>& info) {
    std::string name =
        std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param) + "_" + std::get<2>(info.param);
    for (char& c : name) c = c == ' ' ? '_' : c;
    return name;
}

class Buffers : public testing::TestWithParam<BufferCase> {};
INSTANTIATE_TEST_SUITE_P(by, Buffers,
                         testing::Combine(testing::Values("forkserver", "spawn", "fork"),
                                          testing::Values("cout", "printf", "clog"),
                                          testing::Values("return", "exit", "exit in a thread", "exception",
                                                          "SystemExit")),
                         name_of_buffers);

TEST_P(Buffers, are_neither_lost_nor_doubled) {
    const auto [method, writer, leaving] = GetParam();
    const auto result = run_program({test_program("exits"), method, writer, leaving});
    EXPECT_EQ(result.exit_code, 3);
    const std::string way = leaving;
    const std::string code = way == "return" ? "0" : way == "exception" ? "1" : "3";
    const auto count = [&](const std::string& piece) {
        int found = 0;
        for (auto at = result.out.find(piece); at != std::string::npos; at = result.out.find(piece, at + 1))
            ++found;
        return found;
    };
    EXPECT_EQ(count("<before the start>"), 1) << result.out;
    EXPECT_EQ(count("<by the child>"), 1) << result.out;
    EXPECT_EQ(count("<after the start>"), 1) << result.out;
    EXPECT_EQ(count("<after the join, exit code " + code + ">"), 1) << result.out;
    EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '<'), 4) << result.out;
}

// ---- streams -----------------------------------------------------------------------------------

TEST_P(Lifetime, test_error_on_stdio_flush_1) {
    const Scratch scratch;
    const auto result = run_program({"sh", "-c", "exec \"$@\" <&- >&- 2>&-", "sh", test_program("endings"),
                                     "closed_streams", method(), scratch.path("told")});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(scratch.lines("told"), ElementsAre("closed closed closed ", "exit code 0",
                                                   "closed closed closed ", "exit code 0", "exit code 1"));
}

TEST_P(Lifetime, closed_one_by_one_the_other_streams_are_the_childs_too) {
    const std::vector<std::pair<std::string, std::string>> cases{{"<&-", "closed open open "},
                                                                 {">&-", "open closed open "},
                                                                 {"2>&-", "open open closed "},
                                                                 {"<&- 2>&-", "closed open closed "}};
    for (const auto& [redirection, expected] : cases) {
        const Scratch scratch;
        const auto result =
            run_program({"sh", "-c", "exec \"$@\" " + redirection, "sh", test_program("endings"),
                         "closed_streams", method(), scratch.path("told")});
        EXPECT_EQ(result.exit_code, 0);
        EXPECT_THAT(scratch.lines("told"),
                    ElementsAre(expected, "exit code 0", expected, "exit code 0", "exit code 1"))
            << redirection;
        if (expected.find("open open") == 0) {
            EXPECT_EQ(result.out.size(), 2 * std::string("printfcoutprint\n").size()) << result.out;
        }
    }
}

TEST_P(Lifetime, test_error_on_stdio_flush_2) {
    const auto result = run_ending("broken_streams");
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.out, "exit code 0\n");
}

// ---- start from where none may be --------------------------------------------------------------

TEST_P(Lifetime, test_noforkbomb) {
    const auto result = run_program({test_program("static_start"), method()});
    EXPECT_EQ(result.exit_code, 0);
    const auto lines = result.lines();
    ASSERT_EQ(lines.size(), 2U) << result.out;
    const std::string why = "a process can only be started after main has begun";
    EXPECT_EQ(lines[0].find("main: " + why), 0U) << lines[0];
    EXPECT_EQ(lines[1].find("child: " + why), 0U) << lines[1];
}

TEST(ProgramStart, an_uncaught_start_from_a_static_constructor_ends_the_program_with_the_reason) {
    const auto result =
        run_program({"env", "CHORUS_TEST_UNCAUGHT=1", test_program("static_start"), "forkserver"});
    EXPECT_EQ(result.exit_code, -SIGABRT);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, HasSubstr("a process can only be started after main has begun"));
}

// ---- limits ------------------------------------------------------------------------------------

TEST_P(Lifetime, no_more_processes_is_an_error_that_names_the_limit_and_leaves_no_ghost) {
    const auto result = run_ending("no_more_processes");
    ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
    const auto lines = result.lines();
    ASSERT_EQ(lines.size(), 4U) << result.out;
    EXPECT_THAT(lines[0], HasSubstr("1 processes and threads of this user (RLIMIT_NPROC"));
    EXPECT_EQ(lines[1], "children: 0 alive: false");
    EXPECT_EQ(lines[2], "it ran");
    EXPECT_EQ(lines[3], "exit code 0");
}

// ---- print -------------------------------------------------------------------------------------

// Whole lines, and those of one worker in their order.
void expect_whole_lines(const std::vector<std::string>& lines) {
    ASSERT_EQ(lines.size(), 8U * 4 * 3);
    std::map<std::string, int> next;
    for (const auto& line : lines) {
        const std::string worker = line.substr(0, 3);
        const std::string number = line.substr(4, 1);
        EXPECT_EQ(number, std::to_string(next[worker]++)) << "worker " << worker;
        const std::string expected(100'000, static_cast<char>('a' + (line[2] - '0')));
        EXPECT_TRUE(line.substr(6) == expected) << "a line of " << worker << " is torn";
    }
    EXPECT_EQ(next.size(), 32U);
}

TEST_P(Lifetime, printed_lines_are_whole_in_a_pipe) {
    const auto result = run_ending("print_from_all");
    EXPECT_EQ(result.exit_code, 0);
    expect_whole_lines(result.lines());
}

TEST_P(Lifetime, printed_lines_are_whole_in_a_file) {
    const Scratch scratch;
    const auto result = run_program({"sh", "-c", "exec \"$@\" > " + scratch.path("out"), "sh",
                                     test_program("endings"), "print_from_all", method()});
    EXPECT_EQ(result.exit_code, 0);
    expect_whole_lines(scratch.lines("out"));
}

// ---- after fork --------------------------------------------------------------------------------

/// Runs the function in a copy of this process and returns its answer.
template <class Function>
std::string answer_of_fork(Function function) {
    const Scratch scratch;
    mp::ForkProcess child([&] { tell(scratch.path("answer"), function()); });
    child.start();
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
    return scratch.text("answer");
}

std::string who_is_here() {
    const auto main = mt::main_thread();
    std::ostringstream text;
    text << mt::active_count() << " threads, main is " << main.name()
         << (main.is_alive() ? ", alive" : ", not alive")
         << (main == mt::current_thread() ? ", here" : ", elsewhere")
         << (main.ident() == mt::get_ident() ? "" : ", ident differs")
         << (main.native_id() == mt::get_native_id() ? "" : ", native id differs")
         << (main.daemon() ? ", daemon" : "");
    return text.str();
}

struct Companions {
    Companions() {
        for (int i = 0; i < 3; ++i) {
            threads.emplace_back(wait_at_gate, gate.path());
            threads.back().start();
        }
    }
    ~Companions() {
        gate.pass(3);
        for (auto& thread : threads) thread.join();
    }
    const Scratch scratch;
    const Gate gate{scratch, "gate"};
    std::vector<mt::Thread> threads;
};

TEST(AfterFork, test_dummy_thread_after_fork) {
    const Companions companions;
    std::thread foreign([] {
        mt::current_thread();  // makes it known
        EXPECT_EQ(answer_of_fork([] { return std::to_string(mt::active_count()); }), "1\n");
    });
    foreign.join();
}

TEST(AfterFork, test_main_thread_after_fork) {
    const Companions companions;
    EXPECT_EQ(answer_of_fork(who_is_here), "1 threads, main is MainThread, alive, here\n");
}

TEST(AfterFork, test_main_thread_after_fork_from_nonmain_thread) {
    const Companions companions;
    mt::Thread thread({.name = "forker"}, [] {
        EXPECT_EQ(answer_of_fork(who_is_here), "1 threads, main is forker, alive, here\n");
    });
    thread.start();
    thread.join();
}

TEST(AfterFork, test_main_thread_after_fork_from_foreign_thread) {
    const Companions companions;
    std::thread foreign([] {
        const std::string answer = answer_of_fork(who_is_here);
        EXPECT_EQ(answer.find("1 threads, main is "), 0U) << answer;
        EXPECT_THAT(answer, HasSubstr(", alive, here"));
    });
    foreign.join();
}

TEST(AfterFork, test_clear_threads_states_after_fork) {
    const Companions companions;
    const std::string answer = answer_of_fork([&] {
        std::string text;
        for (const auto& thread : companions.threads) text += thread.is_alive() ? "alive " : "stopped ";
        return text + std::to_string(mt::enumerate().size());
    });
    EXPECT_EQ(answer, "stopped stopped stopped 1\n");
    for (const auto& thread : companions.threads) EXPECT_TRUE(thread.is_alive());
}

TEST(AfterFork, test_process_fork_from_a_thread) {
    const Companions companions;
    mt::Thread thread([] {
        mp::ForkProcess child([] {});
        child.start();
        child.join();
        EXPECT_EQ(child.exitcode(), 0);
    });
    thread.start();
    thread.join();
}

TEST(AfterFork, a_forked_child_may_start_threads_and_processes_of_each_method) {
    const Companions companions;
    mp::run([] {});  // the parent's fork server is there, and must not be the child's
    const std::string answer = answer_of_fork([] {
        int sum = 0;
        mt::Thread thread([&] { sum += 1; });
        thread.start();
        thread.join();
        for (const auto& method : mp::get_all_start_methods()) {
            mp::set_start_method(method, true);
            if (mp::run([] { return ::getppid(); }) == ::getpid()) sum += 10;
        }
        return std::to_string(sum);
    });
    EXPECT_EQ(answer, "31\n");
}

}  // namespace

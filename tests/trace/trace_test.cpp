// The trace: every event is there, whole, and of the right worker, for each start method.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <support/run_program.hpp>
#include <support/start_methods.hpp>

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::UnorderedElementsAre;
using Json = nlohmann::json;

namespace {

/// A folder that is gone with the test.
class Folder {
public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "chorus-trace-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
        path_ = name;
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

std::string content(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// Each line by itself, as they were written.
std::vector<Json> events_in(const std::filesystem::path& path) {
    std::istringstream file(content(path));
    std::string line;
    std::getline(file, line);
    EXPECT_EQ(line, "[");
    std::vector<Json> events;
    while (std::getline(file, line)) {
        EXPECT_TRUE(line.ends_with("},")) << line;
        if (line.ends_with(",")) line.pop_back();
        events.push_back(Json::parse(line));
        for (const auto* key : {"ph", "ts", "pid", "tid"}) EXPECT_TRUE(events.back().contains(key)) << line;
    }
    return events;
}

std::string of(const Json& event, const char* key) { return event.value(key, ""); }

struct Traced {
    std::vector<Json> events;
    ProgramResult result;

    std::vector<std::string> names(const std::string& phase, const std::string& kind) const {
        std::vector<std::string> found;
        for (const auto& event : events) {
            if (of(event, "ph") == phase && of(event, "cat") == kind) found.push_back(of(event, "name"));
        }
        return found;
    }
    std::vector<std::string> named(const std::string& what) const {
        std::vector<std::string> found;
        for (const auto& event : events) {
            if (of(event, "name") == what) found.push_back(event["args"]["name"]);
        }
        return found;
    }
    const Json& only(const std::string& name) const {
        const Json* found = nullptr;
        for (const auto& event : events) {
            if (of(event, "name") != name) continue;
            EXPECT_EQ(found, nullptr) << "more than one " << name;
            found = &event;
        }
        if (found == nullptr) throw std::runtime_error("no " + name);
        return *found;
    }
    /// Names of spans that no E ends, and "an E too many" for those.
    std::vector<std::string> unended() const {
        std::map<std::pair<int, int>, std::vector<std::string>> open;
        std::vector<std::string> names;
        for (const auto& event : events) {
            auto& spans = open[{event["pid"], event["tid"]}];
            if (of(event, "ph") == "B") spans.push_back(event["name"]);
            if (of(event, "ph") != "E") continue;
            if (spans.empty()) {
                names.emplace_back("an E too many");
            } else {
                spans.pop_back();
            }
        }
        for (const auto& [thread, spans] : open) names.insert(names.end(), spans.begin(), spans.end());
        return names;
    }
};

class Trace : public EachStartMethod {
protected:
    std::filesystem::path file() const { return folder_ / "run.json"; }
    ProgramResult run(const std::string& which, const std::string& path) const {
        return run_program({"env", "CHORUS_TRACE=" + path, test_program("traced"), method(), which});
    }
    Traced trace(const std::string& which) const {
        Traced traced;
        traced.result = run(which, file().string());
        traced.events = events_in(file());
        return traced;
    }
    const Folder folder_;
};
FOR_EACH_START_METHOD(Trace);

// ---- the workers --------------------------------------------------------------------------------

TEST_P(Trace, tells_of_processes_and_threads) {
    const auto traced = trace("workers");
    EXPECT_EQ(traced.result.err, "");
    EXPECT_EQ(traced.names("B", "run"), (std::vector<std::string>{"main", "sing", "sing", "sing"}));
    EXPECT_THAT(traced.unended(), IsEmpty());
    EXPECT_THAT(traced.named("process_name"), ElementsAre("MainProcess", "Process-1"));
    EXPECT_THAT(traced.named("thread_name"),
                ElementsAre("MainThread", "MainThread", "Thread-1 (sing)", "a \"name\"\n?"));
    EXPECT_EQ(traced.only("chorus_trace")["args"]["program"], test_program("traced"));
    std::set<int> processes;
    for (const auto& event : traced.events) processes.insert(event["pid"].get<int>());
    EXPECT_EQ(processes.size(), 2U);
}

TEST_P(Trace, knows_whose_child_it_is) {
    const auto traced = trace("workers");
    const int first = traced.only("chorus_trace")["pid"];
    const int child = traced.only("start Process-1")["args"]["pid"];
    for (const auto& event : traced.events) {
        if (of(event, "name") != "process_name") continue;
        EXPECT_EQ(event["args"]["parent"], event["pid"] == first ? 0 : first);
        EXPECT_THAT((std::set<int>{first, child}), Contains(event["pid"].get<int>()));
    }
}

TEST_P(Trace, times_go_up_in_each_thread) {
    const auto traced = trace("pool");
    std::map<std::pair<int, int>, double> last;
    for (const auto& event : traced.events) {
        if (of(event, "name") == "ended") continue;  // said by another process
        double& before = last[{event["pid"], event["tid"]}];
        EXPECT_GE(event["ts"].get<double>(), before);
        before = event["ts"];
    }
}

// ---- tasks --------------------------------------------------------------------------------------

void expect_tasks(const Traced& traced) {
    EXPECT_THAT(traced.names("B", "task"),
                UnorderedElementsAre("square", "square", "square", "throw_something"));
    EXPECT_EQ(traced.names("i", "task"),
              (std::vector<std::string>{"submit square", "submit square", "submit square",
                                        "submit throw_something"}));
    EXPECT_THAT(traced.unended(), IsEmpty());
    std::map<std::string, std::multiset<std::int64_t>> ends;
    std::multiset<int> numbers;
    for (const auto& event : traced.events) {
        if (of(event, "ph") == "s" || of(event, "ph") == "f")
            ends[event["ph"]].insert(event["id"].get<std::int64_t>());
        if (of(event, "ph") == "B" && of(event, "cat") == "task")
            numbers.insert(event["args"]["task"].get<int>());
    }
    EXPECT_EQ(ends["s"].size(), 4U);
    EXPECT_EQ(ends["s"], ends["f"]);
    EXPECT_THAT(numbers, ElementsAre(1, 2, 3, 4));
}

TEST_P(Trace, tells_of_tasks_in_processes) {
    const auto traced = trace("pool");
    expect_tasks(traced);
    const int first = traced.only("chorus_trace")["pid"];
    for (const auto& event : traced.events) {
        const bool is_task = of(event, "ph") == "B" && of(event, "cat") == "task";
        EXPECT_FALSE(is_task && event["pid"] == first);
    }
}

TEST_P(Trace, tells_of_tasks_in_threads) { expect_tasks(trace("thread_pool")); }

// ---- ends ---------------------------------------------------------------------------------------

TEST_P(Trace, a_killed_child_has_begun_and_is_told_dead) {
    const auto traced = trace("killed");
    EXPECT_THAT(traced.unended(), Contains("tell_and_wait"));  // and the wait, if it was killed in it
    EXPECT_THAT(traced.unended(), testing::Not(Contains("main")));
    const auto& death = traced.only("died");
    EXPECT_EQ(death["args"]["story"], "killed by SIGKILL");
    EXPECT_EQ(death["pid"], traced.only("tell_and_wait")["pid"]);
}

TEST_P(Trace, a_crash_is_told_with_its_place) {
    const auto traced = trace("crashed");
    EXPECT_THAT(traced.unended(), ElementsAre("fall"));
    EXPECT_THAT(traced.only("died")["args"]["story"].get<std::string>(), HasSubstr("killed by SIGSEGV in "));
    EXPECT_EQ(traced.only("died")["pid"], traced.only("fall")["pid"]);
}

TEST_P(Trace, a_crash_ends_the_tasks_worker) {
    const auto traced = trace("crashed_in_pool");
    const auto& task = traced.only("fall");
    EXPECT_EQ(of(task, "cat"), "task");
    EXPECT_EQ(traced.only("died")["pid"], task["pid"]);
    EXPECT_THAT(traced.unended(), Contains("fall"));
}

TEST_P(Trace, exit_ends_the_spans_of_who_calls_it) {
    const auto traced = trace("exits");
    EXPECT_EQ(traced.result.exit_code, 5);
    EXPECT_THAT(traced.unended(), ElementsAre("leave_at_once"));
    std::vector<int> codes;
    for (const auto& event : traced.events) {
        if (of(event, "name") == "ended") codes.push_back(event["args"]["exitcode"]);
    }
    EXPECT_THAT(codes, ElementsAre(3, 4));
}

TEST_P(Trace, a_copy_made_by_the_program_itself_is_another_process) {
    const auto traced = trace("plain_fork");
    EXPECT_THAT(traced.unended(), IsEmpty());
    EXPECT_NE(traced.only("sing")["pid"], traced.only("main")["pid"]);
}

// ---- waits and messages -------------------------------------------------------------------------

TEST_P(Trace, tells_of_waits_that_block) {
    const auto all = IsSupersetOf({"Lock.acquire", "Semaphore.acquire", "Event.wait", "Condition.wait",
                                   "Barrier.wait", "Queue.get", "Queue.put", "Thread.join"});
    for (const auto* which : {"waits_of_processes", "waits_of_threads"}) {
        const auto traced = trace(which);
        EXPECT_THAT(traced.names("B", "wait"), all) << which;
        EXPECT_THAT(traced.unended(), IsEmpty());
    }
}

TEST_P(Trace, what_does_not_block_is_no_wait) {
    EXPECT_THAT(trace("no_waits").names("B", "wait"), IsEmpty());
}

TEST_P(Trace, tells_of_messages_with_their_sizes) {
    const auto traced = trace("messages");
    std::map<std::int64_t, std::map<std::string, std::vector<std::pair<int, int>>>>
        queues;  // number and bytes, of what was put and got
    for (const auto& event : traced.events) {
        if (of(event, "cat") != "message") continue;
        EXPECT_EQ(event["args"]["items"], 1);
        queues[event["args"]["queue"].get<std::int64_t>()][event["name"]].emplace_back(
            event["args"]["first"], event["args"].value("bytes", -1));
    }
    ASSERT_EQ(queues.size(), 3U);
    std::vector<std::size_t> counts;
    for (auto& [queue, ends] : queues) {
        EXPECT_EQ(ends["put"], ends["got"]);
        counts.push_back(ends["put"].size());
        if (ends["put"].size() != 3) continue;
        EXPECT_EQ(ends["put"][0].first, 1);
        EXPECT_GE(ends["put"][0].second, 3);
        EXPECT_EQ(ends["put"][1].second - ends["put"][0].second, 4);
        EXPECT_GE(ends["put"][2].second, 300'000);
    }
    EXPECT_THAT(counts, UnorderedElementsAre(3, 1, 1));
}

// ---- the file -----------------------------------------------------------------------------------

TEST_P(Trace, the_next_run_overwrites_it) {
    const auto before = trace("workers");
    const auto after = trace("workers");
    EXPECT_NE(after.only("chorus_trace")["pid"], before.only("chorus_trace")["pid"]);
}

TEST_P(Trace, without_the_variable_nothing_is_written) {
    const auto result = run_program({"env", "-C", (folder_ / "").string(), "-u", "CHORUS_TRACE",
                                     test_program("traced"), method(), "workers"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.err, "");
    EXPECT_TRUE(std::filesystem::is_empty(folder_ / ""));
}

TEST_P(Trace, what_cannot_be_written_is_said_once_and_nothing_else_happens) {
    const auto path = folder_ / "none" / "run.json";
    const auto result = run("workers", path.string());
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(
        result.err,
        testing::MatchesRegex(
            "chorus: CHORUS_TRACE: cannot write [^\n]*run.json: [^\n]*No such file or directory[^\n]*\n"));
}

TEST_P(Trace, a_full_disk_ends_the_trace_and_not_the_program) {
    const auto result = run("nothing", "/dev/full");
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.err, "chorus: CHORUS_TRACE: the trace ends here: No space left on device\n");
}

TEST_P(Trace, a_limit_on_the_size_of_files_ends_the_trace_and_not_the_program) {
    const auto limited = "ulimit -f 0; exec env CHORUS_TRACE=" + file().string() + " \"$@\"";
    const auto result = run_program({"sh", "-c", limited, "sh", test_program("traced"), method(), "nothing"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.err, HasSubstr("chorus: CHORUS_TRACE: the trace ends here: "));
}

TEST_P(Trace, a_pipe_is_no_file) {
    const auto path = file().string();
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    const auto nobody_reads = run("nothing", path);
    EXPECT_EQ(nobody_reads.exit_code, 0);
    EXPECT_THAT(nobody_reads.err, HasSubstr("chorus: CHORUS_TRACE: cannot write"));
    const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    const auto somebody_reads = run("nothing", path);
    EXPECT_EQ(somebody_reads.exit_code, 0);
    EXPECT_THAT(somebody_reads.err, HasSubstr("it is a pipe"));
    ::close(reader);
}

TEST_P(Trace, the_programs_own_files_get_the_same_numbers) {
    const auto without = run("descriptor", "");
    EXPECT_EQ(trace("descriptor").result.out, without.out);
    EXPECT_NE(without.out, "");
}

TEST_P(Trace, a_relative_name_is_one_file_for_all) {
    const auto result = run_program({"env", "-C", (folder_ / "").string(), "CHORUS_TRACE=run.json",
                                     test_program("traced"), method(), "workers"});
    EXPECT_EQ(result.err, "");
    const Traced traced{events_in(file()), result};  // how many waits there are differs from run to run
    EXPECT_THAT(traced.names("B", "run"), ElementsAre("main", "sing", "sing", "sing"));
    EXPECT_THAT(traced.named("process_name"), ElementsAre("MainProcess", "Process-1"));
}

TEST_P(Trace, a_name_with_a_plus_is_appended_to) {
    const auto first = trace("workers").events.size();
    run("nothing", "+" + file().string());
    const auto both = events_in(file());
    EXPECT_EQ(both.size(), first + 4);  // two names, main begins and ends
}

}  // namespace

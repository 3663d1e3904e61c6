// Everything that can end a worker, at each moment at which it can happen, however workers are started.
// Whatever it is: the task that was hit fails with the right exception, all others get their answers, the
// pool goes on or says why it cannot, and nothing is left.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <support/run_program.hpp>
#include <support/start_methods.hpp>

using namespace std::chrono_literals;
using testing::HasSubstr;

namespace {

namespace fs = std::filesystem;

enum class How {
    throws,
    throws_a_number,
    throws_a_stranger,
    exits,
    leaves,
    aborts,
    segfaults,
    overflows_its_stack,
    is_killed,
    is_stopped,
    takes_all_memory
};

// In the initializer of each worker, or of the first one only; idle is a worker that has answered all it was
// asked.
enum class Place { decoding, running, encoding, initializer, first_initializer, idle };

// What a task's future gives; why a pool is broken whose initializer does it; and whether it is done to an
// idle worker from outside, by this signal, or by a thread that a task has left there.
//
// Where a moment cannot give what the others give:
// - No handler catches what a thread throws that was left behind: it ends its worker as abort() does,
//   and hits no task.
// - An initializer that throws breaks the pool at once, whichever worker's it is: it is code with a fault,
//   not a worker with bad luck. One that ends its worker is tried again, three times in all; by SIGKILL,
//   which may come from any process, a hundred times.
// - An initializer has no .memory of its own, only the pool's.
// - A pool without a .timeout waits without a limit for an initializer that was stopped, and also if
//   all its idle workers were.
struct Row {
    How how;
    const char* name;
    const char* task;
    const char* broken;
    int signal = 0;
};
const Row rows[] = {
    {How::throws, "throws", "out_of_range: planned",
     "the initializer of the pool's workers failed: std::out_of_range: planned"},
    {How::throws_a_number, "throws_a_number", "RemoteError: int: 7",
     "the initializer of the pool's workers failed: chorus::RemoteError: int: 7"},
    {How::throws_a_stranger, "throws_a_stranger", "RemoteError: Stranger: who?",
     "the initializer of the pool's workers failed: chorus::RemoteError: (anonymous namespace)::Stranger: "
     "who?"},
    {How::exits, "exits", "WorkerDied: 3",
     "3 workers of the pool, one after the other, died before they were ready, in its initializer: left with "
     "exit code 3"},
    {How::leaves, "leaves", "WorkerDied: 4", "in its initializer: left with exit code 4"},
    {How::aborts, "aborts", "WorkerDied: SIGABRT", "in its initializer: killed by SIGABRT", SIGABRT},
    {How::segfaults, "segfaults", "WorkerDied: SIGSEGV", "in its initializer: killed by SIGSEGV", SIGSEGV},
    {How::overflows_its_stack, "overflows_its_stack", "WorkerDied: SIGSEGV",
     "in its initializer: killed by SIGSEGV"},
    {How::is_killed, "is_killed", "WorkerDied: SIGKILL",
     "100 workers of the pool, one after the other, died before they were ready, in its initializer",
     SIGKILL},
    {How::is_stopped, "is_stopped", "TimedOut", "in its initializer: not ready within the pool's .timeout",
     SIGSTOP},
    {How::takes_all_memory, "takes_all_memory", "OutOfMemory",
     "the initializer of the pool's workers failed: chorus::OutOfMemory: the initializer needed more than "
     "the"},
};
const char* const places[] = {"decoding", "running", "encoding", "initializer", "first_initializer", "idle"};
// Else the tests' names would tell them as bytes.
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }
void PrintTo(Place place, std::ostream* out) { *out << places[static_cast<int>(place)]; }

// ---- what is done ----

class Stranger : public std::exception {  // not registered: it cannot come as itself
public:
    const char* what() const noexcept override { return "who?"; }
};

// Not null: the sanitizers end a store there themselves.
volatile std::uintptr_t nowhere = 64;

const volatile bool has_bottom = false;
int overflow_stack() {
    volatile char frame[4096];
    frame[0] = 1;
    return has_bottom ? 0 : overflow_stack() + frame[0];
}

void take_all_memory() {
    std::vector<std::unique_ptr<char[]>> taken;
    while (taken.size() < 64) taken.push_back(std::make_unique_for_overwrite<char[]>(std::size_t{64} << 20));
}

int crash(How how) {
    switch (how) {
        case How::throws: throw std::out_of_range("planned");
        case How::throws_a_number: throw 7;
        case How::throws_a_stranger: throw Stranger();
        case How::exits: std::exit(3);
        case How::leaves: ::_exit(4);
        case How::aborts: std::abort();
        case How::segfaults: *reinterpret_cast<volatile int*>(nowhere) = 1; break;
        case How::overflows_its_stack: return overflow_stack();
        case How::is_killed: ::raise(SIGKILL); break;
        case How::is_stopped: ::raise(SIGSTOP); break;
        case How::takes_all_memory: take_all_memory(); break;
    }
    return 0;
}

void crash_first(How how, mp::RawValue<int> before) {
    if (before.value()++ == 0) crash(how);
}

struct CrashesWhenRead {
    How how;
};
struct CrashesWhenWritten {
    How how;
};

int take(const CrashesWhenRead&) { return 0; }
CrashesWhenWritten give(How how) { return {how}; }
int leave_behind(How how, mp::Event go) {
    std::thread([how, go]() mutable {
        go.wait();
        crash(how);
    }).detach();
    return ::getpid();
}

int square(int x) { return x * x; }

}  // namespace

template <>
struct chorus::codec<CrashesWhenRead> {
    static void write(message::Writer& out, const CrashesWhenRead& value) { out.write_raw(value.how); }
    static CrashesWhenRead read(message::Reader& in) {
        const auto how = in.read_raw<How>();
        crash(how);
        return {how};
    }
};
template <>
struct chorus::codec<CrashesWhenWritten> {
    static void write(message::Writer& out, const CrashesWhenWritten& value) {
        out.write_raw(value.how);
        crash(value.how);
    }
    static CrashesWhenWritten read(message::Reader& in) { return {in.read_raw<How>()}; }
};

namespace {

// ---- what comes of it ----

std::string signal_or_code(const chorus::WorkerDied& died) {
    if (died.signal() == 0) return std::to_string(died.exitcode().value_or(-1));
    return std::string("SIG") + ::sigabbrev_np(died.signal());
}

/// Waits for it. Fails the test if it does not come.
template <class Value>
std::string failure_of(const chorus::Future<Value>& future, std::uint64_t number) {
    try {
        future.exception(150s);
    } catch (const chorus::TimedOut&) {
        return "nothing in time";
    }
    try {
        future.get();
        return "a value";
    } catch (const chorus::WorkerDied& error) {
        EXPECT_EQ(error.task(), number);
        EXPECT_THAT(error.what(), HasSubstr("task " + std::to_string(number) + " ("));
        return "WorkerDied: " + signal_or_code(error);
    } catch (const chorus::RemoteError& error) {
        std::string type = error.type();
        type.erase(0, type.rfind(':') + 1);
        return "RemoteError: " + type + ": " + error.message();
    } catch (const chorus::TimedOut& error) {
        EXPECT_THAT(error.what(), HasSubstr("worker was ended"));
        return "TimedOut";
    } catch (const chorus::OutOfMemory&) {
        return "OutOfMemory";
    } catch (const chorus::BrokenPool& error) {
        return error.what();
    } catch (const std::out_of_range& error) {
        return std::string("out_of_range: ") + error.what();
    } catch (const std::exception& error) {
        return std::string("something else: ") + error.what();
    }
}

class CrashMatrix : public testing::TestWithParam<std::tuple<std::string, Row, Place>> {
protected:
    void SetUp() override { mp::set_start_method(std::get<0>(GetParam()), true); }

    static const Row& row() { return std::get<1>(GetParam()); }
    static Place place() { return std::get<2>(GetParam()); }

    static chorus::TaskOptions limits() {
        chorus::TaskOptions options;
        if (row().how == How::is_stopped) options.timeout = 300ms;
        if (row().how == How::takes_all_memory) options.memory = 512_MiB;
        return options;
    }
    // For what happens outside a task.
    static mp::Pool::Options limits_of_pool() {
        mp::Pool::Options options;
        if (row().how == How::is_stopped) options.timeout = 300ms;
        if (row().how == How::takes_all_memory) options.memory = 512_MiB;
        return options;
    }

    void submit_others(mp::Pool& pool) {
        for (int i = 0; i < 20; ++i) others_.push_back(pool.submit(square, i));
    }
    // The pool may break while it is given them: then it refuses the rest.
    void submit_to_break(mp::Pool& pool, int most) {
        try {
            for (int i = 0; i < most; ++i) others_.push_back(pool.submit(square, i));
        } catch (const chorus::BrokenPool& error) {
            EXPECT_THAT(error.what(), HasSubstr(row().broken));
        }
    }
    void expect_broken() {
        for (const auto& each : others_) EXPECT_THAT(failure_of(each, 0), HasSubstr(row().broken));
        others_.clear();
    }
    void expect_others() {
        for (std::size_t i = 0; i < others_.size(); ++i)
            EXPECT_EQ(others_[i].get(60s), static_cast<int>(i % 20 * (i % 20)));
        others_.clear();
    }

    template <class... Call>
    void hit_a_task(Call... call) {
        mp::Pool pool(2);
        submit_others(pool);
        const auto hit = pool.submit(limits(), call...);
        submit_others(pool);
        EXPECT_EQ(failure_of(hit, 21), row().task);
        expect_others();
        submit_others(pool);
        expect_others();
    }

    void hit_each_initializer() {
        auto options = limits_of_pool();
        options.initializer = {crash, row().how};
        mp::Pool pool(2, options);
        submit_to_break(pool, 2);
        expect_broken();
        try {
            pool.submit(square, 3);
            ADD_FAILURE() << "a broken pool takes tasks";
        } catch (const chorus::BrokenPool& error) {
            EXPECT_THAT(error.what(), HasSubstr(row().broken));
        }
    }

    void hit_first_initializer() {
        mp::RawValue<int> before(0);
        auto options = limits_of_pool();
        options.initializer = {crash_first, row().how, before};
        if (!limits().timeout.is_never()) options.timeout = 10s;  // in which the second one is ready
        mp::Pool pool(1, options);
        if (std::string(row().broken).starts_with("the initializer")) {
            submit_to_break(pool, 20);
            expect_broken();
        } else {
            submit_others(pool);
            expect_others();
            // After a crash the pool has other channels, and a worker that had come meanwhile has the old
            // ones.
            EXPECT_THAT(before.value(), testing::AllOf(testing::Ge(2), testing::Le(3)));
        }
    }

    void hit_an_idle_worker() {
        auto options = limits_of_pool();
        options.timeout = std::nullopt;
        mp::Pool pool(row().how == How::is_stopped ? 1 : 2, options);  // another one would do the work
        mp::Event go;
        submit_others(pool);
        const int pid = pool.submit(leave_behind, row().how, go).get(60s);
        submit_others(pool);
        expect_others();
        row().signal != 0 ? void(::kill(pid, row().signal)) : go.set();
        if (row().how == How::is_stopped) {
            EXPECT_EQ(pool.submit({.timeout = 3s}, square, 3).get(60s), 9);
        }
        EXPECT_TRUE(wait_until_gone(pid, 60s));
        submit_others(pool);
        expect_others();
    }

    void hit() {
        switch (place()) {
            case Place::decoding: return hit_a_task(take, CrashesWhenRead{row().how});
            case Place::running: return hit_a_task(crash, row().how);
            case Place::encoding: return hit_a_task(give, row().how);
            case Place::initializer: return hit_each_initializer();
            case Place::first_initializer: return hit_first_initializer();
            case Place::idle: return hit_an_idle_worker();
        }
    }

private:
    std::vector<chorus::Future<int>> others_;  // each keeps its pool's insides
};

std::string cell_name(const testing::TestParamInfo<CrashMatrix::ParamType>& info) {
    const auto& [method, row, place] = info.param;
    return method + "_" + row.name + "_" + places[static_cast<int>(place)];
}
INSTANTIATE_TEST_SUITE_P(by, CrashMatrix,
                         testing::Combine(testing::Values<std::string>("forkserver", "spawn", "fork"),
                                          testing::ValuesIn(rows),
                                          testing::Values(Place::decoding, Place::running, Place::encoding,
                                                          Place::initializer, Place::first_initializer,
                                                          Place::idle)),
                         cell_name);

// Descriptors, and mappings of memory that others may see.
std::size_t held() {
    const fs::directory_iterator descriptors("/proc/self/fd");
    auto count = std::distance(begin(descriptors), end(descriptors));
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);)
        // Where a thread was, the next one that begins will be: as many as there ever were at once.
        count += line.find("/memfd:") != std::string::npos && line.find("chorus-commons") == std::string::npos
                     ? 1
                     : 0;
    return static_cast<std::size_t>(count);
}

// Twice: what the first time leaves is what the library keeps for its life.
TEST_P(CrashMatrix, cell) {
    hit();
    ASSERT_TRUE(mp::active_children().empty());
    const auto before = held();
    hit();
    EXPECT_TRUE(mp::active_children().empty());
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (held() > before && std::chrono::steady_clock::now() < end)
        std::this_thread::yield();  // pipes of the dead are closed a moment later
    EXPECT_LE(held(), before) << "a pool leaves descriptors or shared memory behind";
}

}  // namespace

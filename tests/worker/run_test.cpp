// mp::run and mp::async: a function in its own process, with its result.
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <typeinfo>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include <support/run_program.hpp>
#include <support/start_methods.hpp>

using namespace std::chrono_literals;

namespace {

class Run : public EachStartMethod {};
FOR_EACH_START_METHOD(Run);

struct Inner {
    int id = 0;
    double weights[3] = {};
};
struct Outer {
    std::string name;
    std::vector<Inner> inner;
    std::map<std::string, std::vector<int>> index;
    std::optional<int> maybe;
};

Outer doubled(Outer outer) {
    outer.name += outer.name;
    outer.inner.insert(outer.inner.end(), outer.inner.begin(), outer.inner.end());
    outer.maybe = 7;
    return outer;
}

TEST_P(Run, brings_back_a_value_made_of_plain_structs) {
    Outer outer{"ab", {{1, {1, 2, 3}}, {2, {4, 5, 6}}}, {{"x", {1, 2}}}, {}};
    const Outer back = mp::run(doubled, outer);
    EXPECT_EQ(back.name, "abab");
    ASSERT_EQ(back.inner.size(), 4U);
    EXPECT_EQ(back.inner[3].id, 2);
    EXPECT_EQ(back.inner[3].weights[2], 6);
    EXPECT_EQ(back.index.at("x"), (std::vector<int>{1, 2}));
    EXPECT_EQ(back.maybe, 7);
}

int beyond(int n) { throw std::out_of_range("index " + std::to_string(n)); }

TEST_P(Run, std_exception_arrives_as_itself) {
    try {
        mp::run(beyond, 5);
        FAIL() << "nothing was thrown";
    } catch (const std::out_of_range& error) {
        EXPECT_STREQ(error.what(), "index 5");
    }
}

struct Odd {};
int throw_odd() { throw Odd{}; }

TEST_P(Run, unknown_exception_arrives_as_remote_error_with_type_and_stack) {
    try {
        mp::run(throw_odd);
        FAIL() << "nothing was thrown";
    } catch (const chorus::RemoteError& error) {
        EXPECT_THAT(error.type(), testing::HasSubstr("Odd"));
        EXPECT_THAT(error.stack(), testing::HasSubstr("throw_odd"));
        EXPECT_THAT(error.stack(), testing::HasSubstr("run_test.cpp:"));
    }
}

// ---- values and arguments ----------------------------------------------------------------------

std::vector<std::uint64_t> squares(std::vector<std::uint64_t> numbers) {
    for (auto& number : numbers) number *= number;
    return numbers;
}

TEST_P(Run, argument_and_result_may_be_large) {
    std::vector<std::uint64_t> numbers(8 * 1024 * 1024);  // 64 MiB each way
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = i * 7;
    const auto result = mp::run(squares, numbers);
    ASSERT_EQ(result.size(), numbers.size());
    for (std::size_t i = 0; i < numbers.size(); i += 1001) ASSERT_EQ(result[i], numbers[i] * numbers[i]);
    EXPECT_EQ(result.back(), numbers.back() * numbers.back());
    const auto later = mp::async(squares, std::move(numbers)).get();
    EXPECT_TRUE(later == result);
}

TEST_P(Run, a_text_of_any_size_comes_back_whole) {
    // Around the sizes at which a message leaves its buffer, the socket's packet, a page.
    for (const std::size_t size :
         {0U, 1U, 4095U, 4096U, 65'535U, 65'536U, 65'537U, 131'000U, 131'072U, 200'000U, 1'000'003U}) {
        const std::string text(size, 'x');
        EXPECT_TRUE(mp::run([](std::string given) { return given + "y"; }, text) == text + "y") << size;
    }
}

void nothing() {}
void set_flag(const std::string& path) { std::ofstream(path) << "ran"; }

TEST_P(Run, of_a_function_without_a_value) {
    mp::run(nothing);
    mp::async(nothing).get();
    const auto path =
        std::filesystem::temp_directory_path() / ("chorus-run-test-" + std::to_string(::getpid()));
    mp::run(set_flag, path.string());
    EXPECT_TRUE(std::filesystem::remove(path));
}

constexpr auto divide =
    chorus::named<"dividend", "divisor">([](int dividend, int divisor) { return dividend / divisor; });

TEST_P(Run, takes_keywords) {
    EXPECT_EQ(mp::run(divide, chorus::kw<"divisor"> = 3, chorus::kw<"dividend"> = 12), 4);
    EXPECT_EQ(mp::async({.timeout = 30s}, divide, 12, chorus::kw<"divisor"> = 2).get(), 6);
}

int slow_down(int n) {
    std::vector<int> work(static_cast<std::size_t>(n) * 1000, n);
    return std::accumulate(work.begin(), work.end(), 0) / (n * 1000);
}

TEST_P(Run, many_threads_run_at_once_each_with_its_own_result) {
    std::vector<std::thread> threads;
    std::array<int, 8> results{};
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&, i] { results[static_cast<std::size_t>(i)] = mp::run(slow_down, i + 1); });
    }
    for (auto& thread : threads) thread.join();
    for (int i = 0; i < 8; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)], i + 1);
}

TEST_P(Run, many_futures_at_once_each_with_its_own_result) {
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < 24; ++i) futures.push_back(mp::async(slow_down, i + 1));
    for (int i = 0; i < 24; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(), i + 1);
}

// ---- exceptions --------------------------------------------------------------------------------

template <class Exception>
void throw_one() {
    throw Exception("the reason");
}

template <class Exception>
void expect_itself() {
    try {
        mp::run(throw_one<Exception>);
        FAIL() << "nothing was thrown";
    } catch (const std::exception& error) {
        EXPECT_TRUE(typeid(error) == typeid(Exception)) << typeid(error).name();
        EXPECT_STREQ(error.what(), "the reason");
    }
}

TEST_P(Run, each_standard_exception_arrives_as_itself) {
    expect_itself<std::runtime_error>();
    expect_itself<std::logic_error>();
    expect_itself<std::invalid_argument>();
    expect_itself<std::domain_error>();
    expect_itself<std::length_error>();
    expect_itself<std::out_of_range>();
    expect_itself<std::range_error>();
    expect_itself<std::overflow_error>();
    expect_itself<std::underflow_error>();
    expect_itself<chorus::UsageError>();
    expect_itself<chorus::TimedOut>();
    EXPECT_THROW(mp::run([] { throw std::bad_alloc(); }), std::bad_alloc);
    EXPECT_THROW(mp::run([] { std::optional<int>().value(); }), std::bad_optional_access);
    try {
        mp::run([] { throw std::system_error(ENOENT, std::generic_category(), "open"); });
        FAIL() << "nothing was thrown";
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code().value(), ENOENT);
        EXPECT_THAT(error.what(), testing::HasSubstr("open"));
    }
}

class ParseError : public std::runtime_error {
public:
    explicit ParseError(const std::string& what, int line = 0) : std::runtime_error(what), line_(line) {}
    ParseError() : ParseError("") {}
    int line() const { return line_; }

    template <class Archive>
    void save(Archive& archive) const {
        archive(std::string(what()), line_);
    }
    template <class Archive>
    void load(Archive& archive) {
        std::string text;
        int line = 0;
        archive(text, line);
        *this = ParseError(text, line);
    }

private:
    int line_ = 0;
};
[[maybe_unused]] const bool registered = chorus::register_exception<ParseError>();

TEST_P(Run, a_registered_exception_arrives_as_itself_with_its_members) {
    try {
        mp::run([] { throw ParseError("a brace is missing", 12); });
        FAIL() << "nothing was thrown";
    } catch (const ParseError& error) {
        EXPECT_STREQ(error.what(), "a brace is missing");
        EXPECT_EQ(error.line(), 12);
    }
}

TEST_P(Run, thrown_things_that_are_no_exceptions_arrive_as_remote_errors) {
    const auto type_of = [](void (*function)()) {
        try {
            mp::run(function);
        } catch (const chorus::RemoteError& error) {
            return error.type() + "|" + error.message();
        }
        return std::string("nothing was thrown");
    };
    EXPECT_EQ(type_of([] { throw 42; }).find("int|"), 0U);
    EXPECT_THAT(type_of([] { throw 42; }), testing::HasSubstr("42"));
    EXPECT_THAT(type_of([] { throw "text"; }), testing::HasSubstr("text"));
    EXPECT_THAT(type_of([] { throw std::string("a string"); }), testing::HasSubstr("a string"));
}

int beyond_through_another(int n) { return mp::run(beyond, n); }

TEST_P(Run, exceptions_pass_through_processes_between) {
    try {
        mp::run(beyond_through_another, 6);
        FAIL() << "nothing was thrown";
    } catch (const std::out_of_range& error) {
        EXPECT_STREQ(error.what(), "index 6");
    }
}

// ---- deaths ------------------------------------------------------------------------------------

void leave_by_exit() { std::exit(3); }
void leave_by_exit_at_once() { ::_exit(4); }
void leave_by_system_exit() { throw chorus::SystemExit(5); }
void leave_by_exit_0() { std::exit(0); }
void leave_by_abort() { std::abort(); }
void leave_by_segv() {
    volatile int* volatile nowhere = nullptr;
    *nowhere = 1;
}
int overflow_the_stack(int depth) {
    volatile char frame[1024];
    frame[0] = static_cast<char>(depth);
    if (depth < 0) return frame[0];
    return overflow_the_stack(depth + 1) + frame[0];
}
void leave_by_stack_overflow() { overflow_the_stack(1); }
void leave_by_fpe() {
    volatile int number = 7;
    volatile int zero = 0;
    number = number / zero;
}
void leave_by_sigkill() { ::raise(SIGKILL); }
void leave_by_sigterm() { ::raise(SIGTERM); }
void leave_by_noexcept() noexcept { throw_one<std::runtime_error>(); }
void leave_by_thread() {
    std::thread([] { leave_by_segv(); }).join();
}

struct Death {
    const char* name;
    void (*function)();
    int exitcode;
    const char* what;   ///< a part of it
    const char* stack;  ///< a part of it, "" when there can be none
};

void PrintTo(const Death& death, std::ostream* out) { *out << death.name; }

// The function's name stands for "the stack was taken, where it happened, and named".
constexpr Death deaths[] = {
    {"exit", leave_by_exit, 3, "left with exit code 3 before it gave a result", ""},
    {"exit of 0", leave_by_exit_0, 0, "left with exit code 0 before it gave a result", ""},
    {"_exit", leave_by_exit_at_once, 4, "left with exit code 4", ""},
    {"SystemExit", leave_by_system_exit, 5, "left with exit code 5", ""},
    {"abort", leave_by_abort, -SIGABRT, "killed by SIGABRT", "leave_by_abort"},
    {"SIGSEGV", leave_by_segv, -SIGSEGV, "killed by SIGSEGV in ", "leave_by_segv"},
    {"stack overflow", leave_by_stack_overflow, -SIGSEGV, "killed by SIGSEGV in ", "overflow_the_stack"},
    {"SIGFPE", leave_by_fpe, -SIGFPE, "killed by SIGFPE in ", "leave_by_fpe"},
    {"SIGKILL", leave_by_sigkill, -SIGKILL, "killed by SIGKILL", ""},
    {"SIGTERM", leave_by_sigterm, -SIGTERM, "killed by SIGTERM", ""},
    {"noexcept", leave_by_noexcept, -SIGABRT, "killed by SIGABRT", "leave_by_noexcept"},
    {"SIGSEGV in a thread", leave_by_thread, -SIGSEGV, "killed by SIGSEGV in ", "leave_by_segv"},
};

class Deaths : public testing::TestWithParam<std::tuple<const char*, Death>> {
protected:
    void SetUp() override { mp::set_start_method(std::get<0>(GetParam()), true); }
};

void expect_death(const Death& death, const chorus::WorkerDied& error) {
    EXPECT_EQ(error.exitcode(), death.exitcode);
    EXPECT_EQ(error.signal(), death.exitcode < 0 ? -death.exitcode : 0);
    EXPECT_THAT(error.what(), testing::HasSubstr(death.what));
    if (*death.stack == '\0') {
        EXPECT_EQ(error.stack(), "");
    } else {
        EXPECT_THAT(error.stack(), testing::HasSubstr(death.stack));
        EXPECT_THAT(error.stack(), testing::HasSubstr("run_test.cpp:"));
    }
}

std::string stack_of_a_copy_by_a_second_thread() {
    std::string stack;
    std::thread([&] {
        mp::set_start_method("fork", true);
        try {
            mp::run(leave_by_stack_overflow);
        } catch (const chorus::WorkerDied& error) {
            stack = error.stack();
        }
    }).join();
    return stack;
}

// Which has no stack for its handlers from its original.
TEST(DeathsInCopies, by_a_second_thread_of_stack_overflow) {
    for (const char* method : {"forkserver", "spawn", "fork"}) {
        mp::set_start_method(method, true);
        EXPECT_THAT(mp::run(stack_of_a_copy_by_a_second_thread), testing::HasSubstr("overflow_the_stack"))
            << method;
    }
}

TEST_P(Deaths, arrive_as_worker_died) {
    const auto& death = std::get<1>(GetParam());
    testing::internal::CaptureStderr();
    const auto later = mp::async(death.function);
    try {
        mp::run(death.function);
        ADD_FAILURE() << "nothing was thrown by run";
    } catch (const chorus::WorkerDied& error) {
        expect_death(death, error);
    }
    try {
        later.get();
        ADD_FAILURE() << "nothing was thrown by async";
    } catch (const chorus::WorkerDied& error) {
        expect_death(death, error);
    }
    testing::internal::GetCapturedStderr();
    EXPECT_TRUE(mp::active_children().empty());
    EXPECT_EQ(mp::run(slow_down, 3), 3) << "the next call suffers from the death of the one before";
}

std::string name_of_death(const testing::TestParamInfo<std::tuple<const char*, Death>>& info) {
    std::string name = std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param).name;
    for (char& c : name) c = c == ' ' ? '_' : c;
    return name;
}
INSTANTIATE_TEST_SUITE_P(by, Deaths,
                         testing::Combine(testing::Values("forkserver", "spawn", "fork"),
                                          testing::ValuesIn(deaths)),
                         name_of_death);

TEST_P(Run, names_the_place_of_a_crash_in_what) {
    try {
        mp::run(leave_by_segv);
        FAIL() << "nothing was thrown";
    } catch (const chorus::WorkerDied& error) {
        EXPECT_THAT(error.what(), testing::ContainsRegex(
                                      "killed by SIGSEGV in .*leave_by_segv.* at .*run_test\\.cpp:[0-9]+"));
    }
}

void crash_through_another() { mp::run(leave_by_segv); }

TEST_P(Run, the_death_of_a_grandchild_arrives_as_itself) {
    try {
        mp::run(crash_through_another);
        FAIL() << "nothing was thrown";
    } catch (const chorus::WorkerDied& error) {
        EXPECT_EQ(error.signal(), SIGSEGV);
        EXPECT_THAT(error.stack(), testing::HasSubstr("leave_by_segv"));
    }
}

// ---- limits ------------------------------------------------------------------------------------

void tell_pid_and_stay(const std::string& path) {
    std::ofstream(path) << ::getpid();
    ::alarm(50);
    for (;;) ::pause();
}

TEST_P(Run, timeout_ends_the_child) {
    const auto path =
        std::filesystem::temp_directory_path() / ("chorus-run-test-" + std::to_string(::getpid()));
    int pid = 0;
    for (auto time = 300ms; pid == 0; time *= 4) {  // it may be too short for the child to begin
        const auto before = std::chrono::steady_clock::now();
        try {
            mp::run({.timeout = time}, tell_pid_and_stay, path.string());
            FAIL() << "nothing was thrown";
        } catch (const chorus::TimedOut& error) {
            EXPECT_THAT(error.what(), testing::HasSubstr(time == 300ms ? "0.3" : "timeout"));
        }
        EXPECT_GE(std::chrono::steady_clock::now() - before, time);
        std::ifstream(path) >> pid;
    }
    std::filesystem::remove(path);
    EXPECT_FALSE(is_running(pid));
    EXPECT_TRUE(mp::active_children().empty());
    EXPECT_THROW(mp::async({.timeout = 1ms},
                           [] {
                               for (;;) ::pause();
                           })
                     .get(),
                 chorus::TimedOut);
    EXPECT_EQ(mp::run({.timeout = 30s}, slow_down, 2), 2);
}

TEST_P(Run, a_negative_timeout_is_refused) {
    try {
        mp::run({.timeout = -1s}, nothing);
        FAIL() << "nothing was thrown";
    } catch (const chorus::UsageError& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr("negative"));
    }
    EXPECT_THROW(mp::run({.timeout = 0s},
                         [] {
                             for (;;) ::pause();
                         }),
                 chorus::TimedOut);
}

std::size_t keep_allocating() {
    std::vector<std::vector<char>> kept;
    for (;;) kept.emplace_back(std::size_t{4} << 20, 'x');
}
void allocate_without_asking() {
    for (;;) {
        auto* const block = static_cast<volatile char*>(std::malloc(std::size_t{4} << 20));
        block[0] = 'x';  // a null pointer once there is no more
    }
}
std::size_t allocate(std::size_t bytes) {
    const std::vector<char> block(bytes, 'x');
    asm volatile("" : : "r"(block.data()) : "memory");  // clang would not allocate what is not read
    return block.size();
}

TEST_P(Run, memory_is_bounded) {
    EXPECT_THROW(mp::run({.memory = 64_MiB}, keep_allocating), chorus::OutOfMemory);
    EXPECT_THROW(mp::async({.memory = 64_MiB}, keep_allocating).get(), chorus::OutOfMemory);
    EXPECT_THROW(mp::run({.memory = 64_MiB}, allocate, 100_MiB), chorus::OutOfMemory);
    EXPECT_EQ(mp::run({.memory = 64_MiB}, allocate, 32_MiB), 32_MiB);
    EXPECT_EQ(mp::run(allocate, 100_MiB), 100_MiB) << "the bound of one call holds for the next";
    try {
        mp::run({.memory = 64_MiB}, allocate_without_asking);
        FAIL() << "nothing was thrown";
    } catch (const chorus::WorkerDied& error) {
        EXPECT_EQ(error.signal(), SIGSEGV);
        EXPECT_THAT(error.what(), testing::HasSubstr("allowed 67108864 bytes"));
    }
}

TEST_P(Run, an_own_bad_alloc_without_a_bound_is_just_that) {
    EXPECT_THROW(mp::run([] { throw std::bad_alloc(); }), std::bad_alloc);
}

// ---- a call that could not be started ----------------------------------------------------------

TEST_P(Run, no_more_descriptors_is_an_error_that_names_the_limit) {
    mp::run(nothing);
    struct rlimit limit {};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    struct rlimit none = limit;
    none.rlim_cur = 4;
    ::setrlimit(RLIMIT_NOFILE, &none);
    std::string message;
    try {
        mp::run(nothing);
    } catch (const chorus::OsError& error) {
        message = error.what();
    }
    ::setrlimit(RLIMIT_NOFILE, &limit);
    EXPECT_THAT(message, testing::HasSubstr("4 descriptors open (RLIMIT_NOFILE"));
    EXPECT_TRUE(mp::active_children().empty());
    EXPECT_EQ(mp::run(slow_down, 2), 2);
}

}  // namespace

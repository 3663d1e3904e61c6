// Names for code, of this process and of files that it has not loaded, or that are not what they were.
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <programs/thread_library.hpp>
#include <support/sanitizers.hpp>
#include <worker/scratch.hpp>
#include "platform/crash.hpp"
#include "platform/debug_info.hpp"
#include "platform/futex.hpp"
#include "platform/os_thread.hpp"
#include "platform/symbols.hpp"

namespace fs = std::filesystem;
namespace platform = chorus::detail::platform;
using testing::HasSubstr;

namespace {

[[gnu::noinline]] void here() { asm volatile(""); }

struct Code {
    explicit Code(void (*function)()) : address(reinterpret_cast<std::uintptr_t>(function)) {
        const auto found = platform::code_at({&address, 1});
        EXPECT_EQ(found.size(), 1U);
        if (!found.empty()) file = found.front();
    }
    /// The function there, or "".
    std::string name() const { return platform::places_at(file, address).back().function; }

    std::uintptr_t address;
    platform::MappedCode file;
};

Code in_program() { return Code(here); }
Code in_library() { return Code(hidden_work_in_library()); }

TEST(DebugInfo, says_function_file_and_line) {
    const auto code = in_program();
    const auto place = platform::places_at(code.file, code.address).back();
    EXPECT_THAT(place.function, HasSubstr("here()"));
    EXPECT_THAT(place.source, HasSubstr("debug_info_test.cpp:"));
    EXPECT_EQ(place.binary, fs::read_symlink("/proc/self/exe"));
    EXPECT_THAT(in_library().name(), HasSubstr("work_hidden_in_library"));
}

TEST(DebugInfo, opens_a_file_once) {
    const auto code = in_program();
    EXPECT_THAT(code.name(), HasSubstr("here()"));
    const auto before = platform::debug_info_sessions_opened();
    for (std::uintptr_t i = 0; i < 100; ++i) {
        EXPECT_THAT(code.name(), HasSubstr("here()"));
        EXPECT_FALSE(platform::places_at(code.file, code.address + i).empty());
    }
    EXPECT_EQ(platform::debug_info_sessions_opened(), before);
}

TEST(DebugInfo, names_a_file_that_this_process_has_not_loaded) {
    const Scratch scratch;
    auto code = in_library();
    const std::string copy = scratch.path("copy.so");
    fs::copy_file(code.file.path, copy);
    code.file.path = copy;
    EXPECT_THAT(code.name(), HasSubstr("work_hidden_in_library"));
}

// The same code otherwise: all its names are found where they were.
std::string with_another_build_id(const platform::MappedCode& code, const std::string& from,
                                  const std::string& to) {
    std::ifstream in(from, std::ios::binary);
    std::string bytes(std::istreambuf_iterator<char>(in), {});
    std::string id;
    for (std::size_t i = 0; i + 1 < code.build_id.size(); i += 2)
        id += static_cast<char>(std::stoi(code.build_id.substr(i, 2), nullptr, 16));
    const auto at = bytes.find(id);
    EXPECT_FALSE(id.empty());
    EXPECT_NE(at, std::string::npos);
    bytes.at(at) = static_cast<char>(bytes.at(at) ^ 1);
    std::ofstream(to, std::ios::binary) << bytes;
    return to;
}

TEST(DebugInfo, does_not_give_the_names_of_another_build) {
    const Scratch scratch;
    auto code = in_library();
    const std::string original = code.file.path;
    const std::string path = scratch.path("replaced.so");
    code.file.path = path;
    const auto replace_by = [&](const std::string& file) {
        fs::copy_file(file, path + ".new");
        fs::rename(path + ".new", path);
    };
    replace_by(original);
    EXPECT_THAT(code.name(), HasSubstr("work_hidden_in_library"));
    replace_by(with_another_build_id(code.file, original, scratch.path("other.so")));
    EXPECT_EQ(code.name(), "") << "of another build, or the session of the file before is still in use";
    EXPECT_EQ(platform::places_at(code.file, code.address).back().binary, path);
    std::ofstream(path) << "no binary at all";
    EXPECT_EQ(code.name(), "");
    fs::remove(path);
    EXPECT_EQ(code.name(), "");
    fs::create_directory(path);
    EXPECT_EQ(code.name(), "");
    fs::remove(path);
    replace_by(original);
    EXPECT_THAT(code.name(), HasSubstr("work_hidden_in_library"));
}

TEST(DebugInfo, names_the_running_program_whatever_lies_at_its_path) {
    auto code = in_program();
    code.file.path = "/nowhere/program (deleted)";
    EXPECT_THAT(code.name(), HasSubstr("here()"));
    code.file.path = in_library().file.path;
    EXPECT_THAT(code.name(), HasSubstr("here()"));
}

TEST(DebugInfo, keeps_a_few_files_open_and_no_more) {
    const Scratch scratch;
    const auto code = in_library();
    const auto copy_number = [&](int number) {
        auto copy = code;
        copy.file.path = scratch.path(std::to_string(number) + ".so");
        if (!fs::exists(copy.file.path)) fs::copy_file(code.file.path, copy.file.path);
        return copy;
    };
    constexpr int files = 20;
    const auto before = platform::debug_info_sessions_opened();
    for (int i = 0; i < files; ++i) EXPECT_THAT(copy_number(i).name(), HasSubstr("work_hidden_in_library"));
    EXPECT_EQ(platform::debug_info_sessions_opened(), before + files);
    EXPECT_THAT(copy_number(files - 1).name(), HasSubstr("work_hidden_in_library"));
    EXPECT_EQ(platform::debug_info_sessions_opened(), before + files) << "the last one was not kept";
    EXPECT_THAT(copy_number(0).name(), HasSubstr("work_hidden_in_library"));
    EXPECT_EQ(platform::debug_info_sessions_opened(), before + files + 1) << "the first one was kept";
}

TEST(DebugInfo, remembers_many_places_and_no_more) {
    const auto code = in_library();
    EXPECT_THAT(code.name(), HasSubstr("work_hidden_in_library"));
    const auto before = platform::debug_info_sessions_opened();
    for (std::uintptr_t i = 0; i < 5000; ++i) platform::places_at(code.file, code.file.begin + i);
    const auto opened = platform::debug_info_sessions_opened() - before;
    EXPECT_GE(opened, 2U) << "one session remembers all";
    EXPECT_LE(opened, 10U);
    EXPECT_THAT(code.name(), HasSubstr("work_hidden_in_library"));
}

TEST(DebugInfo, code_in_no_file_has_no_name) {
    const int data = 0;
    const auto address = reinterpret_cast<std::uintptr_t>(&data);
    EXPECT_TRUE(platform::code_at({&address, 1}).empty());
    const auto stack = platform::symbolize({{address}, true, {}});
    EXPECT_THAT(stack.text, testing::MatchesRegex("#0 0x[0-9a-f]+"));
}

TEST(DebugInfo, a_map_says_the_same_as_the_process_itself) {
    std::ifstream file("/proc/self/maps");
    const std::string map(std::istreambuf_iterator<char>(file), {});
    const auto program = in_program();
    for (const auto& code : {program, in_library()}) {
        const auto found = platform::code_in_map(map, {&code.address, 1});
        ASSERT_EQ(found.size(), 1U);
        EXPECT_EQ(found.front().path, code.file.path);
        EXPECT_EQ(platform::places_at(found.front(), code.address).back().function, code.name());
    }
    EXPECT_EQ(platform::code_in_map(map, {&program.address, 1}).front().build_id,
              platform::main_module().build_id);
    for (const char* damaged : {"", "\n\n", "/", "55-", "zz-66 r-xp 0 /a", "00-ff",
                                "00-ffffffffffffffff r-xp", "1-0 /x", "99999999999999999999-0 r-xp 0 /x"})
        EXPECT_TRUE(platform::code_in_map(damaged, {&program.address, 1}).empty()) << damaged;
}

// Less than naming takes, which is therefore done elsewhere.
TEST(DebugInfo, is_to_be_had_on_a_small_stack) {
    static Code code = in_library();
    static std::string name;
    static std::atomic<std::uint32_t> done;
    const Scratch scratch;
    const std::string copy = scratch.path("small.so");
    fs::copy_file(code.file.path, copy);
    code.file.path = copy;
    done = 0;
    platform::start_thread(
        [](void*) -> void* {
            name = code.name();
            done = 1;
            platform::futex_wake_all(done);
            return nullptr;
        },
        nullptr, under_sanitizer ? 1 << 19 : 1 << 15);
    while (done == 0) platform::futex_wait(done, 0);
    EXPECT_THAT(name, HasSubstr("work_hidden_in_library"));
}

// A thread opens and reads files all the time: the copy must not find that half done.
TEST(DebugInfo, is_whole_in_a_copy_of_the_process) {
    const Scratch scratch;
    std::atomic<bool> over = false;
    const auto code = in_library();
    {
        const std::jthread other([&] {
            auto copy = code;
            for (int i = 0; !over; ++i) {
                copy.file.path = scratch.path(std::to_string(i % 10) + ".so");
                if (!fs::exists(copy.file.path)) fs::copy_file(code.file.path, copy.file.path);
                EXPECT_THAT(copy.name(), HasSubstr("work_hidden_in_library"));
            }
        });
        for (int i = 0; i < rounds(20); ++i) {
            const pid_t child = ::fork();
            if (child == 0) {
                ::alarm(60);  // if it hangs
                const bool is_named = code.name().find("work_hidden_in_library") != std::string::npos &&
                                      in_program().name().find("here()") != std::string::npos;
                ::_exit(is_named ? 0 : 1);
            }
            int status = -1;
            EXPECT_EQ(::waitpid(child, &status, 0), child);
            EXPECT_EQ(status, 0) << "of the copy, in round " << i;
        }
        over = true;
    }
}

}  // namespace

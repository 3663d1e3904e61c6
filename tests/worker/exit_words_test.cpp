// How children have ended, where other code in the program collects their status and the kernel (before Linux
// 6.15) no longer tells: what they have written themselves is right, or nothing is said.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <support/sanitizers.hpp>
#include <support/start_methods.hpp>
#include "platform/exit_word.hpp"
#include "platform/process_handle.hpp"
#include "worker/exit_words.hpp"

using testing::HasSubstr;

namespace {

// ---- a word ----

TEST(ExitWord, is_believed_only_if_this_process_could_have_written_it) {
    const auto word = [](std::uint32_t pid, std::uint32_t rest) { return pid << 10 | rest; };
    EXPECT_EQ(chorus::detail::platform::end_told_by(word(7, 0x200 | 41), 7), 41);
    EXPECT_EQ(chorus::detail::platform::end_told_by(word(7, 0x300 | SIGSEGV), 7), -SIGSEGV);
    EXPECT_EQ(chorus::detail::platform::end_told_by(word(4194303, 0x200 | 255), 4194303), 255);
    EXPECT_EQ(chorus::detail::platform::end_told_by(0, 7), std::nullopt);
    EXPECT_EQ(chorus::detail::platform::end_told_by(word(7, 41), 7), std::nullopt) << "it was not written";
    EXPECT_EQ(chorus::detail::platform::end_told_by(word(8, 0x200 | 41), 7), std::nullopt)
        << "another process's";
    EXPECT_EQ(chorus::detail::platform::end_told_by(word(7, 0x300), 7), std::nullopt)
        << "no signal has number 0";
    EXPECT_EQ(chorus::detail::platform::end_told_by(word(7, 0x300 | 200), 7), std::nullopt) << "nor 200";
}

// ---- ends ----

void return_normally() {}
void exit_7() { std::exit(7); }
void exit_minus_1() { std::exit(-1); }
void system_exit_8() { throw chorus::SystemExit(8); }
void throw_quietly() {
    ::close(2);
    throw std::runtime_error("not caught");
}
void raise_segmentation_fault() { ::raise(SIGSEGV); }
void crash() {
    if (under_sanitizer) {  // its handler would make an exit code of it
        ::signal(SIGSEGV, SIG_DFL);
        raise_segmentation_fault();
    }
    volatile int* nowhere = nullptr;
    *nowhere = 1;
}
// A program that only returns from a handler of this signal goes on.
void trap() {
#if defined(__x86_64__)
    asm volatile("int3");
#else
    ::raise(SIGTRAP);
#endif
}
void abort_at_once() { std::abort(); }
void change_the_code_at_the_end() {
    std::atexit([] { ::_exit(11); });
    std::exit(10);
}
// The copy's end is none of this process's.
void leave_a_copy() {
    const int copy = ::fork();
    if (copy == 0) std::exit(9);
    ::waitpid(copy, nullptr, 0);
    ::_exit(12);
}
void kill_this_process() { ::raise(SIGKILL); }

struct End {
    void (*function)();
    int exitcode;
    bool is_told;  ///< by itself
};
constexpr End ends[] = {{return_normally, 0, true},
                        {exit_7, 7, true},
                        {throw_quietly, 1, true},
                        {crash, -SIGSEGV, true},
                        {abort_at_once, -SIGABRT, true},
                        {trap, -SIGTRAP, true},
                        {system_exit_8, 8, true},
                        {exit_minus_1, 255, true},
                        {change_the_code_at_the_end, 11, false},
                        {leave_a_copy, 12, false},
                        {kill_this_process, -SIGKILL, false}};

// Linux tells since 6.15 how a process has ended that other code has collected.
bool system_tells_later() {
    std::ifstream file("/proc/sys/kernel/osrelease");
    int major = 0;
    int minor = 0;
    char dot = 0;
    file >> major >> dot >> minor;
    return std::pair(major, minor) >= std::pair(6, 15);
}

struct CountedEnds {
    int known = 0;
    int all = 0;
    int told = 0;  ///< of those that are told by themselves
    int all_told = 0;
};

class CollectedByAnother : public EachStartMethod {
protected:
    ~CollectedByAnother() override { chorus::detail::platform::system_tells_of_collected = true; }

    CountedEnds end_children(int times) {
        CountedEnds counted;
        for (int i = 0; i < times; i += static_cast<int>(std::size(ends))) {
            std::vector<mp::Process> children;
            for (const auto& end : ends) {
                children.emplace_back(context().Process(end.function));
                children.back().start();
            }
            for (std::size_t k = 0; k < children.size(); ++k) {
                EXPECT_TRUE(children[k].join());
                const auto exitcode = children[k].exitcode();
                ++counted.all;
                counted.all_told += ends[k].is_told ? 1 : 0;
                if (exitcode) {
                    EXPECT_EQ(exitcode, ends[k].exitcode) << "end " << k;
                    ++counted.known;
                    counted.told += ends[k].is_told ? 1 : 0;
                } else {
                    std::ostringstream text;
                    text << children[k];
                    EXPECT_THAT(text.str(), HasSubstr("stopped exitcode=unknown"));
                }
            }
        }
        return counted;
    }

    void ends_are_right() {
        const auto by_system = end_children(rounds(40));
        EXPECT_EQ(by_system.known, system_tells_later() ? by_system.all : by_system.known);
        chorus::detail::platform::system_tells_of_collected = false;
        const auto counted = end_children(rounds(300));
        chorus::detail::platform::system_tells_of_collected = true;
        EXPECT_EQ(counted.told, under_sanitizer ? counted.told : counted.all_told);
    }

    void with_action(void (*handler)(int), int flags) {
        struct sigaction action {};
        struct sigaction before {};
        action.sa_handler = handler;
        action.sa_flags = flags;
        ::sigaction(SIGCHLD, &action, &before);
        ends_are_right();
        ::sigaction(SIGCHLD, &before, nullptr);
    }
};
FOR_EACH_START_METHOD(CollectedByAnother);

TEST_P(CollectedByAnother, where_sigchld_is_ignored) { with_action(SIG_IGN, 0); }

TEST_P(CollectedByAnother, where_no_child_is_waited_for) {
    with_action([](int) {}, SA_NOCLDWAIT | SA_RESTART);
}

TEST_P(CollectedByAnother, by_a_handler_that_waits_for_every_child) {
    with_action(
        [](int) {
            const int kept = errno;
            while (::waitpid(-1, nullptr, WNOHANG) > 0) {
            }
            errno = kept;
        },
        SA_RESTART);
}

TEST_P(CollectedByAnother, by_a_thread_that_waits_for_every_child) {
    std::atomic<bool> stop{false};
    std::thread collector([&] {
        while (!stop) {
            if (::waitpid(-1, nullptr, 0) < 0) std::this_thread::yield();  // there is none
        }
    });
    ends_are_right();
    stop = true;
    if (::fork() == 0) ::_exit(0);  // no other thread collects this one, so it wakes the collector
    collector.join();
}

TEST_P(CollectedByAnother, the_caller_of_run_is_told_too) {
    struct sigaction ignored {};
    struct sigaction before {};
    ignored.sa_handler = SIG_IGN;
    ::sigaction(SIGCHLD, &ignored, &before);
    chorus::detail::platform::system_tells_of_collected = false;
    const auto death_by = [](void (*function)()) -> chorus::WorkerDied {
        try {
            mp::run(function);
        } catch (const chorus::WorkerDied& died) {
            return died;
        }
        throw std::logic_error("it has not died");
    };
    EXPECT_EQ(death_by(raise_segmentation_fault).signal(), SIGSEGV);
    EXPECT_EQ(death_by(abort_at_once).signal(), SIGABRT);
    EXPECT_EQ(death_by(trap).signal(), SIGTRAP);
    EXPECT_EQ(death_by(exit_7).exitcode(), under_sanitizer ? std::optional<int>() : 7);
    const auto killed = death_by(kill_this_process);
    EXPECT_EQ(killed.exitcode(), std::nullopt);
    EXPECT_THAT(killed.what(), HasSubstr("other code in this program has collected its exit status"));
    ::sigaction(SIGCHLD, &before, nullptr);
}

// ---- slots ----

TEST(ExitSlots, are_used_again_and_run_out) {
    auto segment = std::make_shared<chorus::detail::memory::Segment>(
        chorus::detail::memory::Segment::create("chorus-gate", sizeof(chorus::detail::worker::ExitWords)));
    const auto slots = std::make_shared<chorus::detail::worker::ExitSlots>(
        segment, *new (segment->bytes().data()) chorus::detail::worker::ExitWords{});
    std::vector<chorus::detail::worker::ExitSlot> held;
    for (std::size_t i = 0; i < chorus::detail::worker::most_exit_words; ++i) {
        held.emplace_back(slots);
        EXPECT_NE(held.back().number(), chorus::detail::worker::no_exit_word);
    }
    EXPECT_EQ(chorus::detail::worker::ExitSlot(slots).number(), chorus::detail::worker::no_exit_word);
    const auto freed = held[500].number();
    held[500] = {};
    EXPECT_EQ(chorus::detail::worker::ExitSlot(slots).number(), freed);
    segment->as<chorus::detail::worker::ExitWords>()[freed] = 7U << 10 | 0x200;
    const chorus::detail::worker::ExitSlot again(slots);
    EXPECT_EQ(again.number(), freed);
    EXPECT_EQ(again.exitcode(7), std::nullopt) << "what a child before it has written";
}

}  // namespace

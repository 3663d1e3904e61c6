#include <chorus/print.hpp>

#include <cstdio>
#include <iostream>
#include <optional>

#include "platform/file_descriptor.hpp"
#include "platform/os_thread.hpp"
#include "sync/shared_runtime.hpp"

namespace chorus::inline v0::detail::worker {
namespace {

constexpr int standard_output = 1;

}  // namespace

void print_whole(const std::string& text) {
    const platform::NotHalted whole;  // a thread halted in here would keep the lock
    // The lock is in shared memory, which may be refused. A line that may mix with another is better
    // than no line, and better than an exception from a handler that prints an error.
    std::optional<sync::PrintLock> lock;
    try {
        lock.emplace();
    } catch (const Error&) {
    }
    if (lock && lock->has_died_in_a_line()) platform::write_all(standard_output, "\n", 1);
    std::cout.flush();
    std::fflush(stdout);
    platform::write_line(standard_output, text);
}

}  // namespace chorus::inline v0::detail::worker

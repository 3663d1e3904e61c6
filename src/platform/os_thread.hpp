// Threads of the kernel: start, name, count and halt them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace chorus::inline v0::detail::platform {

/// Starts a detached thread with this stack size (0: the system's default).
/// Returns the thread's identity, as this_thread() gives it inside.
std::uintptr_t start_thread(void* (*body)(void*), void* argument, std::size_t stack_size);

/// Runs the function and waits for it: in this thread if its stack has the usual size, otherwise in one
/// that has.
/// Requires: the function does not throw.
void run_with_usual_stack(void (*function)(void*), void* argument);

std::uintptr_t this_thread() noexcept;
int thread_id() noexcept;
/// The number of threads of this process, including foreign ones; 1 if the kernel does not report it.
int thread_count() noexcept;

/// Shows in debuggers and `top -H`; at most 15 bytes are kept, never half a character.
void name_this_thread(const char* name) noexcept;

/// An image of the program executed through /proc is called "exe" until this call.
void name_this_thread_after_program(const char* path) noexcept;

/// Calls the function when this thread has ended: after its last thread_local was destroyed.
void at_thread_end(void (*function)(void*), void* argument);

/// Lets another runnable thread run on this CPU.
void yield_processor() noexcept;

std::size_t smallest_stack() noexcept;

/// Halts these threads permanently, each at an instant when it holds no lock of the C library. Returns
/// false if a thread cannot be halted: it blocks every signal, is never interrupted at such an instant,
/// or the program is linked statically.
bool halt_threads(std::span<const int> thread_ids);

/// The number of threads of this process that are neither halted nor permanent service threads of
/// Chorus.
int running_threads() noexcept;
/// The calling thread becomes such a service thread, and is not counted.
void count_as_servant() noexcept;

/// While an object exists, its thread is not halted: it holds something that the program needs to end.
class NotHalted {
public:
    NotHalted() noexcept;
    ~NotHalted();
    NotHalted(const NotHalted&) = delete;
    NotHalted& operator=(const NotHalted&) = delete;
};

/// From this call on halt_threads() counts this thread as halted, but it continues: it ends the
/// process, or waits for the end.
void go_on_unhalted() noexcept;

/// Sends a signal to the first thread of this process.
void signal_main_thread(int signal);

}  // namespace chorus::inline v0::detail::platform

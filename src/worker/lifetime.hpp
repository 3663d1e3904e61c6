// How a process of the program begins and ends, the first one and each child.
//
// The end, in this order, when main returns, when std::exit is called and when a child's function has
// returned: threads that are no daemons and processes that are no daemons are joined, daemon processes
// are ended, the fork server is sent home, daemon threads are halted. Then exit handlers run and
// statics are destroyed: in a process that made them, not in a copy of it.
//
// The two functions that the program's entry calls are visible outside a shared library.
#pragma once

#include <atomic>
#include <string>
#include <vector>

namespace chorus::inline v0::detail::worker {

/// Between the program's static initialisation and its end: processes and threads may be started.
bool has_begun() noexcept;
bool is_ending() noexcept;

/// What this process has begun and its end must see to. Set by whoever begins it. A child that began
/// nothing ends without touching the code for it.
struct Begun {
    std::atomic<bool> threads{false};
    std::atomic<bool> children{false};
    std::atomic<bool> futures{false};
};
extern constinit Begun begun_here;

/// What a room above sees to at the end, before threads and children are joined. Returns false if there was
/// nothing to do.
extern constinit std::atomic<bool (*)()> finish_above;
/// The calling thread will go on with nothing: a room above waits no more for what this thread alone could
/// do, because it was called from there (a callback that exits). Comes before finish_above.
extern constinit std::atomic<void (*)()> leave_above;

/// All that is to be done before statics are destroyed; once, however often it is called. A thread that
/// calls it (through std::exit) while another is at it takes the process's end over: it waits until all
/// is done and goes on to leave with its own exit code, and the other does not return. That main returns
/// takes nothing over: who has called exit() before has given the exit code.
[[gnu::visibility("default")]] void finish() noexcept;

/// Called where it is an error that the program is ending. Does not return to the main thread if another
/// thread has called exit(), which waits for all but this one: an error that main does not catch would end
/// the program in another way.
void stay_if_another_leaves() noexcept;

/// Prepares the end of a process copied from another (forkserver, fork): its exit runs only what was
/// registered after this call, then flushes the standard streams, and leaves the rest alone: those
/// statics belong to the one who made them.
void leave_statics_to_their_maker();

/// Runs the program: the user's main, or what this process was made for.
[[gnu::visibility("default")]] int run_program(int argc, char** argv, char** environment,
                                               int (*user_main)(int, char**, char**));

/// The program's arguments as it was given them, for images of itself.
const std::vector<std::string>& program_arguments();

}  // namespace chorus::inline v0::detail::worker

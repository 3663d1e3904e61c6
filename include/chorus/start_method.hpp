// The ways to make a process.
//
// Threads: any thread may ask and set.
// Death: nothing is held.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

/// How a child process comes to life.
enum class StartMethod {
    forkserver,  ///< copied from a fresh image of the program, which waits for requests; the default
    spawn,       ///< the program is executed anew
    fork         ///< a copy of the caller, as fork() makes it: of all threads only the calling one goes on
};

namespace multiprocessing {

/// Chooses how Process starts. Throws: UsageError for an unknown name, or when the choice was already
/// made or used (Python raises RuntimeError), unless forced.
void set_start_method(std::string_view name, bool force = false);
/// The choice; asking fixes it, as in Python, but not when `allow_none`: then it is empty if no choice
/// was made yet.
std::string get_start_method();
/// Empty if no choice was made yet and `allow_none` is true; asking this way fixes nothing.
std::optional<std::string> get_start_method(bool allow_none);
/// The default comes first.
std::vector<std::string> get_all_start_methods();

}  // namespace multiprocessing

namespace worker {

std::string name_of(StartMethod method);
/// Throws: UsageError that lists the names there are.
StartMethod start_method_named(std::string_view name);
/// The choice for Process, which is fixed by this.
StartMethod chosen_start_method();

}  // namespace worker
}  // namespace chorus

#pragma GCC visibility pop

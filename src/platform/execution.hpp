// How this program was executed, and what to execute for another image of it.
#pragma once

#include <string>
#include <vector>

namespace chorus::inline v0::detail::platform {

/// Whether the kernel executed the dynamic loader, which was given the program as an argument
/// (`ld-linux-x86-64.so.2 ./program …`, as bundles with a C library of their own do).
bool is_run_by_loader() noexcept;

/// Whether valgrind runs this program. The kernel then executed valgrind's own binary.
bool is_under_valgrind() noexcept;

/// The file to execute for another image of this program: the one that the kernel executed for this
/// process, even if it was renamed or removed since. Under valgrind, the path of the program.
std::string running_image();

/// Saves the loader's arguments. Requires: called with main's argc and argv[0] before the program
/// overwrites its arguments or changes its directory.
void note_execution(int argc, const char* name);

/// What precedes the program's own arguments (those behind its name) when the loader is executed again:
/// the loader's own name and options, with absolute paths, and the program's file. Throws: UsageError
/// if that file no longer exists.
std::vector<std::string> arguments_of_loader();

}  // namespace chorus::inline v0::detail::platform

// How this program was executed, and what to execute for another image of it.
#pragma once

#include <string>
#include <vector>

namespace chorus::platform {

/// Whether the kernel executed the dynamic loader, which was given the program as an argument
/// (`ld-linux-x86-64.so.2 ./program …`, as bundles with a C library of their own do).
bool is_run_by_loader() noexcept;

/// Then the kernel runs valgrind, and the program is a file that valgrind has read.
bool is_under_valgrind() noexcept;

/// The file that the kernel executes for another image of this program: what it executed for this one, under
/// whatever name. Under valgrind, the program's.
std::string running_image();

/// Remembers what it was given. Call it when the program begins: the program may write over its arguments,
/// and go to another directory. Requires: the number of the program's own arguments, and its name.
void note_execution(int argc, const char* name);

/// What comes before the program's own arguments (those behind its name) when the loader is executed once
/// more: the loader's own name and options, with absolute paths, and the program's file. Throws: UsageError
/// where that file is no longer there.
std::vector<std::string> arguments_of_loader();

}  // namespace chorus::platform

// Run a program as a user would, and look at everything it says.
#pragma once

#include <chrono>
#include <string>
#include <vector>

struct ProgramResult {
    std::string out;
    std::string err;
    int exit_code = 0;  ///< or -SIGNAL
    std::chrono::duration<double> took{};

    /// The lines of `out`, sorted.
    std::vector<std::string> sorted_lines() const;
    std::vector<std::string> lines() const;
};

/// Runs it to its end, streams into pipes. The path is taken as from a shell.
ProgramResult run_program(const std::vector<std::string>& arguments);

/// A program built from tests/programs/NAME.cpp.
std::string test_program(const std::string& name);

/// Waits until the process (by number) is gone or a zombie. False after the limit, which only a
/// broken library meets.
bool wait_until_gone(int pid, std::chrono::milliseconds limit);
bool is_running(int pid);

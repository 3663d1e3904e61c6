// A terminal with lines that scroll by, and a bar of progress below them.
//
// Without a terminal the lines are written as they are and there is no bar; nor is there one with NO_PROGRESS
// in the environment.
//
// Thread safety: any thread may call it.
#pragma once

#include <chrono>
#include <mutex>
#include <string>

#include <chorus/chorus.hpp>

namespace grep_tree {

class Screen {
public:
    explicit Screen(std::string name);
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;
    /// Wipes the bar, so that what comes next begins on a clean line.
    ~Screen();

    void show(const chorus::Progress& progress);
    /// To standard output, at once. Throws: std::system_error.
    void write(const std::string& lines);

private:
    using Clock = std::chrono::steady_clock;
    void draw();
    void wipe();

    const std::string name_;
    const bool has_bar_;      ///< standard error is a terminal
    const bool lines_on_it_;  ///< and standard output one too
    std::mutex mutex_;
    chorus::Progress progress_;
    Clock::time_point drawn_{};
};

}  // namespace grep_tree

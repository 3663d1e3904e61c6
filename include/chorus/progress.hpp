// Progress: how far a map or an imap has come, for a bar on the terminal or a function of the user.
//
//     pool.map({.progress = "squares"}, square, xs);                        // a bar on the terminal
//     pool.map({.progress = [](const chorus::Progress& p) { … }}, square, xs);  // a function
//
// The bar goes to standard error: redrawn on a terminal, at most ten times a second; elsewhere as lines of
// text, for each tenth of the work but at most one in five seconds, and one at the end. Nothing is shown if
// standard error is closed, or if the environment has NO_PROGRESS.
//
// Thread safety: values. When a function is called: pool.hpp.
// Crash safety: a chunk whose worker died counts as failed.
#pragma once

#include <chorus/version.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

/// The progress of a map.
struct Progress {
    std::size_t done = 0;                ///< items, including those that failed
    std::optional<std::size_t> total{};  ///< items; empty while unknown
    std::size_t failed = 0;              ///< items without a result: their chunk threw, died or was cancelled
    double seconds = 0;                  ///< since the start

    /// Items per second; 0 before the first.
    double rate() const noexcept { return seconds > 0 ? static_cast<double>(done) / seconds : 0; }
    /// Estimated seconds left.
    std::optional<double> left() const noexcept;
};

/// The line that the bar shows, of at most `columns` columns.
std::string progress_line(const std::string& name, const Progress& progress, std::size_t columns);

/// The value of `.progress`: nothing, the name of a bar, or a function that takes a Progress.
class ShowProgress {
public:
    ShowProgress() = default;
    /// A bar of this name on the terminal; lines of text elsewhere.
    ShowProgress(std::string name) : bar_(std::move(name)) {}
    /// The same.
    ShowProgress(const char* name) : bar_(name) {}
    /// Called each time a chunk has ended, one call at a time.
    template <std::invocable<const Progress&> Display>
    ShowProgress(Display display) : display_(std::move(display)) {}

    /// Whether there is anything to show.
    explicit operator bool() const noexcept { return bar_.has_value() || display_ != nullptr; }
    /// The name of the bar, if any.
    const std::optional<std::string>& bar() const noexcept { return bar_; }
    /// The function, if any.
    const std::function<void(const Progress&)>& display() const noexcept { return display_; }

private:
    std::optional<std::string> bar_;
    std::function<void(const Progress&)> display_;
};

}  // namespace chorus::inline v0

#pragma GCC visibility pop

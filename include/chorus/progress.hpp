// Progress: how far a map or an imap has come, for somebody who looks on.
//
//     pool.map({.progress = "squares"}, square, xs);                        // a bar on the terminal
//     pool.map({.progress = [](const chorus::Progress& p) { … }}, square, xs);  // a display of one's own
//
// The bar goes to standard error: drawn again and again on a terminal, at most ten times a second; elsewhere
// as plain lines, each tenth of the work but not more than one in five seconds, and one at the end. Nothing
// is shown if standard error is closed, or if the environment has NO_PROGRESS.
//
// Threads: a display of one's own is called by the threads that run the pool's callbacks, one call at a time:
//          what ends meanwhile is told in the next call. It may cancel, and wait for others of the pool's
//          futures. Its last call has returned when a map has its result, when an imap has given its last one
//          and said so, and when an imap's results are dropped: it may use what is there until then. After
//          cancel() none begins; one may be under way.
// Death: a chunk whose worker died counts as failed.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

/// How far a map has come.
struct Progress {
    std::size_t done = 0;                ///< items, with those that failed
    std::optional<std::size_t> total{};  ///< items; nothing while that is not known
    std::size_t failed = 0;  ///< items of which no result came: their chunk threw, died or was cancelled
    double seconds = 0;      ///< since the beginning

    /// Items a second; 0 before the first.
    double rate() const noexcept { return seconds > 0 ? static_cast<double>(done) / seconds : 0; }
    /// Seconds, if it goes on like this.
    std::optional<double> left() const noexcept;
};

/// A line as the bar shows it, of so many columns at most.
std::string progress_line(const std::string& name, const Progress& progress, std::size_t columns);

/// What `.progress` may be: nothing, the name of a bar, or a function that takes a Progress.
class ShowProgress {
public:
    ShowProgress() = default;
    /// A bar of this name on the terminal; lines of text elsewhere.
    ShowProgress(std::string name) : bar_(std::move(name)) {}
    /// The same.
    ShowProgress(const char* name) : bar_(name) {}
    /// Called each time a chunk has ended, in the thread that has heard of it, one call after the other.
    template <std::invocable<const Progress&> Display>
    ShowProgress(Display display) : display_(std::move(display)) {}

    /// Whether anything is to be shown.
    explicit operator bool() const noexcept { return bar_.has_value() || display_ != nullptr; }
    /// The bar's name, if there is to be one.
    const std::optional<std::string>& bar() const noexcept { return bar_; }
    /// The function, if there is one.
    const std::function<void(const Progress&)>& display() const noexcept { return display_; }

private:
    std::optional<std::string> bar_;
    std::function<void(const Progress&)> display_;
};

}  // namespace chorus

#pragma GCC visibility pop

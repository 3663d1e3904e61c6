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

#include <chrono>
#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <chorus/worker/future.hpp>

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

namespace pool {

/// Counts one job's items, and shows it.
/// Threads: any.
class ProgressMeter {
public:
    using Clock = std::chrono::steady_clock;

    ProgressMeter(ShowProgress how, std::optional<std::size_t> total);
    ~ProgressMeter();
    ProgressMeter(const ProgressMeter&) = delete;
    ProgressMeter& operator=(const ProgressMeter&) = delete;

    /// So many items more have ended. Throws: what a display of one's own throws.
    void add(std::size_t items, bool failed);
    /// There will be no more; for who did not know the total. Returns when that has been shown. Throws: as
    /// add().
    void end();

    /// Returns when so many have been added: who gets a result may be ahead of the one who tells of it.
    void wait_for(std::size_t items);
    /// No call of a display of one's own begins from now on.
    void hide() noexcept;
    /// Nothing is shown from now on, and no call of a display is under way, but that in which the caller is.
    void close() noexcept;
    /// Calls it when no display is being called: at once, or where that returns. Requires: no more is added.
    void when_quiet(std::function<void()> then);

private:
    enum class Drawing { none, bar, lines };

    void show(bool at_end);
    void call_display(std::unique_lock<std::mutex>& lock);
    void write(std::string line, bool whole) const;
    void wait_until_quiet(std::unique_lock<std::mutex>& lock);

    const ShowProgress show_;
    const Clock::time_point begin_ = Clock::now();
    Drawing drawing_ = Drawing::none;
    std::mutex mutex_;
    Progress progress_;
    Clock::time_point shown_at_ = begin_;
    std::size_t shown_done_ = 0;
    bool ended_ = false;
    bool is_hidden_ = false;
    std::thread::id displayer_;  ///< who calls the display, and will look again
    bool is_behind_ = false;
    std::function<void()> when_quiet_;
    std::condition_variable changed_;  ///< `done`, or the displayer
};

/// Null if nothing is to be shown.
std::shared_ptr<ProgressMeter> make_meter(const ShowProgress& show, std::optional<std::size_t> total);

/// Adds the items to the meter, if there is one, when the future completes. Requires: no callback was added
/// before, so that the display is never behind the results of a map.
void watch(const std::shared_ptr<worker::FutureState>& future, const std::shared_ptr<ProgressMeter>& meter,
           std::size_t items);

}  // namespace pool
}  // namespace chorus

#pragma GCC visibility pop

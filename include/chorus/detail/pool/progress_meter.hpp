// ProgressMeter: counts the items of a map or imap that have ended, and shows it.
//
// Thread safety: any thread.
// Crash safety: a chunk whose worker died counts as failed.
#pragma once

#include <chorus/detail/contract.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <chorus/future.hpp>
#include <chorus/progress.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::pool {

/// Counts one job's items, and shows it.
/// Thread safety: any thread.
class ProgressMeter {
public:
    using Clock = std::chrono::steady_clock;

    ProgressMeter(ShowProgress how, std::optional<std::size_t> total);
    ~ProgressMeter();
    ProgressMeter(const ProgressMeter&) = delete;
    ProgressMeter& operator=(const ProgressMeter&) = delete;

    /// So many items more have ended. Throws: what a display of one's own throws.
    void add(std::size_t items, bool failed);
    /// No more items come; for callers that did not know the total. Returns when that has been shown.
    /// Throws: as add().
    void end();

    /// Returns when so many have been added: a result may arrive before its items are counted.
    void wait_for(std::size_t items);
    /// No call of a display of one's own begins from now on.
    void hide() noexcept;
    /// Nothing is shown from now on, and no call of a display is under way, but that in which the
    /// caller is.
    void close() noexcept;
    /// Calls it when no display is being called: at once, or where that returns. Requires: no more is
    /// added.
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
    std::thread::id displayer_;  ///< the thread that calls the display, and will look again
    bool is_behind_ = false;
    std::function<void()> when_quiet_;
    std::condition_variable changed_;  ///< `done`, or the displayer
};

/// Null if nothing is to be shown.
std::shared_ptr<ProgressMeter> make_meter(const ShowProgress& show, std::optional<std::size_t> total);

/// Adds the items to the meter, if there is one, when the future completes. Requires: no callback was
/// added before, so that the display is never behind the results of a map.
void watch(const std::shared_ptr<worker::FutureState>& future, const std::shared_ptr<ProgressMeter>& meter,
           std::size_t items);

}  // namespace chorus::inline v0::detail::pool

#pragma GCC visibility pop

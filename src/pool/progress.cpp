#include <chorus/progress.hpp>

#include <chorus/detail/pool/progress_meter.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "platform/file_descriptor.hpp"
#include "platform/terminal.hpp"

namespace chorus::inline v0 {
namespace {

using namespace std::chrono_literals;

constexpr int standard_error = 2;
constexpr auto between_bars = 100ms;
constexpr auto between_lines = 5s;

std::string clock_time(double seconds) {
    const auto whole = static_cast<long long>(seconds + 0.5);
    char text[48];
    if (whole < 3600) {
        std::snprintf(text, sizeof text, "%lld:%02lld", whole / 60, whole % 60);
    } else {
        std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
    }
    return text;
}

std::string rate_of(const Progress& progress) {
    const double rate = progress.rate();
    char text[48];
    if (rate >= 1e6) {
        std::snprintf(text, sizeof text, "%.1f M/s", rate / 1e6);
    } else if (rate >= 1e4) {
        std::snprintf(text, sizeof text, "%.1f k/s", rate / 1e3);
    } else {
        std::snprintf(text, sizeof text, rate < 10 ? "%.2f/s" : "%.0f/s", rate);
    }
    return text;
}

}  // namespace

std::optional<double> Progress::left() const noexcept {
    if (!total || rate() <= 0) return std::nullopt;
    return static_cast<double>(*total - std::min(done, *total)) / rate();
}

std::string progress_line(const std::string& name, const Progress& progress, std::size_t columns) {
    const bool complete = progress.total && progress.done >= *progress.total;
    std::string numbers = std::to_string(progress.done);
    if (progress.total) numbers += "/" + std::to_string(*progress.total);
    numbers += "  " + rate_of(progress) + "  ";
    if (complete || !progress.total) {
        numbers += clock_time(progress.seconds);
    } else {
        const auto left = progress.left();
        numbers += (left ? clock_time(*left) : "-:--") + " left";
    }
    if (progress.failed != 0) numbers += "  " + std::to_string(progress.failed) + " failed";

    std::string line = name.empty() ? "" : name + "  ";
    const double part =
        !progress.total ? 0
        : *progress.total == 0
            ? 1
            : std::min(1.0, static_cast<double>(progress.done) / static_cast<double>(*progress.total));
    constexpr std::size_t least_cells = 8;
    constexpr std::size_t percent = sizeof "100%  [" "]  " - 1;
    if (progress.total && columns >= line.size() + percent + least_cells +
                                         numbers.size()) {  // a narrow terminal gets the numbers alone
        const std::size_t cells = std::min<std::size_t>(40, columns - line.size() - percent - numbers.size());
        const auto full = static_cast<std::size_t>(part * static_cast<double>(cells));
        char text[16];
        std::snprintf(text, sizeof text, "%3d%%  ", static_cast<int>(part * 100));
        line += text + ("[" + std::string(full, '#') + std::string(cells - full, '.') + "]  ");
    }
    line += numbers;
    if (line.size() <= columns) return line;
    while (columns > 0 && (static_cast<unsigned char>(line[columns]) & 0xc0) == 0x80)
        --columns;  // not through a character of its name
    return line.substr(0, columns);
}

namespace detail::pool {

ProgressMeter::ProgressMeter(ShowProgress how, std::optional<std::size_t> total) : show_(std::move(how)) {
    progress_.total = total;
    if (show_.bar() && std::getenv("NO_PROGRESS") == nullptr) {
        const auto leads = platform::standard_error().leads;
        if (leads != platform::StreamKind::nowhere)
            drawing_ = leads == platform::StreamKind::to_a_terminal ? Drawing::bar : Drawing::lines;
    }
    if (total == 0) {
        end();
    } else if (drawing_ == Drawing::bar) {
        show(false);
    }
}

ProgressMeter::~ProgressMeter() { close(); }

void ProgressMeter::add(std::size_t items, bool failed) {
    std::unique_lock lock(mutex_);
    progress_.done += items;
    if (failed) progress_.failed += items;
    changed_.notify_all();
    if (ended_) return;
    ended_ = progress_.done == progress_.total;
    show(ended_);
    call_display(lock);
}

void ProgressMeter::end() {
    std::unique_lock lock(mutex_);
    if (std::exchange(ended_, true)) return;
    if (!progress_.total) progress_.total = progress_.done;
    show(true);
    call_display(lock);
    if (!lock.owns_lock()) lock.lock();
    wait_until_quiet(lock);
}

// Not for itself.
void ProgressMeter::wait_until_quiet(std::unique_lock<std::mutex>& lock) {
    changed_.wait(
        lock, [this] { return displayer_ == std::thread::id() || displayer_ == std::this_thread::get_id(); });
}

void ProgressMeter::wait_for(std::size_t items) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return progress_.done >= items; });
}

void ProgressMeter::hide() noexcept {
    const std::lock_guard lock(mutex_);
    is_hidden_ = true;
}

void ProgressMeter::close() noexcept {
    std::unique_lock lock(mutex_);
    if (ended_) wait_until_quiet(lock);  // the end itself is still told
    is_hidden_ = true;
    if (!std::exchange(ended_, true) && drawing_ == Drawing::bar) {
        write(progress_line(*show_.bar(), progress_, platform::standard_error().columns - 1),
              true);  // what comes next begins on a line of its own
    }
    wait_until_quiet(lock);
}

void ProgressMeter::when_quiet(std::function<void()> then) {
    {
        const std::lock_guard lock(mutex_);
        if (displayer_ != std::thread::id()) {
            when_quiet_ = std::move(then);
            return;
        }
    }
    then();
}

// Without the lock: what it does may end other chunks in this very thread.
void ProgressMeter::call_display(std::unique_lock<std::mutex>& lock) {
    if (!show_.display()) return;
    is_behind_ = true;
    if (displayer_ != std::thread::id()) return;
    displayer_ = std::this_thread::get_id();
    std::exception_ptr thrown;
    while (std::exchange(is_behind_, false) && !is_hidden_) {
        const Progress now = progress_;
        lock.unlock();
        try {
            show_.display()(now);
        } catch (...) {
            thrown = std::current_exception();
        }
        lock.lock();
    }
    displayer_ = {};
    changed_.notify_all();
    const auto then = std::exchange(when_quiet_, nullptr);
    lock.unlock();
    if (then) then();
    if (thrown) std::rethrow_exception(thrown);
}

void ProgressMeter::show(bool at_end) {
    const auto now = Clock::now();
    progress_.seconds = std::chrono::duration<double>(now - begin_).count();
    if (drawing_ == Drawing::bar) {
        if (!at_end && progress_.done != 0 && now - shown_at_ < between_bars) return;
        shown_at_ = now;
        write(progress_line(*show_.bar(), progress_, platform::standard_error().columns - 1), at_end);
    } else if (drawing_ == Drawing::lines) {
        const std::size_t tenth = progress_.total.value_or(0) / 10;
        if (!at_end && (now - shown_at_ < between_lines || progress_.done - shown_done_ < tenth)) return;
        shown_at_ = now;
        shown_done_ = progress_.done;
        write(progress_line(*show_.bar(), progress_, 120), at_end);
    }
}

// In one piece. A display that cannot be written is none of the work's business.
void ProgressMeter::write(std::string line, bool whole) const {
    if (drawing_ == Drawing::bar) line = "\r" + line + "\x1b[K" + (whole ? "\n" : "");
    if (drawing_ == Drawing::lines) line += '\n';
    platform::write_all(standard_error, line.data(), line.size());
}

std::shared_ptr<ProgressMeter> make_meter(const ShowProgress& show, std::optional<std::size_t> total) {
    return show ? std::make_shared<ProgressMeter>(show, total) : nullptr;
}

void watch(const std::shared_ptr<worker::FutureState>& future, const std::shared_ptr<ProgressMeter>& meter,
           std::size_t items) {
    if (meter)
        future->add_callback([future, meter, items] { meter->add(items, future->error() != nullptr); });
}

}  // namespace detail::pool
}  // namespace chorus::inline v0

#include "pool/watchdog.hpp"

#include <algorithm>

#include "platform/os_thread.hpp"
#include "platform/signal_mask.hpp"

namespace chorus::inline v0::detail::pool {

void Watchdog::start() {
    if (phase_ != Phase::none) return;
    if (!bell_) bell_.emplace();
    const platform::SignalsBlocked blocked;  // the program's handlers run in the program's threads
    platform::start_thread(
        [](void* clock) -> void* {
            platform::name_this_thread("chorus-clock");
            static_cast<Watchdog*>(clock)->run();
            return nullptr;
        },
        this, 0);
    phase_ = Phase::runs;
}

void Watchdog::stop() {
    std::unique_lock lock(mutex_);
    if (phase_ != Phase::runs) return;
    phase_ = Phase::ends;
    bell_->ring();
    ended_.wait(lock, [this] { return phase_ == Phase::has_ended; });
}

void Watchdog::run() noexcept {
    worker::RunningTime time;
    std::unique_lock lock(mutex_);
    const auto wait_until = [&](TimePoint when) {
        lock.unlock();
        time.wait_readable(bell_->descriptor(), when);
        lock.lock();
    };
    while (phase_ != Phase::ends) {
        bell_->silence();
        wants_look_ = false;
        const TimePoint now = time.now();
        const TimePoint next = look_(now);
        rests_ = true;
        wait_until(std::min<TimePoint>(next, now + rest));
        rests_ = false;
        if (!wants_look_ && phase_ != Phase::ends && next > now + rest) wait_until(next);
    }
    phase_ = Phase::has_ended;
    ended_.notify_all();
}

}  // namespace chorus::inline v0::detail::pool

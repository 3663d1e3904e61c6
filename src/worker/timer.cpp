#include <chorus/thread.hpp>

#include <condition_variable>
#include <mutex>

namespace chorus::inline v0::threading {

using Seconds = std::chrono::duration<double>;

struct Timer::Bell {
    std::mutex mutex;
    std::condition_variable rung;
    bool cancelled = false;

    /// Returns whether the time has come: false if it was cancelled before.
    bool wait(Seconds interval) {
        std::unique_lock lock(mutex);
        const auto is_cancelled = [this] { return cancelled; };
        const Deadline deadline(interval);
        if (deadline.is_never()) {
            rung.wait(lock, is_cancelled);
        } else {
            rung.wait_until(lock, deadline.when(), is_cancelled);
        }
        return !cancelled;
    }
};

void Timer::cancel() const {
    const std::lock_guard guard(bell_->mutex);
    bell_->cancelled = true;
    bell_->rung.notify_all();
}

Timer::Timer(Seconds interval, std::unique_ptr<detail::message::Call> call)
    : Timer(std::make_shared<Bell>(), interval, std::move(call)) {}

Timer::Timer(std::shared_ptr<Bell> bell, Seconds interval, std::unique_ptr<detail::message::Call> call)
    : BaseThread(detail::worker::make_thread_state(
          ThreadOptions{}, detail::message::make_local_call([bell, interval, call = std::move(call)] {
              if (bell->wait(interval)) call->invoke(nullptr);
          }),
          "Timer")),
      bell_(std::move(bell)) {}

}  // namespace chorus::inline v0::threading

// Timer: a thread that calls a function after a while, unless it is cancelled before.
//
//     mt::Timer t(5s, remind, "tea");
//     t.start();
//     t.cancel();
//
// It is a Thread: not a daemon by default, so a program waits for it.
//
// Threads: every function may be called from any thread.
// Death: as Thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

#include <chorus/worker/thread.hpp>

namespace chorus::threading {

class Timer : public Thread {
public:
    /// The interval counts from the start; a negative one fires at once.
    template <class Rep, class Period, class Function, class... Args>
    Timer(std::chrono::duration<Rep, Period> interval, Function&& function, Args&&... args)
        : Timer(std::make_shared<Bell>(), interval, message::make_local_call(std::forward<Function>(function), std::forward<Args>(args)...)) {}

    /// The function will not be called. Nothing happens once it has been.
    void cancel() {
        const std::lock_guard guard(bell_->mutex);
        bell_->cancelled = true;
        bell_->rung.notify_all();
    }

private:
    struct Bell {
        std::mutex mutex;
        std::condition_variable rung;
        bool cancelled = false;
    };

    using Seconds = std::chrono::duration<double>;

    Timer(std::shared_ptr<Bell> bell, Seconds interval, std::shared_ptr<message::Call> call)
        : Thread(worker::make_thread_state(ThreadOptions{}, message::make_local_call(Wait{bell, interval, std::move(call)}), "Timer")),
          bell_(std::move(bell)) {}

    struct Wait {
        std::shared_ptr<Bell> bell;
        Seconds interval;
        std::shared_ptr<message::Call> call;

        void operator()() const {
            {
                std::unique_lock lock(bell->mutex);
                const Deadline deadline(interval);
                if (deadline.is_never()) {
                    bell->rung.wait(lock, [this] { return bell->cancelled; });
                } else {
                    bell->rung.wait_until(lock, deadline.when(), [this] { return bell->cancelled; });
                }
                if (bell->cancelled) return;
            }
            call->invoke(nullptr);
        }
    };

    std::shared_ptr<Bell> bell_;
};

}  // namespace chorus::threading

// End of a thread: an event that is set when the thread of a backend has ended.
//
// It outlives the backend, so that the thread can release the backend before it sets this.
//
// Thread safety: any thread.
// Crash safety: private memory of one process; in a copy of it made by fork nothing waits for it.
#pragma once

#include <condition_variable>
#include <mutex>

#include <chorus/deadline.hpp>

namespace chorus::inline v0::detail::pool {

class EndOfThread {
public:
    void set() {
        const std::lock_guard guard(mutex_);
        is_set_ = true;
        changed_.notify_all();
    }
    bool wait(Deadline deadline) {
        std::unique_lock lock(mutex_);
        if (!deadline.is_never())
            return changed_.wait_until(lock, deadline.when(), [this] { return is_set_; });
        changed_.wait(lock, [this] { return is_set_; });
        return true;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool is_set_ = false;
};

}  // namespace chorus::inline v0::detail::pool

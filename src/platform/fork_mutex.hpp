// A mutex that a fork always finds free.
#pragma once

#include <mutex>

namespace chorus::inline v0::detail::platform {

/// As std::mutex. While any thread of this program calls fork(), that thread holds all of these, so in
/// the copy no other thread's half-done work is behind them. Requires: objects are never destroyed, and
/// nothing locks one of the same rank or an outer one while it holds it.
class ForkMutex {
public:
    enum class Rank { outer, inner };

    explicit ForkMutex(Rank rank = Rank::inner);
    ForkMutex(const ForkMutex&) = delete;
    ForkMutex& operator=(const ForkMutex&) = delete;

    void lock() { mutex_.lock(); }
    void unlock() { mutex_.unlock(); }

private:
    static void lock_all();
    static void unlock_all();

    std::mutex mutex_;
    const Rank rank_;
    ForkMutex* older_ = nullptr;
};

}  // namespace chorus::inline v0::detail::platform

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
#include <memory>

#include <chorus/thread.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::threading {

/// A thread that waits before it calls its function, and can be cancelled until then.
class Timer final : public BaseThread {
public:
    /// The interval counts from the start; a negative one fires at once.
    template <class Rep, class Period, class Function, class... Args>
    Timer(std::chrono::duration<Rep, Period> interval, Function&& function, Args&&... args)
        : Timer(std::chrono::duration<double>(interval),
                message::make_local_call(std::forward<Function>(function), std::forward<Args>(args)...)) {}

    /// The function will not be called. Nothing happens once it has been.
    void cancel();

    /// The same thread, as what all of them are.
    operator Thread() const { return Thread(state_); }

private:
    struct Bell;

    Timer(std::chrono::duration<double> interval, std::unique_ptr<message::Call> call);
    Timer(std::shared_ptr<Bell> bell, std::chrono::duration<double> interval,
          std::unique_ptr<message::Call> call);

    std::shared_ptr<Bell> bell_;
};

}  // namespace chorus::threading

#pragma GCC visibility pop

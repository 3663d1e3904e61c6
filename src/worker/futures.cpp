#include "worker/futures.hpp"

#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <map>
#include <mutex>

#include "platform/file_descriptor.hpp"
#include "platform/fork_mutex.hpp"
#include "platform/os_thread.hpp"
#include "platform/signal_mask.hpp"
#include "worker/lifetime.hpp"
#include "worker/running_time.hpp"

namespace chorus::inline v0::detail::worker {
namespace {

struct Awaited {
    ProcessPointer process;
    Deadline timeout;
    std::function<void(bool)> ended;
    std::optional<RunningTime::Point> due;  ///< once the thread has seen it
    bool timed_out = false;
};

// One thread and one set of descriptors: those of the awaited children, and a doorbell for new ones.
struct Listener {
    std::mutex mutex;
    std::condition_variable idle;
    std::map<std::uint64_t, Awaited> awaited;  ///< by number; 0 is the bell's
    std::uint64_t next = 1;
    std::size_t in_progress = 0;
    std::uintptr_t thread = 0;  ///< set by the thread itself
    bool has_left = false;
    platform::ReadySet ready;
    platform::Doorbell bell;
    RunningTime time;  ///< the thread's

    void listen();
    RunningTime::Point earliest();
    void kill_overdue();
    void receive(std::uint64_t number);
};

struct Holder {
    platform::ForkMutex mutex;
    Listener* listener = nullptr;
};
Holder& holder() {
    static auto* const instance = new Holder;
    return *instance;
}
// Before main: a fork while another thread makes it would leave a copy that waits indefinitely.
[[maybe_unused]] auto& holder_made = holder();

void say(const std::exception& error) noexcept {
    std::fprintf(stderr, "chorus: the thread that hears of async's processes: %s\n", error.what());
}

RunningTime::Point Listener::earliest() {
    const std::lock_guard guard(mutex);
    const auto here = time.now();
    auto earliest = RunningTime::never;
    for (auto& [number, each] : awaited) {
        if (each.timeout.is_never() || each.timed_out) continue;
        if (!each.due) each.due = RunningTime::after(here, each.timeout);
        earliest = std::min(earliest, *each.due);
    }
    return earliest;
}

void Listener::kill_overdue() {
    const std::lock_guard guard(mutex);
    const auto here = time.now();
    for (auto& [number, each] : awaited) {
        if (each.timed_out || !each.due || here < *each.due) continue;
        each.timed_out = true;
        send_signal(each.process, SIGKILL);
    }
}

void Listener::receive(std::uint64_t number) {
    Awaited over;
    {
        const std::lock_guard guard(mutex);
        auto found = awaited.extract(number);
        if (found.empty()) return;
        over = std::move(found.mapped());
        ++in_progress;
        ready.remove(over.process->process->get());
    }
    try {
        over.ended(over.timed_out);
    } catch (const std::exception& error) {
        say(error);
    }
    const std::lock_guard guard(mutex);
    --in_progress;
    if (awaited.empty() && in_progress == 0) idle.notify_all();
}

void Listener::listen() {
    {
        const std::lock_guard guard(mutex);
        thread = platform::this_thread();
    }
    for (;;) {
        // A failure here must not end the user's program. The future concerned stays as it is.
        try {
            time.wait_readable(ready.descriptor(), earliest());
            for (const auto number : ready.wait(now)) {
                if (number == 0) {
                    bell.silence();
                } else {
                    receive(number);
                }
            }
            kill_overdue();
        } catch (const std::exception& error) {
            say(error);
        }
    }
}

Listener& running_listener() {
    auto& here = holder();
    const std::lock_guard guard(here.mutex);
    if (here.listener == nullptr) {
        auto fresh = std::make_unique<Listener>();
        fresh->ready.add(fresh->bell.descriptor(), 0);
        const platform::SignalsBlocked blocked;  // the program's handlers run in the program's threads
        platform::start_thread(
            [](void* listener) -> void* {
                platform::name_this_thread("chorus-futures");
                platform::count_as_servant();
                static_cast<Listener*>(listener)->listen();
                return nullptr;
            },
            fresh.get(), 0);
        here.listener = fresh.release();
    }
    return *here.listener;
}

}  // namespace

void prepare_futures() {
    if (!has_begun() || is_ending()) return;
    begun_here.futures = true;
    running_listener();
}

void when_ended(ProcessPointer process, Deadline timeout, std::function<void(bool)> ended) {
    auto& listener = running_listener();
    const std::lock_guard guard(listener.mutex);
    const auto number = listener.next++;
    const int descriptor = process->process->get();
    const auto place =
        listener.awaited
            .emplace(number, Awaited{std::move(process), timeout, std::move(ended), std::nullopt, false})
            .first;
    try {
        listener.ready.add(descriptor, number);
    } catch (...) {
        listener.awaited.erase(place);  // otherwise the program's end would wait for it
        throw;
    }
    if (!timeout.is_never()) listener.bell.ring();
}

bool finish_futures() {
    Listener* listener = nullptr;
    {
        const std::lock_guard guard(holder().mutex);
        listener = holder().listener;
    }
    if (listener == nullptr) return false;
    std::unique_lock lock(listener->mutex);
    const auto is_idle = [&] {
        return listener->has_left || (listener->awaited.empty() && listener->in_progress == 0);
    };
    if (is_idle()) return false;
    listener->idle.wait(lock, is_idle);
    return true;
}

void futures_thread_leaves() noexcept {
    Listener* listener = nullptr;
    {
        const std::lock_guard guard(holder().mutex);
        listener = holder().listener;
    }
    if (listener == nullptr) return;
    const std::lock_guard guard(listener->mutex);
    if (listener->thread != platform::this_thread()) return;
    listener->has_left = true;
    listener->idle.notify_all();
}

void forget_futures() {
    holder().listener = nullptr;  // the copy lacks its thread; its descriptors are closed when this copy ends
}

}  // namespace chorus::inline v0::detail::worker

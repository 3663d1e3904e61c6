// Turnstile: which caller may put an item into a queue of threads, which may take one out, and which
// waits.
//
// It knows neither the items nor their order: it counts them, and lets through the callers that may
// change the store that holds them. The two sides may work at the same time, or take turns, as the
// store needs it.
//
// Thread safety: every call may come from any thread.
// Crash safety: a thread does not die alone, so nothing is left half done.
#pragma once

#include <chorus/detail/contract.hpp>

#include <cstddef>
#include <memory>

#include <chorus/deadline.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::channel {

class Turnstile {
public:
    enum class Sides { apart, in_turns };

    /// At most `maxsize` items; 0: no limit.
    Turnstile(std::size_t maxsize, Sides sides);
    ~Turnstile();
    Turnstile(const Turnstile&) = delete;
    Turnstile& operator=(const Turnstile&) = delete;

    /// Holds the side of the puts, where there is room for an item or more. Nothing of the user's that may
    /// wait for another caller may run meanwhile.
    class Put {
    public:
        /// Throws: ShutDown.
        Put(Turnstile& turnstile, Deadline deadline)
            : turnstile_(turnstile), holds_(turnstile.begin_put(deadline)) {}
        ~Put() {
            if (holds_) turnstile_.end_put(0);
        }
        Put(const Put&) = delete;
        Put& operator=(const Put&) = delete;

        /// False when no room became free in time.
        explicit operator bool() const noexcept { return holds_; }
        std::size_t room() noexcept { return turnstile_.room(); }
        /// So many items have been added to the store: that is the commit. Lets go of the side.
        void commit(std::size_t items) noexcept {
            holds_ = false;
            turnstile_.end_put(items);
        }

    private:
        Turnstile& turnstile_;
        bool holds_;
    };

    /// Holds the side of the gets, where there is an item or more.
    class Get {
    public:
        /// Throws: ShutDown.
        Get(Turnstile& turnstile, Deadline deadline)
            : turnstile_(turnstile), holds_(turnstile.begin_get(deadline)) {}
        ~Get() {
            if (holds_) turnstile_.end_get(0);
        }
        Get(const Get&) = delete;
        Get& operator=(const Get&) = delete;

        /// False when no item came in time.
        explicit operator bool() const noexcept { return holds_; }
        std::size_t available() noexcept { return turnstile_.available(); }
        /// So many items have been taken from the store: that is the commit. Lets go of the side.
        void commit(std::size_t items) noexcept {
            holds_ = false;
            turnstile_.end_get(items);
        }

    private:
        Turnstile& turnstile_;
        bool holds_;
    };

    std::size_t size() const noexcept;
    bool full() const noexcept;
    std::size_t maxsize() const noexcept;
    void set_maxsize(std::size_t maxsize);

    /// Throws: UsageError if there is nothing that could be done.
    void task_done();
    /// Returns false when the deadline passed.
    bool join(Deadline deadline);

    /// Returns whether the caller shall throw away what is in the store: no other caller touches that
    /// any more.
    bool shut_down(bool immediately);
    bool is_shut_down() const noexcept;

    [[noreturn]] void throw_full() const;
    [[noreturn]] static void throw_empty();

private:
    struct State;

    bool begin_put(Deadline deadline);
    std::size_t room() noexcept;
    void end_put(std::size_t items) noexcept;
    bool begin_get(Deadline deadline);
    std::size_t available() noexcept;
    void end_get(std::size_t items) noexcept;

    std::unique_ptr<State> state_;
};

}  // namespace chorus::inline v0::detail::channel

#pragma GCC visibility pop

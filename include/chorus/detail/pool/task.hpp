// A task of a pool: a call, its future, and the state of its present attempt.
//
// Thread safety: the pool's backend hands it from thread to thread, one at a time.
// Crash safety: if the worker that runs it dies, the backend fails its future or gives the task out again.
#pragma once

#include <chorus/detail/contract.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <chorus/detail/message/callable.hpp>
#include <chorus/detail/pool/backend.hpp>
#include <chorus/future.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::pool {

struct Channels;

/// What a backend sees of it.
class Task {
public:
    virtual ~Task() = default;

    virtual worker::FutureState& future() noexcept = 0;
    /// Writes the call. Requires: it travels.
    virtual void encode(message::Writer& out) const = 0;
    /// Takes the value that came back, which ends the future. Throws: DecodeError and what reading the
    /// value throws.
    virtual void take_value(message::Reader& in) = 0;
    /// Runs the call here; its value or exception ends the future.
    void run() noexcept;
    /// Function and arguments go when they are not needed any more, however long a caller keeps the
    /// future.
    virtual void drop_call() noexcept = 0;
    virtual std::string function_name() const = 0;

    TaskOptions options;
    std::uint64_t number = 0;         ///< of the pool's tasks: 1, 2, …
    std::optional<std::size_t> item;  ///< of the range of a map or imap, the first in it
    std::uint64_t arrow = 0;  ///< in a trace: from its submission to its beginning; 0: it is not traced
    // The backend's own.
    std::uint64_t id = 0;
    std::atomic<std::size_t> bytes = 0;  ///< of the written call, and then of the written value
    std::weak_ptr<Channels> channels;    ///< through which it was given out last, of this generation
    std::uint32_t generation = 0;
    std::uint32_t position = 0;
    bool is_placed = false;  ///< `position` is known
    bool is_encoding = false;
    bool is_held_back = false;    ///< by the budget
    std::size_t used = 0;         ///< of the budget
    bool waits_to_begin = false;  ///< it has a timeout, which has not begun
    int deaths = 0;
    int late = 0;

protected:
    /// Calls the function, destroys the call, and completes the future with the result.
    /// Throws: what the function throws.
    virtual void call() = 0;
};

using TaskPointer = std::shared_ptr<Task>;

/// A task that is its own future's state: one allocation for both. `travels`: its result comes as
/// bytes.
template <class Result, bool travels = true>
class TypedTask : public worker::TypedFutureState<Result>, public Task {
public:
    using Value = Result;

    explicit TypedTask(std::shared_ptr<Backend> backend)
        : worker::TypedFutureState<Result>(std::move(backend)) {}

    worker::FutureState& future() noexcept override { return *this; }

    void take_value([[maybe_unused]] message::Reader& in) override {
        if constexpr (std::is_void_v<Result>) {
            this->set_value({});
        } else if constexpr (travels) {
            this->set_value(message::decode<Result>(in));
        }
    }

protected:
    // Called for a pending future, or by the thread that completes it.
    bool has_begun() const noexcept override {
        const auto backend = this->helper();
        return backend && static_cast<Backend&>(*backend).has_begun(*this);
    }
    bool can_stop() const noexcept override {
        const auto backend = this->helper();
        return backend && static_cast<Backend&>(*backend).can_stop_running();
    }
    void stop() override { static_cast<Backend&>(*this->helper()).cancelled(*this); }
};

/// The part of a task that is compiled for each call site; Shown is the TypedTask that it derives from.
template <bool travels, class Shown, class Function, class... Args>
class CallTask final : public Shown {
public:
    using Base = Shown;

    template <class F, class... A>
    explicit CallTask(std::shared_ptr<Backend> backend, F&& function, A&&... args)
        : Shown(std::move(backend)), call_(static_cast<F&&>(function), static_cast<A&&>(args)...) {}
    ~CallTask() override { CallTask::drop_call(); }

    void encode(message::Writer& out) const override { call_.encode(out); }
    void drop_call() noexcept override {
        if (std::exchange(has_call_, false)) call_.~Call();
    }
    std::string function_name() const override { return has_call_ ? call_.function_name() : ""; }

protected:
    void call() override {
        using Result = typename Shown::Value;
        if constexpr (std::is_void_v<Result>) {
            call_.call();
            drop_call();
            this->set_value({});
        } else {
            Result value = call_.call();
            drop_call();
            this->set_value(std::move(value));
        }
    }

private:
    using Call = message::BoundFunction<travels, Function, Args...>;

    union {
        Call call_;
    };
    bool has_call_ = true;
};

template <bool travels, class Function, class... Args>
using TaskOf = CallTask<travels, TypedTask<message::ResultOf<Function, Args...>, travels>, Function, Args...>;

// Storage for a task beside its reference count, as std::make_shared allocates it, but compiled for
// each size and alignment instead of for each task type.
template <std::size_t size, std::size_t alignment>
struct TaskMemory {
    TaskMemory() noexcept {}  // leaves the bytes uninitialised
    ~TaskMemory() {
        if (task != nullptr) std::destroy_at(task);
    }
    TaskMemory(const TaskMemory&) = delete;
    TaskMemory& operator=(const TaskMemory&) = delete;

    alignas(alignment) std::byte bytes[size];
    Task* task = nullptr;
};

/// Makes a task with one allocation.
template <class Submitted, class... Parts>
auto make_task(std::shared_ptr<Backend> backend, Parts&&... parts) {
    using Shown = typename Submitted::Base;
    // With the pointer behind the bytes a multiple of the alignment: nothing is allocated for padding.
    constexpr std::size_t alignment = std::max(alignof(Submitted), alignof(std::max_align_t));
    constexpr std::size_t whole = (sizeof(Submitted) + sizeof(Task*) + alignment - 1) / alignment * alignment;
    auto memory = std::make_shared<TaskMemory<whole - sizeof(Task*), alignment>>();
    void* const place = memory->bytes;
    Shown* const task = ::new (place) Submitted(std::move(backend), static_cast<Parts&&>(parts)...);
    memory->task = task;
    return std::shared_ptr<Shown>(std::move(memory), task);
}

}  // namespace chorus::inline v0::detail::pool

#pragma GCC visibility pop

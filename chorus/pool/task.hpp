// A task of a pool: a call, its future, and what is known of it on its way.
//
// Threads: the pool's crew hands it from thread to thread, one at a time.
// Death: of the worker that runs it: the crew fails its future, or gives the task out again.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <chorus/message/callable.hpp>
#include <chorus/pool/crew.hpp>
#include <chorus/worker/future.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::pool {

/// What a crew sees of it.
class Task {
public:
    virtual ~Task() = default;

    virtual worker::FutureState& future() noexcept = 0;
    /// Writes the call. Requires: it travels.
    virtual void encode(message::Writer& out) const = 0;
    /// Takes the value that came back, which ends the future. Throws: DecodeError and what reading the value throws.
    virtual void take_value(message::Reader& in) = 0;
    /// Runs the call here; its value or exception ends the future.
    virtual void run() noexcept = 0;
    /// Function and arguments go when they are not needed any more, however long somebody keeps the future.
    virtual void drop_call() noexcept = 0;
    virtual std::string function_name() const = 0;

    TaskOptions options;
    std::uint64_t number = 0;  ///< of the pool's tasks: 1, 2, …
    std::uint64_t arrow = 0;   ///< in a trace: from its submission to its beginning; 0: it is not traced
    // The crew's own.
    std::uint64_t id = 0;
    std::atomic<std::size_t> bytes = 0;  ///< of the written call, and then of the written value
    std::uint32_t position = 0;
    bool is_placed = false;  ///< `position` is known
    bool is_encoding = false;
    bool is_held_back = false;    ///< by the budget
    std::size_t used = 0;         ///< of the budget
    bool waits_to_begin = false;  ///< it has a timeout, which has not begun
    int deaths = 0;
    int late = 0;
};

using TaskPointer = std::shared_ptr<Task>;

/// The task and its future's state, in one piece of memory.
template <bool travels, class Result, class Function, class... Args>
class CallTask : public worker::TypedFutureState<Result>, public Task {
public:
    using Value = Result;

    template <class F, class... A>
    CallTask(std::shared_ptr<Crew> crew, F&& function, A&&... args)
        : crew_(std::move(crew)), call_(std::in_place, std::forward<F>(function), std::forward<A>(args)...) {}

    worker::FutureState& future() noexcept override { return *this; }

    void encode(message::Writer& out) const override { call_->encode(out); }

    void take_value(message::Reader& in) override {
        if constexpr (std::is_void_v<Result>) {
            this->set_value({});
        } else {
            this->set_value(message::decode<Result>(in));
        }
    }

    void run() noexcept override {
        try {
            if constexpr (std::is_void_v<Result>) {
                call_->call();
                call_.reset();
                this->set_value({});
            } else {
                Result value = call_->call();
                call_.reset();
                this->set_value(std::move(value));
            }
        } catch (...) {
            call_.reset();
            this->set_error(std::current_exception());
        }
    }

    void drop_call() noexcept override { call_.reset(); }
    std::string function_name() const override { return call_ ? call_->function_name() : ""; }

    bool help_until(const worker::FutureState& goal, Deadline deadline) const override {
        const auto crew = crew_;
        return crew->wait_for(goal, deadline);
    }
    const void* helped() const noexcept override { return crew_.get(); }

protected:
    void wake_helper() const noexcept override { crew_->wake_waiting(); }
    bool has_begun() const noexcept override { return crew_->has_begun(*this); }
    bool can_stop() const noexcept override { return crew_->can_stop_running(); }
    void stop() override { crew_->cancelled(*this); }

private:
    std::shared_ptr<Crew> crew_;
    std::optional<message::TypedCall<travels, Function, Args...>> call_;
};

template <bool travels, class Function, class... Args>
using TaskOf = CallTask<travels, message::ResultOf<Function, Args...>, Function, Args...>;

}  // namespace chorus::pool

#pragma GCC visibility pop

// run and async: call a function in a process of its own, and get its result.
//
//     int r = mp::run(parse, bytes);
//     auto f = mp::async({.timeout = 2s, .memory = 512_MiB}, parse, bytes);
//     try { use(f.get()); } catch (const chorus::WorkerDied& e) { log(e.what(), e.stack()); }
//
// The call returns the function's value, or throws its exception: as itself if the type is known here (the
// std ones, Chorus's, and those given to chorus::register_exception), else as RemoteError. A crash is thrown
// as WorkerDied, with the signal and the stack.
//
// A `.timeout` that is a duration counts from the start of the work; a time point means until then.
//
// Thread safety: any thread may make any call. Callbacks of the futures run in one thread of the library.
// Crash safety: the death of the worker is an exception here; if the caller dies, the worker is killed.
#pragma once

#include <chorus/version.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <chorus/detail/message/callable.hpp>
#include <chorus/future.hpp>
#include <chorus/serialize.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

inline namespace literals {
/// `4_KiB` is 4096 bytes.
constexpr std::size_t operator""_KiB(unsigned long long count) {
    return static_cast<std::size_t>(count) << 10;
}
/// `512_MiB` is 512 times 1024 KiB, in bytes.
constexpr std::size_t operator""_MiB(unsigned long long count) {
    return static_cast<std::size_t>(count) << 20;
}
/// `1_GiB` is 1024 MiB, in bytes.
constexpr std::size_t operator""_GiB(unsigned long long count) {
    return static_cast<std::size_t>(count) << 30;
}
}  // namespace literals

/// Limits of a pool's task, and how often it is retried.
struct TaskOptions {
    Deadline timeout{};       ///< of each attempt, counted from when a worker begins it: TimedOut
    Deadline cpu_time{};      ///< CPU time of each attempt, of all its threads together: TimedOut
    std::size_t memory = 0;   ///< bytes that it may allocate in a worker process, 0 for no limit: OutOfMemory
    int retries = 0;          ///< attempts after its worker died
    int timeout_retries = 0;  ///< attempts after it was TimedOut
    std::size_t weight = 0;   ///< its share of the pool's .budget; 0: none
};

namespace multiprocessing {

/// Options of run() and async().
struct CallOptions {
    std::string name{};      ///< of the process; "" for Process-N
    Deadline timeout{};      ///< after which the worker is killed: TimedOut
    std::size_t memory = 0;  ///< bytes that it may allocate, 0 for no limit: OutOfMemory
};

}  // namespace multiprocessing

namespace detail::worker {

using TakeValue = std::function<void(message::Reader&)>;

/// Runs the call in a child and waits. Throws what it threw, or what became of it.
void run_in_child(multiprocessing::CallOptions options, std::unique_ptr<message::Call> call,
                  const TakeValue& take);
/// Starts the call in a child; the future is ended when the child has.
void run_in_child_later(multiprocessing::CallOptions options, std::unique_ptr<message::Call> call,
                        const std::shared_ptr<FutureState>& future, TakeValue take);

}  // namespace detail::worker

namespace multiprocessing {

/// Runs function(args…) in a child process, waits for it and returns its value. chorus/serialize.hpp says
/// what travels. Throws: the function's exception; WorkerDied, TimedOut, OutOfMemory; as Process::start().
template <class Function, class... Args>
auto run(CallOptions options, Function&& function, Args&&... args) {
    using Result = typename detail::message::CallResult<Function, Args...>::type;
    auto call =
        detail::message::make_travelling_call(std::forward<Function>(function), std::forward<Args>(args)...);
    if constexpr (std::is_void_v<Result>) {
        detail::worker::run_in_child(std::move(options), std::move(call), [](detail::message::Reader&) {});
    } else {
        std::optional<Result> value;
        detail::worker::run_in_child(std::move(options), std::move(call), [&](detail::message::Reader& in) {
            value.emplace(detail::message::decode<Result>(in));
        });
        return *std::move(value);
    }
}

/// The same, without options.
template <class Function, class... Args>
    requires(!std::same_as<std::remove_cvref_t<Function>, CallOptions>)
auto run(Function&& function, Args&&... args) {
    return run(CallOptions{}, std::forward<Function>(function), std::forward<Args>(args)...);
}

/// The same without waiting: the future ends when the child has ended. Throws: as Process::start().
template <class Function, class... Args>
auto async(CallOptions options, Function&& function, Args&&... args) {
    using Result = typename detail::message::CallResult<Function, Args...>::type;
    auto state = std::make_shared<detail::worker::TypedFutureState<Result>>();
    auto call =
        detail::message::make_travelling_call(std::forward<Function>(function), std::forward<Args>(args)...);
    // The library keeps what takes the value for as long as the child lives: so it must hold the state.
    detail::worker::run_in_child_later(std::move(options), std::move(call), state,
                                       [state](detail::message::Reader& in) {
                                           if constexpr (std::is_void_v<Result>) {
                                               state->set_value({});
                                           } else {
                                               state->set_value(detail::message::decode<Result>(in));
                                           }
                                       });
    return detail::Access::make<Future<Result>>(state);
}

/// The same, without options.
template <class Function, class... Args>
    requires(!std::same_as<std::remove_cvref_t<Function>, CallOptions>)
auto async(Function&& function, Args&&... args) {
    return async(CallOptions{}, std::forward<Function>(function), std::forward<Args>(args)...);
}

}  // namespace multiprocessing
}  // namespace chorus::inline v0

// Sizes are written `512_MiB` in all code that uses Chorus; the names are unlikely to collide.
using chorus::literals::operator""_KiB;
using chorus::literals::operator""_MiB;
using chorus::literals::operator""_GiB;

#pragma GCC visibility pop

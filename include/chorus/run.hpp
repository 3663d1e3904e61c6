// run and async: a function in a process of its own, with its result.
//
//     int r = mp::run(parse, bytes);
//     auto f = mp::async({.timeout = 2s, .memory = 512_MiB}, parse, bytes);
//     try { use(f.get()); } catch (const chorus::WorkerDied& e) { log(e.what(), e.stack()); }
//
// The value comes back; so does an exception, as itself where its type is known here (the std ones,
// Chorus's, and those given to chorus::register_exception), else as RemoteError. A crash comes back as
// WorkerDied with the signal and the stack.
//
// Threads: any. Callbacks of the futures run in one thread of the library.
// Death: of the worker: an exception here. Of the caller: the worker is ended too.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <chorus/detail/message/callable.hpp>
#include <chorus/future.hpp>
#include <chorus/register_exception.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

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

/// A length of time that work may take.
/// Throws: UsageError if it is negative or no number.
class Timeout {
public:
    /// Any duration. Throws: UsageError if it is negative or no number.
    template <class Rep, class Period>
    Timeout(std::chrono::duration<Rep, Period> duration)
        : seconds_(checked(std::chrono::duration<double>(duration).count())) {}
    /// In seconds.
    std::chrono::duration<double> duration() const noexcept {
        return std::chrono::duration<double>(seconds_);
    }

private:
    static double checked(double seconds) {
        if (!(seconds >= 0))
            throw UsageError("a timeout cannot be negative: got " + std::to_string(seconds) + " s");
        return seconds;
    }
    double seconds_;
};

namespace multiprocessing {

/// What may be said about a call in a process of its own.
struct CallOptions {
    std::string name{};                ///< of the process; "" for Process-N
    std::optional<Timeout> timeout{};  ///< the worker is killed after this long: TimedOut
    std::size_t memory = 0;            ///< bytes it may allocate, 0 for no limit: OutOfMemory
};

}  // namespace multiprocessing

namespace worker {

using TakeValue = std::function<void(message::Reader&)>;

/// Runs the call in a child and waits. Throws what it threw, or what became of it.
void run_in_child(multiprocessing::CallOptions options, std::unique_ptr<message::Call> call,
                  const TakeValue& take);
/// Starts the call in a child; the future is ended when the child has.
void run_in_child_later(multiprocessing::CallOptions options, std::unique_ptr<message::Call> call,
                        const std::shared_ptr<FutureState>& future, TakeValue take);

}  // namespace worker

namespace multiprocessing {

/// Runs function(args…) in a child process and waits for its value. What travels is said in
/// chorus/serialize.hpp. Throws: the function's exception; WorkerDied, TimedOut, OutOfMemory; as
/// Process::start().
template <class Function, class... Args>
auto run(CallOptions options, Function&& function, Args&&... args) {
    using Result = typename message::CallResult<Function, Args...>::type;
    auto call = message::make_travelling_call(std::forward<Function>(function), std::forward<Args>(args)...);
    if constexpr (std::is_void_v<Result>) {
        worker::run_in_child(std::move(options), std::move(call), [](message::Reader&) {});
    } else {
        std::optional<Result> value;
        worker::run_in_child(std::move(options), std::move(call),
                             [&](message::Reader& in) { value.emplace(message::decode<Result>(in)); });
        return *std::move(value);
    }
}

/// The same, without options.
template <class Function, class... Args>
    requires(!std::same_as<std::remove_cvref_t<Function>, CallOptions>)
auto run(Function&& function, Args&&... args) {
    return run(CallOptions{}, std::forward<Function>(function), std::forward<Args>(args)...);
}

/// The same, without waiting: the future ends when the child has. Throws: as Process::start().
template <class Function, class... Args>
auto async(CallOptions options, Function&& function, Args&&... args) {
    using Result = typename message::CallResult<Function, Args...>::type;
    auto state = std::make_shared<worker::TypedFutureState<Result>>();
    auto call = message::make_travelling_call(std::forward<Function>(function), std::forward<Args>(args)...);
    // The library keeps what takes the value for as long as the child lives: so it must hold the state.
    worker::run_in_child_later(std::move(options), std::move(call), state, [state](message::Reader& in) {
        if constexpr (std::is_void_v<Result>) {
            state->set_value({});
        } else {
            state->set_value(message::decode<Result>(in));
        }
    });
    return Future<Result>(state);
}

/// The same, without options.
template <class Function, class... Args>
    requires(!std::same_as<std::remove_cvref_t<Function>, CallOptions>)
auto async(Function&& function, Args&&... args) {
    return async(CallOptions{}, std::forward<Function>(function), std::forward<Args>(args)...);
}

}  // namespace multiprocessing
}  // namespace chorus

// Sizes are written `512_MiB` wherever Chorus is used; the names are unlikely to meet others.
using chorus::literals::operator""_KiB;
using chorus::literals::operator""_MiB;
using chorus::literals::operator""_GiB;

#pragma GCC visibility pop

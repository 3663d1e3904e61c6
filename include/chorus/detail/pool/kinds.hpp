// What distinguishes pools of processes from pools of threads at compile time.
//
// Thread safety: constants and pure functions.
#pragma once

#include <chorus/detail/contract.hpp>

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <chorus/detail/message/callable.hpp>
#include <chorus/detail/pool/backend.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::pool {

struct Processes {
    static constexpr bool travels = true;
    template <class Arg>
    using Kept = message::Travelling<Arg>;
    template <class Function, class... Args>
    static constexpr bool can_take = message::can_travel<Function, Args...>();
    template <class... Parts>
    static auto make_call(Parts&&... parts) {
        return message::make_travelling_call(std::forward<Parts>(parts)...);
    }
    static std::shared_ptr<Backend> make_backend(BackendOptions options) {
        return make_process_backend(std::move(options));
    }
    /// Empty for "": as set_start_method() has chosen. Throws: UsageError.
    static std::optional<StartMethod> start_method_named(const std::string& name) {
        return name.empty() ? std::nullopt : std::optional(worker::start_method_named(name));
    }
};

struct Threads {
    static constexpr bool travels = false;
    template <class Arg>
    using Kept = std::decay_t<Arg>;
    template <class Function, class... Args>
    static constexpr bool can_take = message::can_be_called_here<Function, Args...>();
    template <class... Parts>
    static auto make_call(Parts&&... parts) {
        return message::make_local_call(std::forward<Parts>(parts)...);
    }
    static std::shared_ptr<Backend> make_backend(BackendOptions options) {
        return make_thread_backend(std::move(options));
    }
    /// Throws: UsageError unless it is "".
    static std::optional<StartMethod> start_method_named(const std::string& name) {
        if (!name.empty())
            throw UsageError(
                "a pool of threads has no start method: leave .start_method out, or take mp::Pool");
        return std::nullopt;
    }
};

/// A function that each worker calls before its first task: `.initializer = setup`, `.initializer =
/// {setup, 3}`.
template <class Kind>
class Initializer {
public:
    Initializer() = default;
    template <class Function, class... Args>
        requires(!std::same_as<std::remove_cvref_t<Function>, Initializer>)
    Initializer(Function&& function, Args&&... args) {
        if constexpr (Kind::travels) {
            call = Kind::make_call(std::forward<Function>(function), std::forward<Args>(args)...);
        } else {
            here = [function = std::decay_t<Function>(std::forward<Function>(function)),
                    args = std::make_tuple(std::forward<Args>(args)...)] { std::apply(function, args); };
        }
    }
    std::shared_ptr<message::Call> call;
    std::function<void()> here;
};

}  // namespace chorus::inline v0::detail::pool

#pragma GCC visibility pop

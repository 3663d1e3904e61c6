// Futures in each of their states, without a worker behind them.
#pragma once

#include <memory>
#include <stdexcept>

#include <chorus/future.hpp>

using StateByHand = chorus::detail::worker::TypedFutureState<int>;

inline std::shared_ptr<StateByHand> pending_state() { return std::make_shared<StateByHand>(); }

inline chorus::Future<int> pending_future() {
    return chorus::detail::Access::make<chorus::Future<int>>(pending_state());
}
inline chorus::Future<int> running_future() {
    const auto future = pending_future();
    chorus::detail::Access::state(future)->set_running();
    return future;
}
inline chorus::Future<int> cancelled_future() {
    const auto future = pending_future();
    future.cancel();
    return future;
}
inline chorus::Future<int> failed_future() {
    const auto future = pending_future();
    chorus::detail::Access::state(future)->set_error(
        std::make_exception_ptr(std::runtime_error("failed by hand")));
    return future;
}
inline chorus::Future<int> successful_future() {
    const auto future = pending_future();
    chorus::detail::Access::state(future)->set_value(42);
    return future;
}

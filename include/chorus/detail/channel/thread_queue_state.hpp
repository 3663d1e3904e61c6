// The state of a queue between threads: a Turnstile lets callers in and out, a store keeps the items.
//
// Thread safety: any thread may make any call.
#pragma once

#include <chorus/detail/contract.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <chorus/deadline.hpp>
#include <chorus/detail/channel/item_store.hpp>
#include <chorus/detail/channel/turnstile.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::channel {

/// An item's way in and out, for all kinds of queues.
template <class T, class Store>
class ThreadQueueState {
    static_assert(std::is_object_v<T> && !std::is_const_v<T> && std::move_constructible<T>,
                  "a queue holds values that can be moved");

public:
    template <class... StoreArguments>
    explicit ThreadQueueState(std::size_t maxsize, StoreArguments&&... arguments)
        : turnstile_(maxsize, Store::sides), store_(std::forward<StoreArguments>(arguments)...) {}

    Turnstile& turnstile() noexcept { return turnstile_; }
    const Turnstile& turnstile() const noexcept { return turnstile_; }

    /// Returns false when no room became free in time; then the value is untouched.
    template <class Value>
    bool put(Value&& value, Deadline deadline) {
        Turnstile::Put put(turnstile_, deadline);
        if (!put) return false;
        store_.push(std::forward<Value>(value));
        put.commit(1);
        return true;
    }

    std::size_t put_many(std::span<const T> values, Deadline deadline) {
        std::size_t done = 0;
        while (done < values.size()) {
            Turnstile::Put put(turnstile_, deadline);
            if (!put) break;
            const std::size_t before = done;
            const std::size_t end = before + std::min(put.room(), values.size() - before);
            try {
                for (; done < end; ++done) store_.push(values[done]);
            } catch (...) {
                put.commit(done - before);
                throw;
            }
            put.commit(done - before);
        }
        return done;
    }

    T get(Deadline deadline) {
        Turnstile::Get get(turnstile_, deadline);
        if (!get) Turnstile::throw_empty();
        T value(std::move(store_.front()));
        const auto shell = store_.pop();  // gone after the side is let go
        get.commit(1);
        return value;
    }

    std::optional<T> try_get() {
        Turnstile::Get get(turnstile_, now);
        if (!get) return std::nullopt;
        std::optional<T> value(std::in_place, std::move(store_.front()));
        const auto shell = store_.pop();
        get.commit(1);
        return value;
    }

    std::vector<T> get_many(std::size_t most, Deadline deadline) {
        std::vector<T> values;
        std::vector<typename Store::Shell> shells;
        Turnstile::Get get(turnstile_, deadline);
        if (!get) Turnstile::throw_empty();
        const std::size_t count = std::min(most, get.available());
        values.reserve(count);
        shells.reserve(count);
        try {
            while (values.size() < count) {
                values.push_back(std::move(store_.front()));
                shells.push_back(store_.pop());
            }
        } catch (...) {
            if (values.empty()) throw;  // otherwise the next call will meet it
        }
        get.commit(values.size());
        return values;
    }

    void shut_down(bool immediately) {
        if (turnstile_.shut_down(immediately)) store_.clear();
    }

private:
    Turnstile turnstile_;
    Store store_;
};

}  // namespace chorus::inline v0::detail::channel

#pragma GCC visibility pop

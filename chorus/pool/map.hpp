// map: a call for each item, many items to a task, and their results gathered in order.
//
// Threads: as the pool's.
// Death: as the pool's; a chunk of items is a task.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <chorus/pool/crew.hpp>
#include <chorus/pool/progress.hpp>
#include <chorus/worker/future.hpp>

namespace chorus {

struct MapOptions {
    ShowProgress progress{};    ///< a name: draws a bar; a function: is called with each Progress
    std::size_t chunksize = 0;  ///< items to a task; 0: about a quarter of each worker's share, as Python's
    TaskOptions task{};         ///< for each task
};

namespace pool {

std::size_t chunk_size(std::size_t wanted, std::size_t items, std::size_t workers) noexcept;

template <class Function>
struct OneByOne {
    Function function;
    template <class Item>
        requires std::invocable<Function&, Item>
    decltype(auto) operator()(Item&& item) {
        return std::invoke(function, std::forward<Item>(item));
    }
    template <class Item>
        requires(!std::invocable<Function&, Item> && std::invocable<Function&, std::remove_reference_t<Item>>)
    decltype(auto) operator()(Item&& item) {
        return std::invoke(function, std::move(item));
    }
};

template <class Function>
struct Spread {
    Function function;
    template <class Item>
        requires requires(Function& f, Item& item) { std::apply(f, item); }
    decltype(auto) operator()(Item&& item) {
        return std::apply(function, std::forward<Item>(item));
    }
};

/// Where results are gathered: a function that returns nothing gives a monostate for each item.
template <class Result>
struct Collected {
    using Item = std::conditional_t<std::is_void_v<Result>, std::monostate, Result>;
};

/// Some of a job's items, which its chunks share. In a worker process numbers are read from the message, where they lie.
template <class Item>
class Slice {
    using Items = std::vector<Item>;

public:
    static constexpr bool of_numbers = message::is_numbers_in_a_row<Items>;

    Slice(std::shared_ptr<Items> items, std::size_t from, std::size_t to) : items_(std::move(items)), from_(from), size_(to - from) {}
    explicit Slice(Items items) : Slice(std::make_shared<Items>(std::move(items)), 0, 0) { size_ = items_->size(); }

    std::size_t size() const noexcept { return size_; }

    template <class Visit>
    void for_each(Visit visit) {
        if (items_) {
            const auto begin = items_->begin() + static_cast<std::ptrdiff_t>(from_);
            const auto end = begin + static_cast<std::ptrdiff_t>(size_);
            for (auto at = begin; at != end; ++at) {
                auto&& item = *at;
                visit(item);
            }
        } else if constexpr (of_numbers) {
            for (std::size_t i = 0; i < size_; ++i) {
                Item item;
                std::memcpy(&item, in_message_.data() + i * sizeof item, sizeof item);
                visit(item);
            }
        }
    }

    void write(message::Writer& out) const {
        if constexpr (of_numbers) {
            out.write_raw(size_);
            out.write(items_->data() + from_, size_ * sizeof(Item));
        } else {
            message::encode(out, *items_);
        }
    }
    static Slice read(message::Reader& in) {
        if constexpr (of_numbers) {
            const auto size = in.read_raw<std::size_t>();
            return Slice(in.take(size > in.left() / sizeof(Item) ? in.left() + 1 : size * sizeof(Item)), size);
        } else {
            return Slice(message::decode<Items>(in));
        }
    }

private:
    Slice(std::span<const std::byte> in_message, std::size_t size) : size_(size), in_message_(in_message) {}

    std::shared_ptr<Items> items_;  ///< all; null: they lie in the message. What is written and no numbers is all of them
    std::size_t from_ = 0;
    std::size_t size_ = 0;
    std::span<const std::byte> in_message_;
};

/// A chunk's call.
template <class Each>
struct EachOf {
    Each each;

    template <class Item>
    auto operator()(Slice<Item> items) {
        using Result = std::decay_t<std::invoke_result_t<Each&, Item&>>;
        std::vector<typename Collected<Result>::Item> results;
        results.reserve(items.size());
        items.for_each([&](auto& item) {
            if constexpr (std::is_void_v<Result>) {
                each(item);
                results.emplace_back();
            } else {
                results.push_back(each(item));
            }
        });
        return results;
    }
};

/// A chunk's call in a thread, where its results have places.
template <class Each, class Result>
struct EachInto {
    Each each;
    Result* places;

    template <class Item>
    std::vector<Result> operator()(Slice<Item> items) {
        items.for_each([&](auto& item) { *places++ = each(item); });
        return {};
    }
};

/// The results of all chunks: a future's state.
template <class Result>
class MapJob final : public worker::TypedFutureState<std::conditional_t<std::is_void_v<Result>, void, std::vector<typename Collected<Result>::Item>>>,
                     public std::enable_shared_from_this<MapJob<Result>> {
    using Item = typename Collected<Result>::Item;
    using Part = std::vector<Item>;

public:
    using Value = std::conditional_t<std::is_void_v<Result>, void, Part>;
    /// Each result has its place from the beginning; else the parts are put together at the end.
    static constexpr bool has_places =
        !std::is_void_v<Result> && !std::is_same_v<Item, bool> && std::is_trivially_copyable_v<Item> && std::is_default_constructible_v<Item>;

    MapJob(std::shared_ptr<Crew> crew, std::size_t items, std::size_t chunk)
        : crew_(std::move(crew)), chunk_(chunk), futures_(chunk == 0 ? 0 : (items + chunk - 1) / chunk), left_(futures_.size()) {
        if constexpr (has_places) {
            all_.resize(items);
        } else {
            parts_.resize(futures_.size());
        }
        if (futures_.empty()) give_value();
    }

    /// Where the results of this chunk may be written by who makes them; it then gives an empty part.
    Item* places(std::size_t number) noexcept
        requires has_places
    {
        return all_.data() + number * chunk_;
    }

    void add(std::size_t number, Future<Part> future) {
        {
            const std::lock_guard guard(mutex_);
            futures_[number] = future.state();
        }
        future.add_done_callback([job = this->shared_from_this(), number](const Future<Part>& done) { job->take(number, done); });
    }

    bool help_until(const worker::FutureState& goal, Deadline deadline) const override {
        const auto crew = crew_;
        return crew->wait_for(goal, deadline);
    }
    const void* helped() const noexcept override { return crew_.get(); }

protected:
    bool has_begun() const noexcept override { return left_ < futures_.size(); }
    bool can_stop() const noexcept override { return true; }
    void stop() override {
        std::vector<std::shared_ptr<worker::FutureState>> all;
        {
            const std::lock_guard guard(mutex_);
            all.assign(futures_.begin(), futures_.end());
        }
        for (const auto& each : all) {
            if (each) each->cancel();
        }
    }

private:
    void take(std::size_t number, const Future<Part>& done) {
        {
            const std::lock_guard guard(mutex_);
            futures_[number] = nullptr;
            if (const auto error = done.state()->error()) {
                if (!error_ || number < failed_) {
                    error_ = error;
                    failed_ = number;
                }
            } else if constexpr (!has_places) {
                parts_[number] = std::move(done.state()->value());
            }
        }
        if constexpr (has_places) {  // without the lock: nobody else has these places
            if (!done.state()->error()) std::ranges::copy(done.state()->value(), places(number));
        }
        if (left_.fetch_sub(1) == 1) give_value();
    }

    void give_value() {
        if (error_) {
            this->set_error(error_);
        } else if constexpr (std::is_void_v<Result>) {
            this->set_value({});
        } else if constexpr (has_places) {
            this->set_value(std::move(all_));
        } else if (parts_.size() == 1) {
            this->set_value(std::move(parts_.front()));
        } else {
            std::size_t count = 0;
            for (const auto& part : parts_) count += part.size();
            all_.reserve(count);
            for (auto& part : parts_) {
                all_.insert(all_.end(), std::make_move_iterator(part.begin()), std::make_move_iterator(part.end()));
                Part().swap(part);
            }
            this->set_value(std::move(all_));
        }
    }

    std::shared_ptr<Crew> crew_;
    const std::size_t chunk_;  ///< items in each but the last
    std::mutex mutex_;
    std::vector<Part> parts_;
    Part all_;
    std::vector<std::shared_ptr<worker::FutureState>> futures_;
    std::exception_ptr error_;
    std::size_t failed_ = 0;
    std::atomic<std::size_t> left_;
};

}  // namespace pool

template <class Item>
struct codec<pool::Slice<Item>> {
    static void write(message::Writer& out, const pool::Slice<Item>& items) { items.write(out); }
    static pool::Slice<Item> read(message::Reader& in) { return pool::Slice<Item>::read(in); }
};

template <class Each>
struct codec<pool::EachOf<Each>> {
    using Function = decltype(Each::function);
    static void write(message::Writer& out, const pool::EachOf<Each>& chunk) {
        if constexpr (message::Stateless<Function>) {
            out.write_raw('\0');
        } else {
            message::encode(out, chunk.each.function);
        }
    }
    static pool::EachOf<Each> read(message::Reader& in) {
        if constexpr (message::Stateless<Function>) {
            in.read_raw<char>();
            return {Each{Function{}}};
        } else {
            return {Each{message::decode<Function>(in)}};
        }
    }
};

}  // namespace chorus

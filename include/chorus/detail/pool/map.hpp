// map: a call for each item, many items to a task, and their results gathered in order.
//
// Thread safety: as the pool's.
// Crash safety: as the pool's; a chunk of items is a task.
#pragma once

#include <chorus/detail/contract.hpp>

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

#include <chorus/detail/pool/backend.hpp>
#include <chorus/detail/pool/progress_meter.hpp>
#include <chorus/detail/pool/task.hpp>
#include <chorus/future.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

namespace detail::pool {

std::size_t chunk_size(std::size_t wanted, std::size_t items, std::size_t workers) noexcept;

template <class Function>
struct OneByOne {
    [[no_unique_address]] Function function;
    template <class Item>
        requires message::Invocable<Function&, Item>
    decltype(auto) operator()(Item&& item) {
        return message::invoke_function(function, std::forward<Item>(item));
    }
    template <class Item>
        requires(!message::Invocable<Function&, Item> &&
                 message::Invocable<Function&, std::remove_reference_t<Item>>)
    decltype(auto) operator()(Item&& item) {
        return message::invoke_function(function, std::move(item));
    }
};

template <class Function>
struct Spread {
    [[no_unique_address]] Function function;
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

/// Some of a job's items, which its chunks share. Numbers may lie in memory of another owner: in the
/// message, for a worker process.
template <class Item>
class Slice {
    using Items = std::vector<Item>;

public:
    static constexpr bool of_numbers = message::is_numbers_in_a_row<Items>;

    explicit Slice(Items items) : items_(std::make_shared<Items>(std::move(items))), size_(items_->size()) {}
    /// Requires: they stay there until all that is done.
    explicit Slice(std::span<const Item> lent)
        requires of_numbers
        : size_(lent.size()), lent_(std::as_bytes(lent)) {}

    std::size_t size() const noexcept { return size_; }

    /// What is written and is not a piece of memory has its items to itself: each may be taken only
    /// once.
    template <bool is_written>
    Slice part(std::size_t from, std::size_t to) const {
        if constexpr (is_written && !of_numbers) {
            const auto begin = items_->begin();
            return Slice(Items(std::make_move_iterator(begin + static_cast<std::ptrdiff_t>(from)),
                               std::make_move_iterator(begin + static_cast<std::ptrdiff_t>(to))));
        } else {
            Slice some = *this;
            some.from_ += from;
            some.size_ = to - from;
            return some;
        }
    }

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
            const std::byte* at = lent_.data() + from_ * sizeof(Item);
            for (std::size_t i = 0; i < size_; ++i, at += sizeof(Item)) {
                Item item;
                std::memcpy(&item, at, sizeof item);
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
            Slice in_message;
            in_message.lent_ = in.take(size > in.left() / sizeof(Item) ? in.left() + 1 : size * sizeof(Item));
            in_message.size_ = size;
            return in_message;
        } else {
            return Slice(message::decode<Items>(in));
        }
    }

private:
    Slice() = default;

    std::shared_ptr<Items>
        items_;  ///< all; null: they are lent. What is written and no numbers is all of them
    std::size_t from_ = 0;
    std::size_t size_ = 0;
    std::span<const std::byte> lent_;
};

/// A chunk's call.
template <class Each>
struct EachOf {
    [[no_unique_address]] Each each;

    const auto& wrapped() const noexcept { return each.function; }

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

    const auto& wrapped() const noexcept { return each.function; }

    template <class Item>
    void operator()(Slice<Item> items) {
        items.for_each(
            [each = std::move(each), place = places](auto& item) mutable { *place++ = each(item); });
    }
};

/// A chunk's results, if they are numbers: computed directly in the message. RowTask reads them.
template <class Each, class Item, class Result>
struct Row {
    [[no_unique_address]] mutable Each each;
    mutable Slice<Item> items;

    void write(message::Writer& out) const {
        out.write_raw(items.size());
        const std::size_t bytes = items.size() * sizeof(Result);
        std::vector<std::byte> elsewhere;
        std::byte* place = out.room(bytes);
        if (place == nullptr) {
            elsewhere.resize(bytes);
            place = elsewhere.data();
        }
        items.for_each([this, place](auto& item) mutable {
            const Result result = each(item);
            std::memcpy(place, &result, sizeof result);
            place += sizeof result;
        });
        out.write(elsewhere.data(), elsewhere.size());
    }
};

/// A chunk's call in a worker process.
template <class Each, class Result>
struct EachInRow {
    [[no_unique_address]] Each each;

    const auto& wrapped() const noexcept { return each.function; }

    template <class Item>
    auto operator()(Slice<Item> items) {
        return Row<Each, Item, Result>{std::move(each), std::move(items)};
    }
};

/// The task for it: copies what a Row wrote to the chunk's part of the results.
class RowTask : public TypedTask<void> {
public:
    using TypedTask<void>::TypedTask;

    /// `keeper` owns the places: they are written even if the task is cancelled meanwhile.
    void write_to(std::span<std::byte> places, std::size_t size_of_each,
                  std::shared_ptr<void> keeper) noexcept {
        places_ = places;
        size_of_each_ = size_of_each;
        keeper_ = std::move(keeper);
    }
    void take_value(message::Reader& in) override;

private:
    std::span<std::byte> places_;
    std::size_t size_of_each_ = 1;
    std::shared_ptr<void> keeper_;
};

/// The chunks of a map.
///
/// Each chunk that completes writes its own part only. The one that decrements the count of unfinished
/// chunks to zero gathers the results.
class Chunks : public std::enable_shared_from_this<Chunks> {
public:
    virtual ~Chunks() = default;
    Chunks(const Chunks&) = delete;
    Chunks& operator=(const Chunks&) = delete;

    /// Registers a submitted chunk.
    void add(std::size_t number, const std::shared_ptr<worker::FutureState>& chunk);
    /// After a failed submission: cancels the chunks submitted so far, and returns when none of them
    /// runs.
    void give_up_and_wait();

protected:
    Chunks(std::size_t items, std::size_t chunk, std::shared_ptr<ProgressMeter> meter);

    /// The chunk completed without an error.
    virtual void take_part(std::size_t number, worker::FutureState& chunk) = 0;
    /// All chunks completed; error: of the first one, in the order of the items, that failed; or null.
    virtual void give_value(std::exception_ptr error) = 0;

    std::size_t count() const noexcept { return futures_.size(); }
    std::size_t items_in_each() const noexcept { return chunk_; }
    bool has_begun_some() const noexcept { return left_ < futures_.size(); }
    void cancel_all();

private:
    std::vector<std::shared_ptr<worker::FutureState>> not_ended();
    void take(std::size_t number, worker::FutureState& chunk);

    std::shared_ptr<ProgressMeter> meter_;  ///< null: nothing is shown
    const std::size_t chunk_;               ///< items in each but the last
    std::mutex mutex_;
    std::vector<std::shared_ptr<worker::FutureState>> futures_;
    std::exception_ptr error_;
    std::size_t failed_ = 0;
    std::atomic<std::size_t> left_;
};

template <class Result>
using MapValue =
    std::conditional_t<std::is_void_v<Result>, void, std::vector<typename Collected<Result>::Item>>;

/// The results of all chunks: a future's state.
template <class Result>
class MapJob final : public worker::TypedFutureState<MapValue<Result>>, public Chunks {
    using Item = typename Collected<Result>::Item;
    using Part = std::vector<Item>;

public:
    /// Each result has its place from the beginning; else the parts are put together at the end.
    static constexpr bool has_places = !std::is_void_v<Result> && !std::is_same_v<Item, bool> &&
                                       std::is_trivially_copyable_v<Item> &&
                                       std::is_default_constructible_v<Item>;

    MapJob(std::shared_ptr<Backend> backend, std::size_t items, std::size_t chunk,
           std::shared_ptr<ProgressMeter> meter)
        : worker::TypedFutureState<MapValue<Result>>(std::move(backend)),
          Chunks(items, chunk, std::move(meter)) {
        if constexpr (has_places) {
            all_.resize(items);
        } else {
            parts_.resize(count());
        }
        if (count() == 0) MapJob::give_value(nullptr);
    }

    /// Where the results of this chunk may be written before its future ends, which then has no value.
    std::span<Item> places(std::size_t number) noexcept
        requires has_places
    {
        const auto from = std::span(all_).subspan(number * items_in_each());
        return from.first(std::min(items_in_each(), from.size()));
    }

protected:
    bool has_begun() const noexcept override { return has_begun_some(); }
    bool can_stop() const noexcept override { return true; }
    void stop() override { cancel_all(); }

    void take_part(std::size_t number, worker::FutureState& chunk) override {
        if constexpr (has_places) {
            // A chunk without a value has written its results to their places already.
            if (auto* made = dynamic_cast<worker::TypedFutureState<Part>*>(&chunk))
                std::ranges::copy(made->value(), places(number).begin());
        } else {
            parts_[number] = std::move(static_cast<worker::TypedFutureState<Part>&>(chunk).value());
        }
    }

    void give_value(std::exception_ptr error) override {
        if (error) {
            this->set_error(std::move(error));
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
                all_.insert(all_.end(), std::make_move_iterator(part.begin()),
                            std::make_move_iterator(part.end()));
                Part().swap(part);
            }
            this->set_value(std::move(all_));
        }
    }

private:
    std::vector<Part> parts_;
    Part all_;
};

}  // namespace detail::pool

template <class Item>
struct codec<detail::pool::Slice<Item>> {
    static void write(detail::message::Writer& out, const detail::pool::Slice<Item>& items) {
        items.write(out);
    }
    static detail::pool::Slice<Item> read(detail::message::Reader& in) {
        return detail::pool::Slice<Item>::read(in);
    }
};

namespace detail::pool {
template <class Chunk>
struct ChunkCodec {
    using Function = decltype(Chunk::each.function);
    static void write(message::Writer& out, const Chunk& chunk) {
        if constexpr (message::Stateless<Function>) {
            out.write_raw('\0');
        } else {
            message::encode(out, chunk.each.function);
        }
    }
    static Chunk read(message::Reader& in) {
        if constexpr (message::Stateless<Function>) {
            in.read_raw<char>();
            return {{Function{}}};
        } else {
            return {{message::decode<Function>(in)}};
        }
    }
};
}  // namespace detail::pool
template <class Each>
struct codec<detail::pool::EachOf<Each>> : detail::pool::ChunkCodec<detail::pool::EachOf<Each>> {};
template <class Each, class Result>
struct codec<detail::pool::EachInRow<Each, Result>>
    : detail::pool::ChunkCodec<detail::pool::EachInRow<Each, Result>> {};
template <class Each, class Item, class Result>
struct codec<detail::pool::Row<Each, Item, Result>> {
    static void write(detail::message::Writer& out, const detail::pool::Row<Each, Item, Result>& row) {
        row.write(out);
    }
    static detail::pool::Row<Each, Item, Result> read(
        detail::message::Reader& in);  // not defined: RowTask reads it
};

}  // namespace chorus::inline v0

#pragma GCC visibility pop

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
#include <chorus/pool/task.hpp>
#include <chorus/worker/future.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

/// What may be said about a map.
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

/// Some of a job's items, which its chunks share. Numbers may be where somebody else keeps them: in the message, for a worker process.
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

    /// What is written and is not a piece of memory has its items to itself: each may be taken only once.
    template <bool is_written>
    Slice part(std::size_t from, std::size_t to) const {
        if constexpr (is_written && !of_numbers) {
            const auto begin = items_->begin();
            return Slice(
                Items(std::make_move_iterator(begin + static_cast<std::ptrdiff_t>(from)), std::make_move_iterator(begin + static_cast<std::ptrdiff_t>(to))));
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

    std::shared_ptr<Items> items_;  ///< all; null: they are lent. What is written and no numbers is all of them
    std::size_t from_ = 0;
    std::size_t size_ = 0;
    std::span<const std::byte> lent_;
};

/// A chunk's call.
template <class Each>
struct EachOf {
    Each each;

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
        items.for_each([each = std::move(each), place = places](auto& item) mutable { *place++ = each(item); });
    }
};

/// A chunk's results that are numbers, on their way from a worker process: they are made where the message lies, and copied from there to
/// their places.
template <class Each, class Item, class Result>
class Row {
public:
    Row(Each each, Slice<Item> items) : to_make_(std::in_place, std::move(each), std::move(items)) {}

    void write(message::Writer& out) const {
        auto& [each, items] = *to_make_;
        out.write_raw(items.size());
        const std::size_t bytes = items.size() * sizeof(Result);
        std::vector<std::byte> elsewhere;
        std::byte* place = out.room(bytes);
        if (place == nullptr) {
            elsewhere.resize(bytes);
            place = elsewhere.data();
        }
        items.for_each([each = std::move(each), place](auto& item) mutable {
            const Result result = each(item);
            std::memcpy(place, &result, sizeof result);
            place += sizeof result;
        });
        out.write(elsewhere.data(), elsewhere.size());
    }
    static Row read(message::Reader& in) {
        Row row;
        row.made_ = in.take(in.read_count() * sizeof(Result));
        return row;
    }

    void copy_to(std::span<Result> places) const {
        if (made_.size() != places.size_bytes()) {
            throw DecodeError("message damaged: " + std::to_string(places.size()) + " results expected, " + std::to_string(made_.size() / sizeof(Result)) +
                              " came");
        }
        if (!made_.empty()) std::memcpy(places.data(), made_.data(), made_.size());
    }

private:
    Row() = default;

    mutable std::optional<std::pair<Each, Slice<Item>>> to_make_;
    std::span<const std::byte> made_;  ///< in the message
};

/// A chunk's call in a worker process.
template <class Each, class Result>
struct EachInRow {
    Each each;

    const auto& wrapped() const noexcept { return each.function; }

    template <class Item>
    auto operator()(Slice<Item> items) {
        return Row<Each, Item, Result>(std::move(each), std::move(items));
    }
};

/// The task for it.
template <class Each, class Item, class Result>
class RowTask final : public CallTask<true, void, EachInRow<Each, Result>, Slice<Item>> {
    using Base = CallTask<true, void, EachInRow<Each, Result>, Slice<Item>>;

public:
    /// `keeper` keeps the places: they are written even if the task is cancelled at that moment.
    RowTask(std::shared_ptr<Crew> crew, Each each, Slice<Item> items, std::shared_ptr<void> keeper, std::span<Result> places)
        : Base(std::move(crew), EachInRow<Each, Result>{std::move(each)}, std::move(items)), keeper_(std::move(keeper)), places_(places) {}

    void take_value(message::Reader& in) override {
        message::decode<Row<Each, Item, Result>>(in).copy_to(places_);
        Base::take_value(in);
    }

private:
    std::shared_ptr<void> keeper_;
    std::span<Result> places_;
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

    MapJob(std::shared_ptr<Crew> crew, std::size_t items, std::size_t chunk, std::shared_ptr<ProgressMeter> meter)
        : crew_(std::move(crew)), meter_(std::move(meter)), chunk_(chunk), futures_(chunk == 0 ? 0 : (items + chunk - 1) / chunk), left_(futures_.size()) {
        if constexpr (has_places) {
            all_.resize(items);
        } else {
            parts_.resize(futures_.size());
        }
        if (futures_.empty()) give_value();
    }

    /// Where the results of this chunk may be written before its future ends, which then has no value.
    std::span<Item> places(std::size_t number) noexcept
        requires has_places
    {
        const auto from = std::span(all_).subspan(number * chunk_);
        return from.first(std::min(chunk_, from.size()));
    }

    template <class Done>
    void add(std::size_t number, Future<Done> future) {
        {
            const std::lock_guard guard(mutex_);
            futures_[number] = future.state();
        }
        future.add_done_callback([job = this->shared_from_this(), number](const Future<Done>& done) { job->take(number, done); });
    }

    /// Not all of it could be submitted: returns when nothing of it runs any more.
    void give_up_and_wait() {
        for (const auto& each : chunks()) {
            if (!each->cancel()) each->wait_until_done({});
        }
        if (meter_) meter_->close();
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
        for (const auto& each : chunks()) each->cancel();
        if (meter_) meter_->hide();
    }

private:
    std::vector<std::shared_ptr<worker::FutureState>> chunks() {
        const std::lock_guard guard(mutex_);
        std::vector<std::shared_ptr<worker::FutureState>> those;
        std::ranges::copy_if(futures_, std::back_inserter(those), [](const auto& each) { return each != nullptr; });
        return those;
    }

    template <class Done>
    void take(std::size_t number, const Future<Done>& done) {
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
        if constexpr (has_places && !std::is_void_v<Done>) {  // without the lock: nobody else has these places
            if (!done.state()->error()) std::ranges::copy(done.state()->value(), places(number).begin());
        }
        if (left_.fetch_sub(1) != 1) return;
        if (meter_) {
            meter_->when_quiet([job = this->shared_from_this()] { job->give_value(); });
        } else {
            give_value();
        }
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
    std::shared_ptr<ProgressMeter> meter_;  ///< null: nothing is shown
    const std::size_t chunk_;               ///< items in each but the last
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

namespace pool {
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
}  // namespace pool
template <class Each>
struct codec<pool::EachOf<Each>> : pool::ChunkCodec<pool::EachOf<Each>> {};
template <class Each, class Result>
struct codec<pool::EachInRow<Each, Result>> : pool::ChunkCodec<pool::EachInRow<Each, Result>> {};
template <class Each, class Item, class Result>
struct codec<pool::Row<Each, Item, Result>> {
    static void write(message::Writer& out, const pool::Row<Each, Item, Result>& row) { row.write(out); }
    static pool::Row<Each, Item, Result> read(message::Reader& in) { return pool::Row<Each, Item, Result>::read(in); }
};

}  // namespace chorus

#pragma GCC visibility pop

// Where a queue of threads keeps its items, and which one comes out first: Fifo, Lifo, Heap.
//
// All have the same face. push() adds an item or, if anything throws, nothing. front() is the item that comes
// out next; pop() takes it out and returns what is left of it once its value was moved on: that is destroyed
// where the caller holds nothing, since a destructor may do anything, such as put an item.
//
// Thread safety: a Turnstile lets one caller at a time through on each side: push() is one, front() and
// pop() the other.
#pragma once

#include <chorus/detail/contract.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include <chorus/detail/channel/turnstile.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::channel {

/// First in, first out: a list of chunks. Both sides may work at the same time, in other places.
template <class T>
class Fifo {
public:
    static constexpr Turnstile::Sides sides = Turnstile::Sides::apart;

private:
    // A page of small items, and not too many or too few of any.
    static constexpr std::size_t chunk_size = std::clamp<std::size_t>(4096 / sizeof(T), 8, 512);
    static constexpr bool leaves_something = !std::is_trivially_destructible_v<T>;

    struct Chunk {
        Chunk* next = nullptr;  // writer: push()
        /// What is still to happen before it may be used again: that the gets move on to the next one, and
        /// the destruction of what is left of each item.
        std::atomic<std::size_t> awaited{1 + (leaves_something ? chunk_size : 0)};
        union {
            T items[chunk_size];
        };
        Chunk() noexcept {}
        ~Chunk() {}
    };
    struct alignas(64) Side {
        Chunk* chunk = nullptr;
        std::size_t at = 0;
    };

public:
    /// What is left of an item whose value was moved on.
    class Shell {
    public:
        Shell(Fifo& store, Chunk& chunk, T& item) noexcept : store_(&store), chunk_(&chunk), item_(&item) {}
        Shell(Shell&& other) noexcept
            : store_(std::exchange(other.store_, nullptr)), chunk_(other.chunk_), item_(other.item_) {}
        Shell& operator=(Shell&&) = delete;
        ~Shell() {
            if constexpr (leaves_something) {
                if (store_ == nullptr) return;
                std::destroy_at(item_);
                store_->let_go(chunk_);
            }
        }

    private:
        Fifo* store_;
        Chunk* chunk_;
        T* item_;
    };

    Fifo() : puts_{new Chunk, 0}, gets_{puts_} {}
    ~Fifo() {
        clear();
        delete gets_.chunk;
        delete spare_.load();
    }
    Fifo(const Fifo&) = delete;
    Fifo& operator=(const Fifo&) = delete;

    template <class Value>
    void push(Value&& value) {
        if (puts_.at == chunk_size) add_chunk();
        std::construct_at(&puts_.chunk->items[puts_.at], std::forward<Value>(value));
        ++puts_.at;
    }

    T& front() noexcept {
        if (gets_.at == chunk_size) move_on();
        return gets_.chunk->items[gets_.at];
    }

    /// Requires: front() just before.
    Shell pop() noexcept { return Shell(*this, *gets_.chunk, gets_.chunk->items[gets_.at++]); }

    /// Destroys all items. Requires: no other caller puts or gets.
    void clear() noexcept {
        while (gets_.chunk != puts_.chunk || gets_.at != puts_.at) {
            front();
            pop();
        }
    }

private:
    void add_chunk() {
        Chunk* chunk = spare_.exchange(nullptr, std::memory_order_acquire);
        if (chunk == nullptr) chunk = new Chunk;
        puts_.chunk->next = chunk;
        puts_ = {chunk, 0};
    }

    void move_on() noexcept {
        Chunk* const old = gets_.chunk;
        gets_ = {old->next, 0};
        let_go(old);
    }

    // The last one keeps it for the next use: one is enough when as much is put as is taken.
    void let_go(Chunk* chunk) noexcept {
        if (chunk->awaited.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
        delete spare_.exchange(new (chunk) Chunk, std::memory_order_acq_rel);
    }

    Side puts_;
    Side gets_;
    std::atomic<Chunk*> spare_{nullptr};
};

/// Last in, first out. Each item in memory of its own: what is left of one can be taken out without touching
/// it.
template <class T>
class Lifo {
public:
    static constexpr Turnstile::Sides sides = Turnstile::Sides::in_turns;
    using Shell = std::unique_ptr<T>;

    template <class Value>
    void push(Value&& value) {
        items_.push_back(std::make_unique<T>(std::forward<Value>(value)));
    }
    T& front() noexcept { return *items_.back(); }
    Shell pop() noexcept {
        Shell shell = std::move(items_.back());
        items_.pop_back();
        return shell;
    }
    void clear() noexcept { items_.clear(); }

private:
    std::vector<std::unique_ptr<T>> items_;
};

/// The smallest first: a binary heap. It compares before it moves anything, so a comparison that throws
/// changes nothing.
template <class T, class Compare>
class Heap {
public:
    static constexpr Turnstile::Sides sides = Turnstile::Sides::in_turns;
    using Shell = std::unique_ptr<T>;

    Heap() = default;
    explicit Heap(Compare compare) : is_less_(std::move(compare)) {}

    template <class Value>
    void push(Value&& value) {
        auto item = std::make_unique<T>(std::forward<Value>(value));
        std::size_t to = items_.size();
        while (to > 0 && is_less_(*item, *items_[parent(to)])) to = parent(to);
        items_.push_back(nullptr);
        for (std::size_t i = items_.size() - 1; i != to; i = parent(i))
            items_[i] = std::move(items_[parent(i)]);
        items_[to] = std::move(item);
    }

    /// Throws: what the comparison throws, which finds out here where the last item will go.
    T& front() {
        const std::size_t last = items_.size() - 1;
        gap_ = 0;
        for (;;) {
            std::size_t child = 2 * gap_ + 1;
            if (child >= last) break;
            if (child + 1 < last && is_less_(*items_[child + 1], *items_[child])) ++child;
            if (!is_less_(*items_[child], *items_[last])) break;
            gap_ = child;
        }
        return *items_[0];
    }

    /// Requires: front() just before.
    Shell pop() noexcept {
        Shell moved = std::move(items_.back());
        items_.pop_back();
        if (items_.empty()) return moved;
        // The last one goes to the gap, and all above it one up: the first falls out.
        for (std::size_t i = gap_; i > 0; i = parent(i)) std::swap(moved, items_[i]);
        std::swap(moved, items_[0]);
        return moved;
    }
    void clear() noexcept { items_.clear(); }

private:
    static constexpr std::size_t parent(std::size_t i) noexcept { return (i - 1) / 2; }

    std::vector<std::unique_ptr<T>> items_;
    std::size_t gap_ = 0;
    [[no_unique_address]] Compare is_less_{};
};

}  // namespace chorus::inline v0::detail::channel

#pragma GCC visibility pop

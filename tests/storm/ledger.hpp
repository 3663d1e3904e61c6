// What the storm's processes note down, in memory that nothing under test has touched.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>

#include <sys/mman.h>

/// Shared with all processes forked afterwards, zeroed.
template <class T>
T* shared_with_forks(std::size_t count = 1) {
    void* const memory = ::mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    return static_cast<T*>(memory);
}

/// The items of one queue: which were meant to be put, which were, which came out.
class Ledger {
public:
    static constexpr std::uint32_t most_producers = 1U << 14;
    static constexpr std::uint32_t items_each = 1U << 14;

    void will_put(std::uint32_t producer, std::uint32_t number) { puts_[producer].meant = number + 1; }
    void has_put(std::uint32_t producer, std::uint32_t number) { puts_[producer].done = number + 1; }
    /// Returns whether it was noted down before.
    bool has_got(std::uint32_t producer, std::uint32_t number) {
        return got_[std::size_t{producer} * items_each + number].fetch_add(1) != 0;
    }
    bool was_got(std::uint32_t producer, std::uint32_t number) const {
        return got_[std::size_t{producer} * items_each + number] != 0;
    }
    bool was_meant(std::uint32_t producer, std::uint32_t number) const {
        return producer < most_producers && number < puts_[producer].meant;
    }

    /// Items whose put had returned, and which no consumer got.
    std::uint64_t missing(std::uint32_t producers) const {
        std::uint64_t count = 0;
        for (std::uint32_t producer = 0; producer < producers; ++producer) {
            for (std::uint32_t number = 0; number < puts_[producer].done; ++number)
                count += was_got(producer, number) ? 0U : 1U;
        }
        return count;
    }

    std::atomic<std::uint64_t> doubled{0};
    std::atomic<std::uint64_t> torn{0};

private:
    struct Puts {
        std::atomic<std::uint32_t> meant{0};
        std::atomic<std::uint32_t> done{0};
    };
    Puts* const puts_ = shared_with_forks<Puts>(most_producers);
    std::atomic<std::uint8_t>* const got_ =
        shared_with_forks<std::atomic<std::uint8_t>>(std::size_t{most_producers} * items_each);
};

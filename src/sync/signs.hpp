// Signs: what an object tells who looks at its program from outside (`chorus top`), without being asked.
//
// They hang in the commons, so all processes of a program's tree hang them out in one place. There are few:
// an object that finds no place keeps its numbers to itself, and is not seen.
//
// Threads: any; a sign's numbers are its object's.
// Death: of the process that has hung it out: who looks finds that process gone, and who needs a place takes
//        this one.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace chorus::sync {

/// Layout: as below. Writers: the process that has hung it out; `pid` is the word that commits: 0 is free,
/// and one below 0 is being written by that process.
struct alignas(128) Sign {
    std::atomic<std::int32_t> pid{0};
    char name[36]{};  ///< cut short
    std::array<std::atomic<std::uint64_t>, 10> numbers{};
};
static_assert(sizeof(Sign) == 128);

/// Hangs out for as long as it lives. Write only: nobody's work may go by what stands in memory that others
/// can write to.
class HungOut {
public:
    explicit HungOut(std::string_view name) noexcept;
    ~HungOut();
    HungOut(const HungOut&) = delete;
    HungOut& operator=(const HungOut&) = delete;

    // Relaxed: each is a number for a reader outside, which expects no order among them.
    void show(std::size_t which, std::uint64_t value) noexcept {
        sign_->numbers[which].store(value, std::memory_order_relaxed);
    }
    void add(std::size_t which, std::int64_t change) noexcept {
        sign_->numbers[which].fetch_add(static_cast<std::uint64_t>(change), std::memory_order_relaxed);
    }

private:
    Sign* sign_;
    std::int32_t maker_;
    Sign unseen_;
};

}  // namespace chorus::sync

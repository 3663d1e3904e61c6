// Counters exported to external observers such as `chorus top`.
//
// They lie in the shared runtime, so that all processes in a program's tree export them in one place. The
// number of places is limited: an object that finds none keeps its counters to itself, and is not seen.
//
// Thread safety: any thread; an object's counters are its own.
// Crash safety: an observer finds the exporting process gone; the next object that needs a place takes it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace chorus::inline v0::detail::sync {

/// Layout: as below. Writers: the process that exports it; `pid` is the word that commits: 0 is free,
/// and one below 0 is being written by that process.
struct alignas(128) CounterBlock {
    std::atomic<std::int32_t> pid{0};
    char name[36]{};  ///< cut short
    std::array<std::atomic<std::uint64_t>, 10> numbers{};
};
static_assert(sizeof(CounterBlock) == 128);

/// Exported for as long as it lives. Write only: no decision may depend on what stands in memory that
/// others can write to.
class ExportedCounters {
public:
    explicit ExportedCounters(std::string_view name) noexcept;
    ~ExportedCounters();
    ExportedCounters(const ExportedCounters&) = delete;
    ExportedCounters& operator=(const ExportedCounters&) = delete;

    // Relaxed: each is a number for a reader outside, which expects no order among them.
    void show(std::size_t which, std::uint64_t value) noexcept {
        sign_->numbers[which].store(value, std::memory_order_relaxed);
    }
    void add(std::size_t which, std::int64_t change) noexcept {
        sign_->numbers[which].fetch_add(static_cast<std::uint64_t>(change), std::memory_order_relaxed);
    }

private:
    CounterBlock* sign_;
    std::int32_t maker_;
    CounterBlock unseen_;
};

}  // namespace chorus::inline v0::detail::sync

// Ledger: the tasks of a pool that are not done, each under an id that means one attempt of it.
//
// An id changes whenever the task is given out again, and is never used again once the task is done: a
// message with an old id finds nothing.
//
// Thread safety: under the backend's mutex.
// Crash safety: private memory of the pool's process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <chorus/detail/pool/task.hpp>

namespace chorus::inline v0::detail::pool {

class Ledger {
public:
    /// With which each place begins; for tests.
    explicit Ledger(std::uint32_t first_generation = 1) noexcept : first_generation_(first_generation) {}

    void add(const TaskPointer& task);
    /// Gives it another id: messages about the old attempt are ignored from now on. Requires: it is
    /// there.
    void renew(Task& task) noexcept;
    /// Null if there is none.
    TaskPointer find(std::uint64_t id) const noexcept;
    bool has(const Task& task) const noexcept { return find(task.id).get() == &task; }
    /// Returns null if it was not there.
    TaskPointer remove(std::uint64_t id) noexcept;
    std::vector<TaskPointer> all() const;
    std::size_t size() const noexcept { return size_; }

private:
    struct Slot {
        std::uint32_t generation;
        TaskPointer task;
    };
    // Never 0: that would be no task at the first place.
    static std::uint32_t after(std::uint32_t generation) noexcept {
        return generation == UINT32_MAX ? 1 : generation + 1;
    }
    static std::uint64_t make_id(std::size_t place, std::uint32_t generation) noexcept {
        return std::uint64_t{place} << 32 | generation;
    }

    const std::uint32_t first_generation_;
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_;
    std::size_t size_ = 0;
};

}  // namespace chorus::inline v0::detail::pool

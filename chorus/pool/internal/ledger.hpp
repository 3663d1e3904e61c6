// The tasks of a pool that are not done, each under an id that means this attempt of it and nothing else.
//
// An id changes whenever the task is given out again, and is never used again once the task is done: what
// comes under an old one finds nothing.
//
// Threads: one at a time (its crew's lock).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <chorus/pool/task.hpp>

namespace chorus::pool {

class Ledger {
public:
    void add(const TaskPointer& task);
    /// Gives it another id: what is heard of the old attempt is ignored from now on. Requires: it is there.
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
        std::uint32_t generation = 1;
        TaskPointer task;
    };
    static std::uint64_t make_id(std::size_t place, std::uint32_t generation) noexcept {
        return std::uint64_t{place} << 32 | generation;
    }

    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_;
    std::size_t size_ = 0;
};

}  // namespace chorus::pool

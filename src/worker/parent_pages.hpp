// The two pages that this process shares with its children by fork and spawn: the gate of fork, and the
// exit words of both methods.
//
// Invariants:
// 1. One start by fork at a time: its thread holds the mutex from before the gate is closed until the
//    child has been let in or refused.
// 2. A child keeps the second page alone, in which it writes its exit word.
// 3. A copy of this process (fork) makes pages of its own before its first start.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "memory/segment.hpp"
#include "platform/file_descriptor.hpp"
#include "worker/exit_words.hpp"
#include "worker/gate.hpp"

namespace chorus::inline v0::detail::worker {

struct ParentPages {
    struct Layout {
        Gate gate;  ///< of fork
        alignas(page_size) ExitWords exit_words{};
    };
    static_assert(sizeof(Layout) == 2 * page_size);

    /// The pages, made at the first start. Requires: the mutex is held.
    Layout& ready();

    std::mutex mutex;  ///< guards what follows
    std::shared_ptr<memory::Segment> segment;
    std::shared_ptr<ExitSlots> exits;  ///< in there
    std::shared_ptr<memory::Segment>
        inherited;  ///< its parent's, in a child by fork; its exit word lies there
    std::uint32_t starts = 0;
};
ParentPages& parent_pages();

/// In a copy made by fork: the pages belong to the original.
void forget_parent_pages();

/// In a child by spawn: from this call on it writes its exit word into the pages of its parent, if it
/// was handed any.
void tell_end_in_parent_pages(platform::FileDescriptor pages, std::uint32_t exit_word);

}  // namespace chorus::inline v0::detail::worker

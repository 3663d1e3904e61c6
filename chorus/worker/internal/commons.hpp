// The page that all processes of one program's tree share: the lock by which they print whole lines.
#pragma once

#include <cstdint>

#include <chorus/platform/file_descriptor.hpp>
#include <chorus/platform/robust_mutex.hpp>

namespace chorus::worker {

/// Layout of the page. Writers: whoever holds the lock.
struct Commons {
    platform::RobustMutex print_lock;
    /// 1 while a line is being written: a printer that finds it set after its owner's death starts
    /// on a fresh line.
    std::uint32_t line_begun = 0;
};

/// Made when first asked for. A child takes its parent's at birth.
Commons& commons();
int commons_descriptor();
void take_commons(platform::FileDescriptor page);

}  // namespace chorus::worker

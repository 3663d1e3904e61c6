// A lock in shared memory that the system takes back from the dead.
#pragma once

#include <cstddef>

namespace chorus::platform {

/// Layout: the system's own mutex object. Writers: whoever locks it; the kernel marks the owner dead.
class RobustMutex {
public:
    /// Call once, before anybody else can see the memory.
    void initialise();

    enum class Locked { cleanly, after_owner_died };
    Locked lock() noexcept;
    void unlock() noexcept;

private:
    alignas(8) std::byte state_[64];
};

}  // namespace chorus::platform

// The standard streams and the working directory of a process, handed on to another.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "platform/file_descriptor.hpp"

namespace chorus::inline v0::detail::platform {

struct Surroundings {
    FileDescriptor directory;
    std::vector<int> streams;  ///< 0, 1, 2 where open
    std::array<bool, 3> open{};
};
/// Those of this process.
Surroundings surroundings();
/// Makes them this process's. Requires: the descriptors are in the order directory (if any), then open
/// streams.
void take_surroundings(bool has_directory, const std::array<bool, 3>& open,
                       std::span<const FileDescriptor> descriptors);

/// Makes this descriptor, which may be non-blocking, the process's standard error.
void take_standard_error(int descriptor);

/// Replaces streams and directory that were taken over by /dev/null and /, which it keeps open for
/// that.
class IdleStreams {
public:
    IdleStreams();
    void take_over() const noexcept;

private:
    FileDescriptor null_;
    FileDescriptor root_;
};

}  // namespace chorus::inline v0::detail::platform

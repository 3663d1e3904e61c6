// The life line: a pipe by which children die with their parent.
//
// The parent holds one end for as long as it lives. The kernel closes that end however the parent dies,
// and then kills every process that is tied to the other end.
#pragma once

#include "platform/file_descriptor.hpp"

namespace chorus::inline v0::detail::platform {

class LifeLine {
public:
    LifeLine();
    /// The end that children receive.
    int descriptor() const noexcept { return read_.get(); }
    void drop() noexcept;

private:
    FileDescriptor read_;
    FileDescriptor write_;
};

/// Ties this process to a life line that it received at its start. Ends this process at once if the
/// holder has died already. The returned descriptor must stay open.
FileDescriptor tie_to(int life_line);
bool life_line_is_cut(int life_line) noexcept;

}  // namespace chorus::inline v0::detail::platform

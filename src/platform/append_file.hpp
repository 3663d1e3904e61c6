// A file to whose end several processes write, each write as a whole.
#pragma once

#include <cstddef>
#include <string>

#include "platform/file_descriptor.hpp"

namespace chorus::inline v0::detail::platform {

/// Made if it is not there. Never waits. Throws: OsError, also for a pipe or a socket: whose reader goes away
/// would end the writer.
FileDescriptor open_to_append(const std::string& path, bool emptied);

/// One write: what others write at the same time comes before or after it. Keeps errno, and may be called
/// from a signal handler.
/// Returns 0, or the errno; that of a full disk also when a part of it was written. A limit on the size of
/// files is an errno, too, and no signal.
int append(int file, const void* data, std::size_t size) noexcept;

/// The text that belongs to an errno; a constant.
const char* reason(int code) noexcept;

}  // namespace chorus::inline v0::detail::platform

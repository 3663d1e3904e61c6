// A file to which several processes append, each write as a whole.
#pragma once

#include <cstddef>
#include <string>

#include "platform/file_descriptor.hpp"

namespace chorus::inline v0::detail::platform {

/// Creates the file if there is none. Never blocks. Throws: OsError, also for a pipe or a socket: the
/// end of its reader would end the writer.
FileDescriptor open_to_append(const std::string& path, bool emptied);

/// One write: what other processes write at the same time comes before or after it. Keeps errno, and
/// may be called from a signal handler. Returns 0, or the errno; that of a full disk also if a part was
/// written. Exceeding RLIMIT_FSIZE is an errno too, and raises no signal.
int append(int file, const void* data, std::size_t size) noexcept;

/// The text that belongs to an errno; a constant.
const char* reason(int code) noexcept;

}  // namespace chorus::inline v0::detail::platform

#include "platform/surroundings.hpp"

#include <cerrno>

#include "platform/syscall.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace chorus::inline v0::detail::platform {

Surroundings surroundings() {
    Surroundings result;
    result.directory = FileDescriptor(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!result.directory && (errno == EMFILE || errno == ENFILE))
        throw os_error("start a process: open its directory", errno);
    if (result.directory) result.directory = above_standard_streams(result.directory.release());
    for (int stream = 0; stream < 3; ++stream) {
        if (::fcntl(stream, F_GETFD) < 0) continue;
        result.streams.push_back(stream);
        result.open[static_cast<std::size_t>(stream)] = true;
    }
    return result;
}

void take_surroundings(bool has_directory, const std::array<bool, 3>& open,
                       std::span<const FileDescriptor> descriptors) {
    std::size_t next = 0;
    if (has_directory) {
        [[maybe_unused]] const int moved = ::fchdir(descriptors[next++].get());
    }
    for (int stream = 0; stream < 3; ++stream) {
        if (open[static_cast<std::size_t>(stream)]) {
            ::dup2(descriptors[next++].get(), stream);
        } else {
            ::close(stream);
        }
    }
}

void take_standard_error(int descriptor) {
    const int flags = check(::fcntl(descriptor, F_GETFL), "ask how a descriptor is open");
    check(::fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK),
          "let a descriptor block");  // as programs expect it
    check(::dup2(descriptor, STDERR_FILENO), "hand standard error on");
}

namespace {

// If /dev is not mounted, a sealed empty file.
FileDescriptor open_null() {
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) return above_standard_streams(null);
    const int file = ::memfd_create("chorus-null", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    auto empty = above_standard_streams(check(file, "make an empty file"));
    check(::fcntl(empty.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL),
          "seal an empty file");
    return empty;
}

}  // namespace

IdleStreams::IdleStreams()
    : null_(open_null()),
      root_(above_standard_streams(check(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), "open /"))) {}

void IdleStreams::take_over() const noexcept {
    for (int stream = 0; stream < 3; ++stream) ::dup2(null_.get(), stream);
    [[maybe_unused]] const int moved = ::fchdir(root_.get());
}

}  // namespace chorus::inline v0::detail::platform

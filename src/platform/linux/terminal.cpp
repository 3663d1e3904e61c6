#include "platform/terminal.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace chorus::inline v0::detail::platform {

StreamKind standard_error() noexcept {
    if (::fcntl(STDERR_FILENO, F_GETFD) < 0) return {StreamKind::nowhere};
    if (::isatty(STDERR_FILENO) != 1) return {StreamKind::to_a_file};
    winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return {StreamKind::to_a_terminal};
    return {StreamKind::to_a_terminal, size.ws_col};
}

}  // namespace chorus::inline v0::detail::platform

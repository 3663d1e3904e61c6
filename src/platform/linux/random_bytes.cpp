#include "platform/random_bytes.hpp"

#include "platform/syscall.hpp"

#include <sys/random.h>

namespace chorus::inline v0::detail::platform {

std::array<std::byte, 32> random_bytes() {
    std::array<std::byte, 32> bytes{};
    check(retry([&] { return ::getrandom(bytes.data(), bytes.size(), 0); }), "get random bytes");
    return bytes;
}

}  // namespace chorus::inline v0::detail::platform

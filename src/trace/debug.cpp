#include "trace/debug.hpp"

#include <cstdlib>
#include <cstring>
#include <string>

#include "platform/file_descriptor.hpp"

namespace chorus::inline v0::detail::trace {

void debug(const char* text) noexcept {
    const char* const value = ::secure_getenv("CHORUS_DEBUG");
    if (value == nullptr || std::strcmp(value, "1") != 0) return;
    try {
        const std::string line = std::string("chorus: ") + text + "\n";
        platform::write_all(2, line.data(), line.size());  // whole, beside what other processes write
    } catch (...) {                                        // there is no way to report it
    }
}

}  // namespace chorus::inline v0::detail::trace

#include "memory/damage.hpp"

namespace chorus::inline v0::detail::memory {

void throw_damaged(const std::string& object, const std::string& found) {
    throw Damaged(
        object + " is damaged: " + found +
        ". A process that shares it has written where nothing of its own lies: find that write (compile with "
        "-fsanitize=address), and make this object anew");
}

}  // namespace chorus::inline v0::detail::memory

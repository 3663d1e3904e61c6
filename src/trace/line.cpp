#include "trace/line.hpp"

#include <algorithm>

namespace chorus::inline v0::detail::trace {
namespace {

// Length in bytes of the character at the start of this text; 0 if it is not valid UTF-8.
std::size_t length_of_character(std::string_view text) noexcept {
    const auto first = static_cast<unsigned char>(text[0]);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
    const auto second = static_cast<unsigned char>(text[1]);
    // An overlong form, a surrogate, or above the last character.
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
        return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
    }
    return length;
}

}  // namespace

Line& Line::raw(std::string_view text) noexcept {
    const std::size_t fits = std::min(text.size(), room - size_);
    std::copy_n(text.data(), fits, bytes_.data() + size_);
    size_ += fits;
    return *this;
}

Line& Line::number(std::int64_t value) noexcept {
    size_ = static_cast<std::size_t>(std::to_chars(bytes_.data() + size_, bytes_.data() + room, value).ptr -
                                     bytes_.data());
    return *this;
}

Line& Line::time(std::int64_t nanoseconds) noexcept {
    number(nanoseconds / 1000);
    const auto rest = static_cast<int>(nanoseconds % 1000);
    const char decimals[] = {'.', static_cast<char>('0' + rest / 100),
                             static_cast<char>('0' + rest / 10 % 10), static_cast<char>('0' + rest % 10)};
    return raw({decimals, sizeof decimals});
}

Line& Line::quoted(std::string_view text, std::size_t most) noexcept {
    constexpr char digits[] = "0123456789abcdef";
    put('"');
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t length = length_of_character(text.substr(i));
        if (i + std::max<std::size_t>(length, 1) > most) {
            raw("…");
            break;
        }
        const char byte = text[i];
        if (length == 0) {
            put('?');
        } else if (byte == '"' || byte == '\\') {
            put('\\');
            put(byte);
        } else if (byte == '\n') {
            raw("\\n");
        } else if (static_cast<unsigned char>(byte) < 0x20) {
            raw("\\u00");
            put(digits[byte >> 4]);
            put(digits[byte & 15]);
        } else {
            raw(text.substr(i, length));
        }
        i += std::max<std::size_t>(length, 1);
    }
    put('"');
    return *this;
}

}  // namespace chorus::inline v0::detail::trace

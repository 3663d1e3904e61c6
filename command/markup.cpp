#include "markup.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace command {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

// The length of the character that a text begins with; 0 if it is none.
std::size_t length_of_first(std::string_view text) {
    const auto first = static_cast<unsigned char>(text.front());
    if (first < 0x80) return first >= 0x20 || first == '\n' || first == '\t' ? 1 : 0;
    const std::size_t length = first >= 0xF0 && first < 0xF5   ? 4
                               : first >= 0xE0 && first < 0xF0 ? 3
                               : first >= 0xC2 && first < 0xE0 ? 2
                                                               : 0;
    if (length == 0 || text.size() < length) return 0;
    std::uint32_t character = first & (0x7FU >> length);
    for (const char c : text.substr(1, length - 1)) {
        if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) return 0;
        character = character << 6 | (static_cast<unsigned char>(c) & 0x3F);
    }
    constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};  // longer than it has to be
    const bool is_half_of_a_pair = character >= 0xD800 && character < 0xE000;
    const bool is_none = (character & 0xFFFE) == 0xFFFE || character > 0x10FFFF;  // nor may XML have these
    return character < least[length] || is_half_of_a_pair || is_none ? 0 : length;
}

}  // namespace

std::string escape(std::string_view text) {
    std::string safe;
    while (!text.empty()) {
        const std::size_t length = length_of_first(text);
        const std::string_view character = text.substr(0, std::max<std::size_t>(length, 1));
        text.remove_prefix(character.size());
        if (length == 0) {
            safe += replacement;
        } else if (character == "&") {
            safe += "&amp;";
        } else if (character == "<") {
            safe += "&lt;";
        } else if (character == ">") {
            safe += "&gt;";
        } else if (character == "\"") {
            safe += "&quot;";
        } else {
            safe += character;
        }
    }
    return safe;
}

Markup element(std::string_view name, Attributes attributes, const Markup& inside) {
    constexpr std::array without_end{std::string_view("meta")};
    std::string text = "<" + std::string(name);
    for (const auto& [key, value] : attributes) text += " " + std::string(key) + "=\"" + escape(value) + "\"";
    text += ">";
    if (std::ranges::find(without_end, name) == without_end.end())
        text += inside.text + "</" + std::string(name) + ">";
    return {text};
}

}  // namespace command

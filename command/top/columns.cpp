#include "columns.hpp"

#include <algorithm>
#include <cwchar>

namespace command::top {
namespace {

struct Character {
    wchar_t code = 0;       ///< 0: it is none
    std::size_t bytes = 1;  ///< that it, or what is none, takes
};

Character first_of(std::string_view text) {
    std::mbstate_t state{};
    wchar_t code = 0;
    const std::size_t bytes = std::mbrtowc(&code, text.data(), text.size(), &state);
    return bytes == 0 || bytes > text.size() ? Character{} : Character{code, bytes};
}

// Of one that is no character, or that would do something instead of being shown: nothing.
std::size_t columns_of(const Character& character) {
    return static_cast<std::size_t>(std::max(0, ::wcwidth(character.code)));
}

template <class Take>
void for_each_character(std::string_view text, Take take) {
    while (!text.empty()) {
        const Character character = first_of(text);
        if (!take(text.substr(0, character.bytes), columns_of(character))) return;
        text.remove_prefix(character.bytes);
    }
}

}  // namespace

std::string printable(std::string_view text) {
    std::string shown;
    for_each_character(text, [&](std::string_view character, std::size_t columns) {
        shown += columns > 0 ? character : "?";
        return true;
    });
    return shown;
}

std::size_t width_of(std::string_view text) {
    std::size_t width = 0;
    for_each_character(text, [&](std::string_view, std::size_t columns) {
        width += columns;
        return true;
    });
    return width;
}

std::string cut(std::string_view text, std::size_t columns) {
    std::string fits;
    std::size_t width = 0;
    for_each_character(text, [&](std::string_view character, std::size_t more) {
        width += more;
        if (width <= columns) fits += character;
        return width <= columns;
    });
    return fits;
}

}  // namespace command::top

// HTML and SVG: text made safe for it, and elements from nested calls, in which all is escaped that is not
// markup already.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace command {

/// Text that is HTML.
struct Markup {
    std::string text{};

    Markup& operator+=(const Markup& more) {
        text += more.text;
        return *this;
    }
};

/// What means something to HTML, written so that it does not. Bytes that are no characters come out as
/// U+FFFD: a page must be UTF-8 whatever a machine or a program calls itself.
std::string escape(std::string_view text);

inline Markup escaped(std::string_view text) { return {escape(text)}; }
inline const Markup& escaped(const Markup& markup) { return markup; }

using Attributes = std::initializer_list<std::pair<std::string_view, std::string>>;

Markup element(std::string_view name, Attributes attributes, const Markup& inside);

/// tag("p", {{"class", "quiet"}}, "a < b", tag("b", {}, "c")).
template <class... Children>
Markup tag(std::string_view name, Attributes attributes, const Children&... children) {
    Markup inside;
    ((inside += escaped(children)), ...);
    return element(name, attributes, inside);
}

}  // namespace command

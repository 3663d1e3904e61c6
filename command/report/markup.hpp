// HTML and SVG from nested calls; all text is escaped unless it is markup already.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace report {

/// Text that is HTML.
struct Markup {
    std::string text{};

    Markup& operator+=(const Markup& more) {
        text += more.text;
        return *this;
    }
};

/// Bytes that are no characters come out as U+FFFD: a page must be UTF-8 whatever a machine calls itself.
Markup escaped(std::string_view text);
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

}  // namespace report

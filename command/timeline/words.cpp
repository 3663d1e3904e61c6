#include "timeline/words.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace command::timeline {

std::string time_text(double microseconds, double like) {
    struct Unit {
        double size;
        const char* name;
    };
    constexpr Unit units[] = {{1e6, "s"}, {1e3, "ms"}, {1, "µs"}};
    const Unit* unit = units;
    while (unit->size > 1 && std::abs(like) < unit->size) ++unit;
    const double value = microseconds / unit->size;
    const int whole = value >= 100 ? 3 : value >= 10 ? 2 : 1;
    char text[48];
    std::snprintf(text, sizeof text, "%.*f", std::max(0, 3 - whole), value);
    std::string number = text;
    if (number.find('.') != std::string::npos) {
        number.erase(number.find_last_not_of('0') + 1);
        if (number.back() == '.') number.pop_back();
    }
    return number + " " + unit->name;
}

std::string percent(double part, double whole) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3f%%", whole > 0 ? 100 * part / whole : 0);
    return text;
}

std::string in_short(const std::string& story) {
    return story.substr(0, std::min(story.find(" at "), story.find(" (")));
}

std::string counted(std::size_t count, std::string_view what) {
    const bool one = count == 1;
    const std::string plural = what.ends_with("s") ? std::string(what) + "es" : std::string(what) + "s";
    return std::to_string(count) + " " + (one ? std::string(what) : plural);
}

}  // namespace command::timeline

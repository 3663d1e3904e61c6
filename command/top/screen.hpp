// The terminal while something is drawn on it again and again.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace command::top {

/// Takes the terminal's second screen, and gives back the first as it was, also while Ctrl-Z halts the
/// program. Keys come at once and are not shown.
class Screen {
public:
    struct Size {
        std::size_t columns = 80;
        std::size_t lines = 24;
    };

    Screen();
    ~Screen();
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    Size size() const noexcept;
    /// Returns false if the terminal is gone.
    bool draw(const std::vector<std::string>& lines);
    /// For so long, or until all has to be drawn anew, or until the user has had enough: q, Ctrl-C, a signal,
    /// the terminal's end.
    enum class Woken { by_time, to_draw, to_end };
    Woken wait(std::chrono::milliseconds time);

private:
    void take() const;
    void give_back() const;
    void halt() const;
};

/// Both standard input and output are a terminal.
bool can_draw() noexcept;

}  // namespace command::top

#include "screen.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <utility>

#include <sys/ioctl.h>
#include <unistd.h>

namespace grep_tree {
namespace {

using namespace std::chrono_literals;

constexpr auto between_drawings = 100ms;

std::size_t terminal_width() {
    winsize size{};
    return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

Screen::Screen(std::string name)
    : name_(std::move(name)),
      has_bar_(::isatty(STDERR_FILENO) == 1 && std::getenv("NO_PROGRESS") == nullptr),
      lines_on_it_(has_bar_ && ::isatty(STDOUT_FILENO) == 1) {}

Screen::~Screen() { wipe(); }

void Screen::show(const chorus::Progress& progress) {
    if (!has_bar_) return;
    const std::lock_guard guard(mutex_);
    progress_ = progress;
    if (Clock::now() - drawn_ >= between_drawings || progress.done == progress.total) draw();
}

void Screen::write(const std::string& lines) {
    const std::lock_guard guard(mutex_);
    if (lines_on_it_) wipe();
    const bool written =
        std::fwrite(lines.data(), 1, lines.size(), stdout) == lines.size() && std::fflush(stdout) == 0;
    if (!written)
        throw std::system_error(errno, std::generic_category(), "standard output cannot be written");
    if (lines_on_it_) draw();
}

void Screen::draw() {
    drawn_ = Clock::now();
    std::fprintf(stderr, "\r%s\x1b[K", chorus::progress_line(name_, progress_, terminal_width() - 1).c_str());
}

void Screen::wipe() {
    if (has_bar_) std::fputs("\r\x1b[K", stderr);
}

}  // namespace grep_tree

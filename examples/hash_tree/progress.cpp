#include "progress.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>

#include <sys/ioctl.h>
#include <unistd.h>

namespace hash_tree {
namespace {

using namespace std::chrono_literals;

constexpr auto between_drawings = 50ms;

std::size_t terminal_width() {
    winsize size{};
    return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string minutes_and_seconds(double seconds) {
    char text[32];
    const auto whole = static_cast<long long>(seconds + 0.5);
    std::snprintf(text, sizeof text, "%lld:%02lld", whole / 60, whole % 60);
    return text;
}

}  // namespace

Progress::Progress(std::uint64_t files, std::uint64_t bytes)
    : shown_(::isatty(STDERR_FILENO) == 1), all_files_(files), all_bytes_(bytes) {
    if (shown_) draw(begin_);
}

Progress::~Progress() {
    if (shown_) std::fputs("\r\x1b[K", stderr);
}

void Progress::add(std::uint64_t files, std::uint64_t bytes) {
    if (!shown_) return;
    const std::lock_guard guard(mutex_);
    files_ += files;
    bytes_ += bytes;
    const auto now = Clock::now();
    if (now - drawn_ >= between_drawings || files_ == all_files_) draw(now);
}

void Progress::draw(Clock::time_point now) {
    drawn_ = now;
    const double seconds = std::chrono::duration<double>(now - begin_).count();
    const double speed = seconds > 0 ? static_cast<double>(bytes_) / seconds : 0;
    const double left =
        speed > 0 ? static_cast<double>(all_bytes_ - std::min(bytes_, all_bytes_)) / speed : 0;
    char numbers[160];
    std::snprintf(numbers, sizeof numbers, "  %llu/%llu files  %7.1f MB/s  %s left",
                  static_cast<unsigned long long>(files_), static_cast<unsigned long long>(all_files_),
                  speed / 1e6, speed > 0 ? minutes_and_seconds(left).c_str() : "-:--");
    const std::string text = numbers;
    std::string line;
    const std::size_t width = terminal_width();
    if (width > text.size() + 12) {  // a narrow terminal gets the numbers alone
        const std::size_t cells = std::min<std::size_t>(40, width - text.size() - 4);
        const double done =
            all_bytes_ > 0 ? static_cast<double>(bytes_) / static_cast<double>(all_bytes_) : 1;
        const auto full = static_cast<std::size_t>(std::min(done, 1.0) * static_cast<double>(cells));
        line = "[" + std::string(full, '#') + std::string(cells - full, '.') + "]";
    }
    line = (line + text).substr(0, width - 1);
    std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
}

}  // namespace hash_tree

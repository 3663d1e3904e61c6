#include "screen.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string_view>

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace command::top {
namespace {

constexpr std::string_view enter = "\x1b[?1049h\x1b[?25l";
constexpr std::string_view leave = "\x1b[?25h\x1b[?1049l";
constexpr std::string_view to_top = "\x1b[H";
constexpr std::string_view clear_rest_of_line = "\x1b[K";
constexpr std::string_view clear_below = "\x1b[J";

termios before{};
volatile std::sig_atomic_t shall_end = 0;

bool write_all(std::string_view text) noexcept {
    while (!text.empty()) {
        const auto written = ::write(STDOUT_FILENO, text.data(), text.size());
        if (written < 0 && errno != EINTR) return false;
        if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

void remember_to_end(int) { shall_end = 1; }
void notice(int) {}

}  // namespace

bool can_draw() noexcept { return ::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0; }

Screen::Screen() {
    ::tcgetattr(STDIN_FILENO, &before);
    termios quiet = before;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
    struct sigaction end {};
    end.sa_handler = remember_to_end;
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &end, nullptr);
    struct sigaction resized {};
    resized.sa_handler = notice;  // so that poll() is interrupted, and all is drawn anew
    ::sigaction(SIGWINCH, &resized, nullptr);
    write_all(enter);
}

Screen::~Screen() {
    write_all(leave);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

Screen::Size Screen::size() const noexcept {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
    return {size.ws_col, size.ws_row};
}

bool Screen::draw(const std::vector<std::string>& lines) {
    std::string text(to_top);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (i > 0) text += "\r\n";
        text += lines[i];
        text += clear_rest_of_line;
    }
    text += clear_below;
    return write_all(text);
}

bool Screen::wait(std::chrono::milliseconds time) {
    pollfd keys{STDIN_FILENO, POLLIN, 0};
    if (::poll(&keys, 1, static_cast<int>(time.count())) <= 0) return shall_end == 0;
    char key = 0;
    const auto got = ::read(STDIN_FILENO, &key, 1);
    return shall_end == 0 && (got < 0 ? errno == EINTR : got > 0 && key != 'q' && key != 'Q');
}

}  // namespace command::top

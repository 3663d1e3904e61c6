#include "screen.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
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

constexpr char ctrl_c = 0x03;
constexpr char ctrl_z = 0x1a;

termios settings_before{};
sigset_t signals_before{};
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
    ::tcgetattr(STDIN_FILENO, &settings_before);
    struct sigaction end {};
    end.sa_handler = remember_to_end;
    struct sigaction resized {};
    resized.sa_handler = notice;
    // They come while it waits, and at no other time: so none is missed.
    sigset_t awaited;
    ::sigemptyset(&awaited);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) {
        ::sigaction(signal, signal == SIGWINCH ? &resized : &end, nullptr);
        ::sigaddset(&awaited, signal);
    }
    ::pthread_sigmask(SIG_BLOCK, &awaited, &signals_before);
    take();
}

Screen::~Screen() { give_back(); }

void Screen::take() const {
    termios quiet = settings_before;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | ISIG);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
    write_all(enter);
}

void Screen::give_back() const {
    write_all(leave);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &settings_before);
}

void Screen::halt() const {
    give_back();
    std::raise(SIGTSTP);
    take();
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

Screen::Woken Screen::wait(std::chrono::milliseconds time) {
    pollfd keys{STDIN_FILENO, POLLIN, 0};
    const timespec limit{time.count() / 1000, time.count() % 1000 * 1'000'000};
    const int ready = ::ppoll(&keys, 1, &limit, &signals_before);
    if (shall_end != 0) return Woken::to_end;
    if (ready <= 0) return ready == 0 ? Woken::by_time : Woken::to_draw;
    char key = 0;
    if (::read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q' || key == ctrl_c) return Woken::to_end;
    if (key == ctrl_z) halt();
    return Woken::to_draw;
}

}  // namespace command::top

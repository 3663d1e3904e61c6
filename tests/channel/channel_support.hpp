// What the tests of queues and pipes have in common.
#pragma once

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <poll.h>
#include <sched.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <support/message_of.hpp>
#include <support/start_methods.hpp>

using namespace std::chrono_literals;

inline std::vector<std::byte> bytes_of(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}
inline std::string characters_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Text in which each part differs from the others, so that nothing can be torn unseen.
inline std::string pattern(std::size_t size, unsigned seed = 0) {
    std::string text(size, '\0');
    std::uint64_t state = 88172645463325252U + seed;
    for (std::size_t i = 0; i < size; i += 8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        std::memcpy(text.data() + i, &state, std::min<std::size_t>(8, size - i));
    }
    return text;
}

inline bool is_readable(int descriptor, std::chrono::milliseconds limit = 0ms) {
    pollfd waited{descriptor, POLLIN, 0};
    return ::poll(&waited, 1, static_cast<int>(limit.count())) > 0 && (waited.revents & POLLIN) != 0;
}

inline std::size_t open_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
    return count;
}

/// The same once the process has what Chorus keeps for its whole life.
inline std::size_t settled_descriptors() {
    mp::Queue<mp::Event> queue;
    queue.put({});
    queue.get();
    queue = {};
    return open_descriptors() - 2;  // the queue's own
}

/// Once a process has said that it is about to block: returns when it does, which is when it was seen asleep
/// so often, one look after the other. Nothing else tells.
inline void wait_until_asleep(int pid, int often_enough = 50) {
    for (int seen = 0; seen < often_enough;) {
        std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
        std::string text;
        std::getline(file, text);
        const auto end = text.rfind(')');
        if (end == std::string::npos) return;
        seen = text[end + 2] == 'S' ? seen + 1 : 0;
        ::sched_yield();
    }
}

/// Memory that can be had, in bytes.
inline std::size_t free_memory() {
    std::ifstream file("/proc/meminfo");
    for (std::string name; file >> name;) {
        std::size_t kilobytes = 0;
        if (name == "MemAvailable:" && file >> kilobytes) return kilobytes * 1024;
        file.ignore(256, '\n');
    }
    return 0;
}

/// A signal each millisecond, whose handler does not let system calls be restarted.
class Interruptions {
public:
    Interruptions() {
        count() = 0;
        struct sigaction action {};
        action.sa_handler = [](int) { ++count(); };
        ::sigaction(SIGALRM, &action, &before_);
        set(1000);
    }
    ~Interruptions() {
        set(0);
        ::sigaction(SIGALRM, &before_, nullptr);
    }
    Interruptions(const Interruptions&) = delete;
    Interruptions& operator=(const Interruptions&) = delete;
    static std::atomic<int>& count() {
        static std::atomic<int> number;
        return number;
    }

private:
    static void set(int microseconds) {
        const itimerval each{{0, microseconds}, {0, microseconds}};
        ::setitimer(ITIMER_REAL, &each, nullptr);
    }
    struct sigaction before_ {};
};

/// A copy of this process without Chorus's knowledge: runs the function there and leaves at once. Returns the
/// exit code.
template <class Function>
int in_plain_fork(Function&& function) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        int code = 99;
        try {
            code = function();
        } catch (...) {
        }
        ::_exit(code);
    }
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

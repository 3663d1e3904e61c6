#include <support/run_program.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace {

std::vector<std::string> split(const std::string& text) {
    std::istringstream in(text);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

char process_state(int pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(file, text);
    const auto end = text.rfind(')');
    return end == std::string::npos ? 'X' : text[end + 2];
}

}  // namespace

std::vector<std::string> ProgramResult::lines() const { return split(out); }
std::vector<std::string> ProgramResult::sorted_lines() const {
    auto result = lines();
    std::sort(result.begin(), result.end());
    return result;
}

ProgramResult run_program(const std::vector<std::string>& arguments) {
    std::array<std::array<int, 2>, 2> pipes{};
    for (auto& pipe : pipes) {
        if (::pipe2(pipe.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    }
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, pipes[0][1], 1);
    ::posix_spawn_file_actions_adddup2(&actions, pipes[1][1], 2);
    std::vector<char*> argv;
    for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    const auto begin = std::chrono::steady_clock::now();
    pid_t pid = -1;
    const int code = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(pipes[0][1]);
    ::close(pipes[1][1]);
    if (code != 0) throw std::runtime_error("cannot run " + arguments[0]);
    ProgramResult result;
    std::array<std::string*, 2> texts{&result.out, &result.err};
    std::array<pollfd, 2> waited{pollfd{pipes[0][0], POLLIN, 0}, pollfd{pipes[1][0], POLLIN, 0}};
    for (int open = 2; open > 0;) {
        ::poll(waited.data(), 2, -1);
        for (std::size_t i = 0; i < 2; ++i) {
            if (waited[i].fd < 0 || waited[i].revents == 0) continue;
            std::array<char, 65536> buffer;
            const auto size = ::read(waited[i].fd, buffer.data(), buffer.size());
            if (size > 0) {
                texts[i]->append(buffer.data(), static_cast<std::size_t>(size));
            } else {
                ::close(waited[i].fd);
                waited[i].fd = -1;
                --open;
            }
        }
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    result.took = std::chrono::steady_clock::now() - begin;
    result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return result;
}

std::string test_program(const std::string& name) { return std::string(TEST_PROGRAMS) + "/program_" + name; }

bool is_running(int pid) {
    const char state = process_state(pid);
    return state != 'X' && state != 'Z';
}

bool wait_until_gone(int pid, std::chrono::milliseconds limit) {
    const int process = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    if (process < 0) return true;
    pollfd waited{process, POLLIN, 0};
    const int ready = ::poll(&waited, 1, static_cast<int>(limit.count()));
    ::close(process);
    return ready > 0;
}

// Files by which a test and the processes it starts tell and await things. They work by name, so the
// names travel to any child, however it was started.
#pragma once

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

/// A directory of the test's own, gone with it.
class Scratch {
public:
    Scratch() {
        std::string pattern = (std::filesystem::temp_directory_path() / "chorus-test-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
        directory_ = pattern;
    }
    ~Scratch() {
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    std::string path(const std::string& name) const { return directory_ / name; }

    std::string text(const std::string& name) const {
        std::ifstream file(path(name));
        std::ostringstream all;
        all << file.rdbuf();
        return all.str();
    }

    std::vector<std::string> lines(const std::string& name) const {
        std::ifstream file(path(name));
        std::vector<std::string> all;
        for (std::string line; std::getline(file, line);) all.push_back(line);
        return all;
    }

private:
    std::filesystem::path directory_;
};

/// Appends a line to a file, in one piece.
inline void tell(const std::string& path, const std::string& line) {
    const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    const std::string whole = line + "\n";
    if (file < 0 || ::write(file, whole.data(), whole.size()) != static_cast<ssize_t>(whole.size()))
        throw std::runtime_error("cannot tell " + path);
    ::close(file);
}

/// A gate that processes pass one by one: each pass() lets one wait() go on, whichever comes first.
class Gate {
public:
    Gate(const Scratch& scratch, const std::string& name) : path_(scratch.path(name)) {
        if (::mkfifo(path_.c_str(), 0600) != 0) throw std::runtime_error("mkfifo " + path_);
        // Open both ways, so that no process that opens it has to wait for the other end.
        descriptor_ = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
        if (descriptor_ < 0) throw std::runtime_error("open " + path_);
    }
    ~Gate() { ::close(descriptor_); }
    Gate(const Gate&) = delete;
    Gate& operator=(const Gate&) = delete;

    const std::string& path() const { return path_; }
    int descriptor() const { return descriptor_; }

    void pass(int times = 1) const {
        const std::string tokens(static_cast<std::size_t>(times), '.');
        if (::write(descriptor_, tokens.data(), tokens.size()) != times)
            throw std::runtime_error("pass " + path_);
    }

    /// False when no process passed within a time that only a broken library needs.
    [[nodiscard]] bool wait(std::chrono::milliseconds limit = std::chrono::seconds(20)) const {
        pollfd waited{descriptor_, POLLIN, 0};
        if (::poll(&waited, 1, static_cast<int>(limit.count())) <= 0) return false;
        char token = 0;
        return ::read(descriptor_, &token, 1) == 1;
    }

private:
    std::string path_;
    int descriptor_ = -1;
};

/// Gate::pass and Gate::wait for a process that knows the gate's path.
inline void pass_gate(const std::string& path) {
    const int gate = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (gate < 0 || ::write(gate, ".", 1) != 1) throw std::runtime_error("pass " + path);
    ::close(gate);
}

inline void wait_at_gate(const std::string& path) {
    const int gate = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    char token = 0;
    while (gate >= 0 && ::read(gate, &token, 1) < 0 && errno == EINTR) {
    }
    if (gate < 0) throw std::runtime_error("wait at " + path);
    ::close(gate);
}

/// Says that it is there, then waits.
inline void meet_at_gates(const std::string& here, const std::string& go_on) {
    pass_gate(here);
    wait_at_gate(go_on);
}

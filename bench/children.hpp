// Processes, memory and CPUs for what is measured between processes: plain fork, the same for us and for the
// rivals.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

[[noreturn]] inline void fail(const char* what) {
    std::perror(what);
    std::_Exit(1);
}

/// Zeroed memory shared with the children started later, each page of it there already.
inline void* shared_memory(std::size_t bytes) {
    void* const memory =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) fail("mmap");
    return memory;
}

/// An object in it; never destroyed.
template <class T, class... Arguments>
T& shared(Arguments&&... arguments) {
    return *new (shared_memory(sizeof(T))) T(std::forward<Arguments>(arguments)...);
}

inline constexpr int any_cpu = -1;

inline void pin(int cpu) {
    if (cpu == any_cpu) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(cpu), &set);
    if (::sched_setaffinity(0, sizeof set, &set) != 0) fail("sched_setaffinity");
}

/// The calling thread on one CPU, as long as it is in scope.
class Pinned {
public:
    explicit Pinned(int cpu) {
        if (::sched_getaffinity(0, sizeof before_, &before_) != 0) fail("sched_getaffinity");
        pin(cpu);
    }
    ~Pinned() { ::sched_setaffinity(0, sizeof before_, &before_); }
    Pinned(const Pinned&) = delete;
    Pinned& operator=(const Pinned&) = delete;

private:
    cpu_set_t before_;
};

/// Until it sleeps in the kernel: a child that has settled.
inline void wait_until_asleep(pid_t pid) {
    for (;;) {
        std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
        std::string text;
        std::getline(file, text);
        const auto end = text.rfind(')');
        if (end != std::string::npos && text.compare(end + 1, 2, " S") == 0) return;
        ::sched_yield();
    }
}

/// Children of this process, killed when they go out of scope or when it dies.
class Children {
public:
    Children() = default;
    Children(const Children&) = delete;
    Children& operator=(const Children&) = delete;
    ~Children() {
        for (const pid_t pid : pids_) kill(pid);
    }

    template <class Work>
    std::size_t start(int cpu, Work&& work) {
        std::fflush(stdout);
        const pid_t pid = ::fork();
        if (pid < 0) fail("fork");
        if (pid == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            pin(cpu);
            work();
            std::fflush(stdout);
            ::_exit(0);
        }
        pids_.push_back(pid);
        return pids_.size() - 1;
    }
    pid_t pid(std::size_t child) const { return pids_[child]; }
    /// Returns whether it ended well.
    bool join(std::size_t child) {
        int status = 0;
        ::waitpid(std::exchange(pids_[child], 0), &status, 0);
        return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    void end(std::size_t child) { kill(std::exchange(pids_[child], 0)); }
    /// Takes its place: another one, killed first.
    template <class Work>
    void replace(std::size_t child, int cpu, Work&& work) {
        kill(pids_[child]);
        start(cpu, std::forward<Work>(work));
        pids_[child] = pids_.back();
        pids_.pop_back();
    }

private:
    static void kill(pid_t pid) {
        if (pid <= 0) return;
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
    std::vector<pid_t> pids_;
};

/// Lets all processes that meet at it start at once.
class StartingLine {
public:
    explicit StartingLine(unsigned count) {
        pthread_barrierattr_t attributes;
        ::pthread_barrierattr_init(&attributes);
        ::pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        ::pthread_barrier_init(&barrier_, &attributes, count);
        ::pthread_barrierattr_destroy(&attributes);
    }
    void wait() { ::pthread_barrier_wait(&barrier_); }

private:
    pthread_barrier_t barrier_;
};

}  // namespace bench

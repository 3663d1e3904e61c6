// A running program as it looks from outside: its workers, pools and queues.
//
// Nothing is asked of the program: its shared memory is read through /proc, and never written. So it is not
// held up, whatever state it is in. Users that may read /proc/PID/fd may look: its own user and root.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace command::top {

/// A process of the program's tree.
struct Worker {
    int pid = 0;
    int parent = 0;
    std::string name;  ///< as Chorus calls it; else the command's
    char state = '?';  ///< as in /proc/PID/stat: R runs, S sleeps, T stopped, Z ended and not collected
    std::uint64_t cpu_ticks = 0;
    std::uint64_t memory = 0;  ///< resident bytes
    int threads = 0;
    bool is_busy = false;          ///< at a pool's task
    std::uint64_t tasks_done = 0;  ///< of a pool

    bool has_ended() const noexcept { return state == 'Z' || state == 'X'; }
};

struct Pool {
    int pid = 0;  ///< of the process that made it
    std::string name;
    bool has_threads = false;
    std::uint64_t workers = 0;  ///< that it wants
    std::uint64_t submitted = 0;
    std::uint64_t unfinished = 0;
    std::uint64_t done() const noexcept { return submitted - unfinished; }
};

struct Queue {
    std::uint64_t name = 0;
    bool is_pipe = false;
    bool is_shut_down = false;
    std::uint64_t max_items = 0;  ///< 0: no limit
    std::uint32_t put = 0;        ///< so far, modulo 2^32
    std::uint32_t got = 0;
    std::uint32_t size() const noexcept { return put - got; }
    std::vector<int> held_by;  ///< processes
};

struct Program {
    std::vector<Worker> workers;  ///< the tree, each before its children
    std::vector<Pool> pools;
    std::vector<Queue> queues;  ///< those of pools left out
    bool uses_chorus = false;   ///< there was shared memory of Chorus's to look at
};

/// There is no such process, or it has ended.
struct HasEnded : std::runtime_error {
    explicit HasEnded(int pid) : std::runtime_error("there is no process " + std::to_string(pid)) {}
};

/// Throws: HasEnded; std::runtime_error if it may not be looked at, or uses another version of Chorus.
Program look_at(int pid);

}  // namespace command::top

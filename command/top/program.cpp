#include "program.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channel/queue_state.hpp"
#include "pool/pool_counters.hpp"
#include "sync/shared_runtime.hpp"

#include "columns.hpp"
#include "proc.hpp"

namespace command::top {
namespace {

// Of the library's rooms only what is inline in their headers: a shared library shows no private name.
using chorus::detail::pool::PoolCounters;
using chorus::detail::sync::Participant;
using chorus::detail::sync::SharedRuntime;

// A copy of a file's beginning. What a program shares is not mapped: it may be any program's, and cut its
// file short meanwhile.
class Copy {
public:
    Copy(const std::string& file, std::size_t most)
        : descriptor_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)) {
        extend(most);
    }
    ~Copy() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    Copy(const Copy&) = delete;
    Copy& operator=(const Copy&) = delete;

    /// To so many bytes, or to its end.
    void extend(std::size_t most) {
        lines_.resize((most + sizeof(Line) - 1) / sizeof(Line));
        while (descriptor_ >= 0 && size_ < most) {
            const auto got = ::pread(descriptor_, reinterpret_cast<char*>(lines_.data()) + size_,
                                     most - size_, static_cast<off_t>(size_));
            if (got <= 0) break;
            size_ += static_cast<std::size_t>(got);
        }
    }
    std::span<std::byte> bytes() noexcept { return {reinterpret_cast<std::byte*>(lines_.data()), size_}; }

private:
    struct alignas(128) Line {
        std::array<std::byte, 128> bytes;
    };
    const int descriptor_;
    std::vector<Line> lines_;
    std::size_t size_ = 0;
};

std::string text_of(const char* text, std::size_t most) { return printable({text, ::strnlen(text, most)}); }

// Which memory it is: a file that two processes hold is the same one.
std::optional<std::pair<dev_t, ino_t>> shared_runtime_of(int pid) {
    for (const auto& file : memory_files(pid, chorus::detail::sync::shared_runtime_label)) {
        struct stat status {};
        if (::stat(file.c_str(), &status) == 0) return std::pair(status.st_dev, status.st_ino);
    }
    return std::nullopt;
}

// The program that a worker belongs to: the highest above it that shares the same memory.
int program_of(int pid) {
    const auto shared_runtime = shared_runtime_of(pid);
    for (auto status = status_of(pid); shared_runtime && status && status->parent > 0;
         status = status_of(pid)) {
        if (!may_be_looked_at(status->parent) || shared_runtime_of(status->parent) != shared_runtime) break;
        pid = status->parent;
    }
    return pid;
}

void add_what_lives_tell(SharedRuntime& shared_runtime, std::uint32_t ready, std::vector<Worker>& workers) {
    std::map<int, Worker*> by_pid;
    for (auto& worker : workers) by_pid[worker.pid] = &worker;
    for (std::uint32_t i = 0; i < ready; ++i) {
        const auto& life = shared_runtime.lives()[i];
        const auto found = by_pid.find(life.pid);
        // The main thread's name is its process's.
        if (found == by_pid.end() || life.tid != life.pid) continue;
        const std::uint64_t tasks = life.tasks;
        found->second->name = text_of(life.name, sizeof life.name);
        found->second->is_busy = tasks % 2 == 1;
        found->second->tasks_done = tasks / 2;
    }
}

std::vector<Pool> pools_of(SharedRuntime& shared_runtime, const std::vector<Worker>& workers,
                           std::set<std::uint64_t>& their_queues) {
    std::vector<Pool> pools;
    for (const auto& sign : shared_runtime.signs()) {
        const int pid = sign.pid;
        if (std::ranges::find(workers, pid, &Worker::pid) == workers.end()) continue;
        const auto number = [&](PoolCounters::Number which) { return sign.numbers[which].load(); };
        Pool pool{.pid = pid,
                  .name = text_of(sign.name, sizeof sign.name),
                  .has_threads = number(PoolCounters::kind) == PoolCounters::threads};
        pool.workers = number(PoolCounters::workers);
        pool.unfinished = number(PoolCounters::unfinished);
        pool.submitted = std::max(number(PoolCounters::submitted), pool.unfinished);
        their_queues.insert({number(PoolCounters::tasks), number(PoolCounters::answers)});
        pools.push_back(pool);
    }
    return pools;
}

std::vector<Queue> queues_of(const std::vector<Worker>& workers, const std::set<std::uint64_t>& not_these) {
    std::map<std::uint64_t, Queue> queues;
    for (const auto& worker : workers) {
        for (const auto& file : memory_files(worker.pid, chorus::detail::channel::queue_label)) {
            Copy memory(file, chorus::detail::channel::bytes_in_sight);
            if (memory.bytes().size() < chorus::detail::channel::bytes_in_sight) continue;
            const auto sight = chorus::detail::channel::look_at_queue(memory.bytes());
            if (!sight || not_these.contains(sight->region)) continue;
            auto& queue = queues[sight->region];
            queue = {.name = sight->region,
                     .is_pipe = sight->is_pipe,
                     .is_shut_down = sight->is_shut_down,
                     .max_items = sight->max_items,
                     .put = sight->put,
                     .got = sight->got,
                     .held_by = std::move(queue.held_by)};
            if (queue.held_by.empty() || queue.held_by.back() != worker.pid)
                queue.held_by.push_back(worker.pid);
        }
    }
    std::vector<Queue> all;
    for (auto& [name, queue] : queues) all.push_back(std::move(queue));
    return all;
}

}  // namespace

Program look_at(int pid) {
    Program program;
    const int root = program_of(pid);
    for (const auto& each : tree_of(root)) {
        program.workers.push_back({.pid = each.pid,
                                   .parent = each.parent,
                                   .name = printable(each.command),
                                   .state = each.state,
                                   .cpu_ticks = each.cpu_ticks,
                                   .memory = each.memory,
                                   .threads = each.threads});
    }
    if (program.workers.empty() || program.workers.front().has_ended()) throw HasEnded(pid);
    if (!may_be_looked_at(root)) {
        if (const auto status = status_of(root); !status || status->has_ended()) throw HasEnded(pid);
        throw std::runtime_error("process " + std::to_string(root) +
                                 " belongs to somebody else: look at it as its user, or as root");
    }
    const auto files = memory_files(root, chorus::detail::sync::shared_runtime_label);
    if (files.empty()) return program;
    Copy memory(files.front(), SharedRuntime::participants_offset);
    if (memory.bytes().size() < sizeof(std::uint64_t)) return program;
    std::uint64_t layout = 0;
    std::memcpy(&layout, memory.bytes().data(), sizeof layout);
    if (layout != SharedRuntime::current_layout ||
        memory.bytes().size() < SharedRuntime::participants_offset) {
        throw std::runtime_error(
            "process " + std::to_string(pid) +
            " uses another version of Chorus than this command: look at it with that one's");
    }
    const auto said =
        std::launder(reinterpret_cast<SharedRuntime*>(memory.bytes().data()))->participants_ready.load();
    memory.extend(SharedRuntime::participants_offset +
                  std::min(said, SharedRuntime::most_participants) * sizeof(Participant));
    const auto ready = static_cast<std::uint32_t>(
        (memory.bytes().size() - SharedRuntime::participants_offset) / sizeof(Participant));
    auto& shared_runtime = *std::launder(reinterpret_cast<SharedRuntime*>(memory.bytes().data()));
    program.uses_chorus = true;
    for (auto& worker : program.workers) {
        if (const auto name =
                chorus::detail::sync::process_name_of(shared_runtime.process_names(), worker.pid);
            !name.empty())
            worker.name = printable(name);
    }
    add_what_lives_tell(shared_runtime, ready, program.workers);
    std::set<std::uint64_t> of_pools;
    program.pools = pools_of(shared_runtime, program.workers, of_pools);
    program.queues = queues_of(program.workers, of_pools);
    return program;
}

}  // namespace command::top

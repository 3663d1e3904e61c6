#include "program.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

#include <chorus/channel/internal/queue_core.hpp>
#include <chorus/platform/mapping.hpp>
#include <chorus/pool/internal/pool_sign.hpp>
#include <chorus/sync/internal/commons.hpp>

#include "proc.hpp"

namespace command::top {
namespace {

using chorus::platform::FileDescriptor;
using chorus::platform::Mapping;
using chorus::pool::PoolSign;
using chorus::sync::Commons;

// What the program's processes share; nothing if it has nothing, or it is gone.
Mapping map_to_read(const std::string& file, std::size_t most) {
    const FileDescriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (!descriptor || ::fstat(descriptor.get(), &status) != 0) return {};
    return {descriptor.get(), std::min(most, static_cast<std::size_t>(status.st_size)), Mapping::Access::read};
}

std::string text_of(const char* text, std::size_t most) { return {text, ::strnlen(text, most)}; }

// Which memory it is: a file that two processes hold is the same one.
std::optional<std::pair<dev_t, ino_t>> commons_of(int pid) {
    for (const auto& file : memory_files(pid, chorus::sync::commons_label)) {
        struct stat status {};
        if (::stat(file.c_str(), &status) == 0) return std::pair(status.st_dev, status.st_ino);
    }
    return std::nullopt;
}

// The program that a worker belongs to: the highest above it that shares the same memory.
int program_of(int pid) {
    const auto commons = commons_of(pid);
    for (auto status = status_of(pid); commons && status && status->parent > 0; status = status_of(pid)) {
        if (!may_be_looked_at(status->parent) || commons_of(status->parent) != commons) break;
        pid = status->parent;
    }
    return pid;
}

void add_what_lives_tell(Commons& commons, std::vector<Worker>& workers) {
    std::map<int, Worker*> by_pid;
    for (auto& worker : workers) by_pid[worker.pid] = &worker;
    const std::uint32_t ready = std::min(commons.lives_ready.load(), Commons::most_lives);
    for (std::uint32_t i = 0; i < ready; ++i) {
        const auto& life = commons.lives()[i];
        const auto found = by_pid.find(life.pid);
        // The main thread's name is its process's.
        if (found == by_pid.end() || life.tid != life.pid || !life.as_holder.is_held()) continue;
        const std::uint64_t tasks = life.tasks;
        found->second->name = text_of(life.name, sizeof life.name);
        found->second->is_busy = tasks % 2 == 1;
        found->second->tasks_done = tasks / 2;
    }
}

std::vector<Pool> pools_of(Commons& commons, const std::vector<Worker>& workers, std::set<std::uint64_t>& their_queues) {
    std::vector<Pool> pools;
    for (const auto& sign : commons.signs()) {
        const int pid = sign.pid;
        if (std::ranges::find(workers, pid, &Worker::pid) == workers.end()) continue;
        const auto number = [&](PoolSign::Number which) { return sign.numbers[which].load(); };
        Pool pool{.pid = pid, .name = text_of(sign.name, sizeof sign.name), .has_threads = number(PoolSign::kind) == PoolSign::threads};
        pool.workers = number(PoolSign::workers);
        pool.unfinished = number(PoolSign::unfinished);
        pool.submitted = std::max(number(PoolSign::submitted), pool.unfinished);
        their_queues.insert({number(PoolSign::tasks), number(PoolSign::answers)});
        pools.push_back(pool);
    }
    return pools;
}

std::vector<Queue> queues_of(const std::vector<Worker>& workers, const std::set<std::uint64_t>& not_these) {
    std::map<std::uint64_t, Queue> queues;
    for (const auto& worker : workers) {
        for (const auto& file : memory_files(worker.pid, chorus::channel::queue_label)) {
            const Mapping memory = map_to_read(file, chorus::channel::bytes_in_sight);
            if (memory.bytes().size() < chorus::channel::bytes_in_sight) continue;
            const auto sight = chorus::channel::look_at_queue(memory.bytes());
            if (!sight || not_these.contains(sight->region)) continue;
            auto& queue = queues[sight->region];
            queue = {.name = sight->region,
                     .is_pipe = sight->is_pipe,
                     .is_shut_down = sight->is_shut_down,
                     .max_items = sight->max_items,
                     .put = sight->put,
                     .got = sight->got,
                     .held_by = std::move(queue.held_by)};
            if (queue.held_by.empty() || queue.held_by.back() != worker.pid) queue.held_by.push_back(worker.pid);
        }
    }
    std::vector<Queue> all;
    for (auto& [name, queue] : queues) all.push_back(std::move(queue));
    return all;
}

}  // namespace

Program look_at(int pid) {
    Program program;
    for (const auto& each : tree_of(program_of(pid))) {
        program.workers.push_back({.pid = each.pid,
                                   .parent = each.parent,
                                   .name = each.command,
                                   .state = each.state,
                                   .cpu_ticks = each.cpu_ticks,
                                   .memory = each.memory,
                                   .threads = each.threads});
    }
    if (program.workers.empty()) throw std::runtime_error("there is no process " + std::to_string(pid));
    const auto files = memory_files(program.workers.front().pid, chorus::sync::commons_label);
    if (files.empty()) return program;
    const Mapping memory = map_to_read(files.front(), std::size_t(-1));
    if (memory.bytes().size() < sizeof(Commons)) return program;
    auto& commons = *std::launder(reinterpret_cast<Commons*>(memory.bytes().data()));
    if (commons.layout != Commons::current_layout) {
        throw std::runtime_error("process " + std::to_string(pid) + " uses another version of Chorus than this command: look at it with that one's");
    }
    program.uses_chorus = true;
    for (auto& worker : program.workers) {
        if (auto name = chorus::sync::name_tag_of(commons, worker.pid); !name.empty()) worker.name = std::move(name);
    }
    add_what_lives_tell(commons, program.workers);
    std::set<std::uint64_t> of_pools;
    program.pools = pools_of(commons, program.workers, of_pools);
    program.queues = queues_of(program.workers, of_pools);
    return program;
}

}  // namespace command::top

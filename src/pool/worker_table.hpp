// The worker processes of a backend, and what can be done to them.
//
// Thread safety: under the backend's mutex.
// Crash safety: a dead worker stays in the table until its backend has received its death.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "pool/channels.hpp"
#include "pool/stderr_relay.hpp"
#include "pool/worker_status.hpp"
#include "worker/process_state.hpp"

namespace chorus::inline v0::detail::pool {

struct WorkerEntry {
    std::uint32_t number = 0;
    worker::ProcessPointer process;
    std::shared_ptr<WorkerStatus> note;
    ChannelsPointer channels;
    bool is_ready = false;
    bool is_told_dead = false;           ///< what says so may not be heard yet
    std::shared_ptr<StderrRelay> words;  ///< null if none are kept
    bool is_late = false;                ///< it was not ready in time, and killed for it
    // It takes tasks before whoever starts it knows that it is there: then it is killed a moment later.
    bool is_started = false;
    bool is_killed = false;

    void kill() noexcept;
    /// Kills it if it does this, and notes why. Returns false, and what it does now, if it does something
    /// else by now: only the worker that has this very task is killed (see note.hpp).
    bool end(std::uint64_t& doing, WorkerStatus::Step how) noexcept;
};

class WorkerTable {
public:
    /// 1, 2, …
    std::uint32_t new_number() noexcept { return ++last_; }
    void add(WorkerEntry member);
    WorkerEntry* find(std::uint32_t number) noexcept;
    void remove(std::uint32_t number) noexcept { all_.erase(number); }
    std::optional<WorkerEntry> take_out(std::uint32_t number) noexcept;

    std::size_t size() const noexcept { return all_.size(); }
    template <class Visit>
    void for_each(Visit visit) {
        for (auto& [number, member] : all_) visit(member);
    }

    /// Whether one of them has these channels.
    bool use(const Channels& channels) const noexcept;
    /// Whether one of them takes or has this task.
    bool note(std::uint64_t task) const noexcept;
    /// Whether one of them is past the taking of this task.
    bool have_begun(std::uint64_t task) const noexcept;
    /// Whether one of them notes that it is at this task, which it takes or took as this message of the
    /// queue.
    bool are_at(std::uint64_t task, std::uint32_t item) const noexcept;
    /// Ends the one that takes or runs this task, if there is one.
    void doom(std::uint64_t task) noexcept;
    /// The same, also if it has answered: that was not heard, so it was stopped in the midst of it or is late
    /// after all. If its answer is there, that is heard before its death.
    void doom_late(std::uint64_t task) noexcept;
    std::vector<int> pids() const;

private:
    std::map<std::uint32_t, WorkerEntry> all_;
    std::uint32_t last_ = 0;
};

}  // namespace chorus::inline v0::detail::pool

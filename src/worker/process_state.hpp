// One process as its parent sees it.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <chorus/deadline.hpp>
#include <chorus/detail/message/callable.hpp>
#include <chorus/process.hpp>
#include <chorus/run.hpp>
#include "platform/copy_mutex.hpp"
#include "platform/file_descriptor.hpp"
#include "worker/exit_words.hpp"
#include "worker/identity.hpp"

namespace chorus::inline v0::detail::worker {

struct ProcessState {
    enum class Kind { child, self, parent };
    enum class Phase { initial, starting, started, stopped, closed };

    Kind kind = Kind::child;
    std::string type_name = "Process";
    std::vector<int> path;
    std::optional<StartMethod> method;  ///< empty: as chosen when it starts
    int maker_pid = 0;

    // What mp::run and mp::async ask for besides.
    platform::FileDescriptor report;
    std::size_t memory_limit = 0;
    bool wants_result = false;
    bool dies_with_parent = false;  ///< although it is joined at the end

    mutable platform::CopyMutex mutex;  ///< guards what follows
    std::string name;
    bool daemon = false;
    std::unique_ptr<message::Call> call;  ///< until it is started
    Phase phase = Phase::initial;
    int pid = 0;
    Deadline::Clock::time_point born;                         ///< when its start was done
    std::shared_ptr<const platform::FileDescriptor> process;  ///< joiners keep it open while they wait
    ExitSlot exit;                                            ///< until it has ended
    std::optional<int> exitcode;
    std::size_t peak_memory = 0;  ///< once it has ended; 0: not known
};

using ProcessPointer = std::shared_ptr<ProcessState>;

/// Start, wait and ask; what Process promises.
void start(const ProcessPointer& state);
bool join(const ProcessPointer& state, Deadline deadline);
/// The same, for so much running time at most.
bool join_within(const ProcessPointer& state, const Deadline& timeout);
/// Collects the exit code if the process has ended. Returns true if it has.
bool poll(ProcessState& state);
void send_signal(const ProcessPointer& state, int signal);

/// The children of this process that were started and not yet collected.
std::vector<ProcessPointer> living_children();
/// Ends daemons, then joins all. Returns false if there were none.
bool join_children();
/// In a copy made by fork: it has no children.
void forget_children();

}  // namespace chorus::inline v0::detail::worker

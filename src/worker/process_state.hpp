// The state machine of one process, as its parent sees it. A Process (chorus/process.hpp) is a handle
// of it.
//
// Invariants:
// 1. Phases: initial → starting → started → stopped, and closed by close(). A start that fails returns
//    to initial. If the child exists already, it is killed, and the phase is stopped.
// 2. The state is not locked while its child is made.
// 3. poll_locked() alone collects the child and sets its exit code, once: from started to stopped.
// 4. A child that is started is in the registry (children.hpp), whose mutex is acquired after this
//    one's.
//
// `self` and `parent` describe this process and its parent. They are never started or collected.
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
    std::optional<StartMethod> method;  ///< empty: the one that is chosen when it starts
    int maker_pid = 0;

    // Further wishes of mp::run and mp::async.
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
    Deadline::Clock::time_point born;                         ///< when its start was complete
    std::shared_ptr<const platform::FileDescriptor> process;  ///< joiners keep it open while they wait
    ExitSlot exit;                                            ///< until it has ended
    std::optional<int> exitcode;
    std::size_t peak_memory = 0;  ///< once it has ended; 0: not known
};

using ProcessPointer = std::shared_ptr<ProcessState>;

// The members of Process, by what they do. Each throws what Process promises.

void start(const ProcessPointer& state);
bool join(const ProcessPointer& state, Deadline deadline);
/// The same, for so much running time at most.
bool join_within(const ProcessPointer& state, const Deadline& timeout);
/// Collects the exit code if the process has ended. Returns true if it has.
bool poll(ProcessState& state);
/// The same. Requires: state.mutex is held.
bool poll_locked(ProcessState& state);
void send_signal(const ProcessPointer& state, int signal);

// Preconditions of Process. Each throws UsageError, whose text names what was asked for ("join",
// "signal").

void require_maker(const ProcessState& state, const char* what);
void require_child(const ProcessState& state, const char* what);
void require_open(const ProcessState& state);
void require_started(const ProcessState& state, const std::string& what);

}  // namespace chorus::inline v0::detail::worker

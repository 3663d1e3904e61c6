// Retry policy: what becomes of a task whose worker died or exceeded a limit.
//
// Pure decisions without locks, processes and queues: the caller gathers the facts and carries the
// decision out.
//
//   1. A task that its worker had begun is never run again silently: each such attempt counts against
//      `retries` (the worker died) or `timeout_retries` (it exceeded a limit).
//   2. A task that its worker had taken and not begun is not lost: another worker runs it, and no
//      attempt is counted. Its answer may be in the result queue already, from another worker: so that
//      is decided behind all answers (AnswerHeader::look_again).
//   3. A worker that crashed may have begun what its status calls `taking`, and must not do it twice:
//      that attempt counts.
//   4. Only the pool writes the steps `doomed` and `recalled`, right before it kills the worker. A
//      worker that has one of them and was not killed by its pool made a stray write: it counts as
//      crashed.
//   5. A pool that is broken tries nothing again.
//
// Thread safety: pure functions.
// Crash safety: a worker that crashed may have overwritten its status. The caller has to make sure
// first that the worker can have had the task that its status names.
#pragma once

#include <cstdint>
#include <optional>

#include <chorus/detail/pool/task.hpp>
#include "pool/worker_status.hpp"

namespace chorus::inline v0::detail::pool {

// ---- a worker has died --------------------------------------------------------------------------

/// What is known of a worker that has died, and of the task that its status names.
struct DeathFacts {
    std::uint64_t doing = 0;      ///< the status word
    std::optional<int> exitcode;  ///< none: the system could not tell any more
    bool is_killed = false;       ///< by the pool
    // Of the task; false if the task is done already.
    bool has_timeout = false;
    bool has_cpu_time = false;
    // Of the message that the status names as being taken.
    bool is_queued = false;           ///< it is still in the task queue
    bool is_at_other_worker = false;  ///< another worker takes or took it
};

/// Rule 4.
bool has_stray_status(const DeathFacts& death) noexcept;
/// Whether it may have written anywhere in shared memory.
bool has_crashed(const DeathFacts& death) noexcept;

enum class TaskAfterDeath {
    unaffected,         ///< there is none, or it is queued, or another worker has it
    exceeded_timeout,   ///< an attempt that counts against timeout_retries
    exceeded_cpu_time,  ///< an attempt that counts against timeout_retries
    died,               ///< an attempt that counts against retries; so do the next two
    ended_for_stray_status,
    ended_while_stopped,
    not_begun,  ///< rule 2
};
TaskAfterDeath task_after(const DeathFacts& death) noexcept;

/// How many workers may die one after the other before one is ready. So many deaths mean that none will
/// ever be ready. `is_late`: the pool killed it because it was not ready in time.
int most_unready_deaths(std::optional<int> exitcode, bool is_late) noexcept;

// ---- an attempt has failed ----------------------------------------------------------------------

enum class Failure { died, exceeded_limit };
enum class NextStep { retry, fail };

/// Counts the failed attempt in the task. Rules 1 and 5.
NextStep count_failure(Task& task, Failure failure, bool is_broken) noexcept;

}  // namespace chorus::inline v0::detail::pool

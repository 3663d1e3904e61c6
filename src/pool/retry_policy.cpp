#include "pool/retry_policy.hpp"

#include <csignal>

#include "platform/signals.hpp"

namespace chorus::inline v0::detail::pool {

bool has_stray_status(const DeathFacts& death) noexcept {
    const auto step = WorkerStatus::step_of(death.doing);
    return !death.is_killed && (step == WorkerStatus::doomed || step == WorkerStatus::recalled);
}

bool has_crashed(const DeathFacts& death) noexcept {
    return has_stray_status(death) ||
           (death.exitcode && platform::may_have_written_anywhere(*death.exitcode));
}

TaskAfterDeath task_after(const DeathFacts& death) noexcept {
    if (WorkerStatus::task_of(death.doing) == 0) return TaskAfterDeath::unaffected;
    if (has_stray_status(death)) return TaskAfterDeath::ended_for_stray_status;
    switch (WorkerStatus::step_of(death.doing)) {
        case WorkerStatus::doomed:
            return death.has_timeout ? TaskAfterDeath::exceeded_timeout : TaskAfterDeath::ended_while_stopped;
        case WorkerStatus::taking:
        case WorkerStatus::recalled:
            if (death.is_queued || death.is_at_other_worker) return TaskAfterDeath::unaffected;
            return has_crashed(death) ? TaskAfterDeath::died : TaskAfterDeath::not_begun;
        default:
            return death.exitcode && platform::is_cpu_time_signal(*death.exitcode) && death.has_cpu_time
                       ? TaskAfterDeath::exceeded_cpu_time
                       : TaskAfterDeath::died;
    }
}

int most_unready_deaths(std::optional<int> exitcode, bool is_late) noexcept {
    // SIGKILL may come from outside of the program: it says little about the next worker.
    return exitcode == -SIGKILL && !is_late ? 100 : 3;
}

NextStep count_failure(Task& task, Failure failure, bool is_broken) noexcept {
    const bool died = failure == Failure::died;
    int& times = died ? task.deaths : task.late;
    const int retries = died ? task.options.retries : task.options.timeout_retries;
    return times++ >= retries || is_broken ? NextStep::fail : NextStep::retry;
}

}  // namespace chorus::inline v0::detail::pool

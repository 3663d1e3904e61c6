// What becomes of a task after the death of its worker, and after a failed attempt.
#include <csignal>

#include <gtest/gtest.h>

#include <pool/idle_task.hpp>
#include "pool/retry_policy.hpp"

namespace {

namespace pool = chorus::detail::pool;
using pool::DeathFacts;
using pool::Failure;
using pool::NextStep;
using pool::task_after;
using pool::TaskAfterDeath;
using pool::WorkerStatus;

// Of a worker that the pool has killed, or that was killed from outside.
DeathFacts killed(WorkerStatus::Step step, bool by_the_pool) {
    return {.doing = WorkerStatus::with(7, step), .exitcode = -SIGKILL, .is_killed = by_the_pool};
}
DeathFacts crashed(WorkerStatus::Step step) {
    return {.doing = WorkerStatus::with(7, step), .exitcode = -SIGSEGV};
}

TEST(RetryPolicy, a_worker_without_a_task_takes_none_with_it) {
    EXPECT_EQ(task_after({.exitcode = -SIGKILL}), TaskAfterDeath::unaffected);
    EXPECT_EQ(task_after({.exitcode = -SIGSEGV}), TaskAfterDeath::unaffected);
}

TEST(RetryPolicy, a_task_that_has_begun_fails_with_its_worker) {
    for (const auto step : {WorkerStatus::running, WorkerStatus::answered}) {
        EXPECT_EQ(task_after(killed(step, false)), TaskAfterDeath::died);
        EXPECT_EQ(task_after(crashed(step)), TaskAfterDeath::died);
    }
    auto unknown = killed(WorkerStatus::running, false);
    unknown.exitcode.reset();
    EXPECT_EQ(task_after(unknown), TaskAfterDeath::died);
}

TEST(RetryPolicy, a_task_that_was_taken_and_not_begun_runs_elsewhere_unless_the_worker_crashed) {
    EXPECT_EQ(task_after(killed(WorkerStatus::taking, false)), TaskAfterDeath::not_begun);
    EXPECT_EQ(task_after(killed(WorkerStatus::recalled, true)), TaskAfterDeath::not_begun);
    EXPECT_EQ(task_after(crashed(WorkerStatus::taking)), TaskAfterDeath::died);
}

TEST(RetryPolicy, a_task_that_is_queued_or_with_another_worker_is_unaffected) {
    for (auto facts : {killed(WorkerStatus::taking, false), killed(WorkerStatus::recalled, true),
                       crashed(WorkerStatus::taking)}) {
        facts.is_queued = true;
        EXPECT_EQ(task_after(facts), TaskAfterDeath::unaffected);
        facts.is_queued = false;
        facts.is_at_other_worker = true;
        EXPECT_EQ(task_after(facts), TaskAfterDeath::unaffected);
    }
}

TEST(RetryPolicy, a_doomed_worker_was_late_or_stopped) {
    auto facts = killed(WorkerStatus::doomed, true);
    EXPECT_EQ(task_after(facts), TaskAfterDeath::ended_while_stopped);
    facts.has_timeout = true;
    EXPECT_EQ(task_after(facts), TaskAfterDeath::exceeded_timeout);
}

TEST(RetryPolicy, only_the_pool_dooms_a_worker) {
    for (const auto step : {WorkerStatus::doomed, WorkerStatus::recalled}) {
        auto facts = killed(step, false);
        facts.has_timeout = true;
        EXPECT_TRUE(has_stray_status(facts));
        EXPECT_TRUE(has_crashed(facts));
        EXPECT_EQ(task_after(facts), TaskAfterDeath::ended_for_stray_status);
        EXPECT_FALSE(has_crashed(killed(step, true)));
    }
    EXPECT_FALSE(has_crashed(killed(WorkerStatus::running, false)));
    EXPECT_TRUE(has_crashed(crashed(WorkerStatus::running)));
}

TEST(RetryPolicy, the_signal_of_the_cpu_limit_means_late_only_if_there_is_a_limit) {
    DeathFacts facts{.doing = WorkerStatus::with(7, WorkerStatus::running), .exitcode = -SIGXCPU};
    EXPECT_EQ(task_after(facts), TaskAfterDeath::died);
    facts.has_cpu_time = true;
    EXPECT_EQ(task_after(facts), TaskAfterDeath::exceeded_cpu_time);
}

TEST(RetryPolicy, counts_deaths_and_missed_limits_apart) {
    IdleTask task;
    task.options.retries = 1;
    task.options.timeout_retries = 2;
    EXPECT_EQ(count_failure(task, Failure::exceeded_limit, false), NextStep::retry);
    EXPECT_EQ(count_failure(task, Failure::died, false), NextStep::retry);
    EXPECT_EQ(count_failure(task, Failure::exceeded_limit, false), NextStep::retry);
    EXPECT_EQ(count_failure(task, Failure::died, false), NextStep::fail);
    EXPECT_EQ(count_failure(task, Failure::exceeded_limit, false), NextStep::fail);
    EXPECT_EQ(task.deaths, 2);
    EXPECT_EQ(task.late, 3);
}

TEST(RetryPolicy, a_broken_pool_tries_nothing_again) {
    IdleTask task;
    task.options.retries = 5;
    EXPECT_EQ(count_failure(task, Failure::died, true), NextStep::fail);
}

TEST(RetryPolicy, gives_up_sooner_on_workers_that_end_themselves_before_they_are_ready) {
    EXPECT_EQ(pool::most_unready_deaths(-SIGSEGV, false), 3);
    EXPECT_EQ(pool::most_unready_deaths(1, false), 3);
    EXPECT_EQ(pool::most_unready_deaths(-SIGKILL, true), 3);
    EXPECT_EQ(pool::most_unready_deaths(-SIGKILL, false), 100);
}

}  // namespace

#include "report/advice.hpp"

#include <gmock/gmock.h>

namespace {

using namespace command::report;
using testing::AllOf;
using testing::Each;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Figure figure(double median) { return {median, median, median, 3}; }

/// Threads and processes at some numbers of workers.
struct Gain {
    double workers;
    double threads;
    double processes;
};

Part scaling(const char* name, const std::vector<Gain>& gains) {
    Part part{.name = name, .title = "", .claim = "", .done = ""};
    Chart chart{.name = "gain", .title = "", .unit = Unit::times, .across = "workers"};
    for (const auto& [workers, threads, processes] : gains) {
        chart.add("threads", Kind::threads, figure(threads), workers);
        chart.add("processes", Kind::processes, figure(processes), workers);
    }
    part.add_chart(std::move(chart));
    return part;
}

Part bars(const char* name, const char* chart_name,
          const std::vector<std::pair<const char*, double>>& medians) {
    Part part{.name = name, .title = "", .claim = "", .done = ""};
    Chart chart{.name = chart_name, .title = ""};
    for (const auto& [series, median] : medians) chart.add(series, Kind::neither, figure(median));
    part.add_chart(std::move(chart));
    return part;
}

std::string use_for_computing(const std::vector<Gain>& gains) {
    return advice_from({scaling("cpu_bound", gains)}).at(0).use;
}

TEST(Advice, needs_figures) {
    EXPECT_THAT(advice_from({}), IsEmpty());
    EXPECT_THAT(advice_from({Part{.name = "cpu_bound", .title = "", .claim = "", .done = ""}}), IsEmpty());
}

TEST(Advice, takes_either_where_both_use_all_cpus) {
    EXPECT_EQ(use_for_computing({{1, 1, 1}, {2, 1.9, 1.9}}), "mt::Pool or mp::Pool, with 2 workers: either");
}

TEST(Advice, takes_no_more_workers_than_help) {
    EXPECT_EQ(use_for_computing({{1, 1, 1}, {2, 1.9, 1.85}, {4, 1.95, 1.9}}),
              "mt::Pool or mp::Pool, with 2 workers: either");
    EXPECT_EQ(use_for_computing({{1, 1, 1}, {2, 1.9, 1.9}, {4, 3.8, 3.7}}),
              "mt::Pool or mp::Pool, with 4 workers: either");
}

TEST(Advice, takes_what_was_faster) {
    EXPECT_EQ(use_for_computing({{1, 1, 1}, {2, 1, 1.9}}), "mp::Pool, with 2 processes");
    EXPECT_EQ(use_for_computing({{1, 1, 1}, {2, 1.9, 1}}), "mt::Pool, with 2 threads");
}

TEST(Advice, has_nothing_to_gain_on_one_cpu) {
    EXPECT_EQ(use_for_computing({{1, 1, 1}, {2, 1, 0.9}}), "one thread, here");
}

TEST(Advice, weighs_memory_where_workers_wait) {
    Part starting = bars("starting", "memory", {{"thread", 8192}, {"process, by forkserver", 65536}});
    const auto advice = advice_from({scaling("io_bound", {{1, 1, 1}, {32, 30, 31}}), std::move(starting)});
    ASSERT_THAT(advice, SizeIs(1));
    EXPECT_THAT(advice[0].use, HasSubstr("mt::Pool"));
    EXPECT_THAT(advice[0].because, AllOf(HasSubstr("30 times"), HasSubstr("31 times"),
                                         HasSubstr("8\u00a0KiB"), HasSubstr("64\u00a0KiB")));
}

TEST(Advice, says_what_was_measured) {
    Part passing{.name = "passing", .title = "", .claim = "", .done = ""};
    Chart& time = passing.add_chart({.name = "time", .title = ""});
    time.add("to a thread", Kind::threads, figure(2000), 0x1p26);
    time.add("to a process", Kind::processes, figure(30e6), 0x1p26);
    time.add("to a process, in shared memory", Kind::neither, figure(3000), 0x1p26);
    Part sharing = bars("sharing", "cost", {{"threads, with a lock", 40}, {"processes, with a lock", 50}});
    EXPECT_THAT(advice_from({passing, sharing}), SizeIs(1));  // what is lost without a lock is not known
    sharing.add_chart({.name = "lost", .title = ""})
        .add("threads, without a lock", Kind::threads, figure(37));

    const auto advice = advice_from({passing, sharing});
    ASSERT_THAT(advice, SizeIs(2));
    EXPECT_THAT(advice[0].because,
                AllOf(HasSubstr("30\u00a0ms"), HasSubstr("3\u00a0µs"), HasSubstr("2\u00a0µs")));
    EXPECT_THAT(advice[1].because,
                AllOf(HasSubstr("40\u00a0ns"), HasSubstr("50\u00a0ns"), HasSubstr("37\u00a0%")));
    EXPECT_THAT(advice, Each(Field(&Advice::use, HasSubstr("threads"))));
}

}  // namespace

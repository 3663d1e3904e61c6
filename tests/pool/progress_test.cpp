// What an observer sees while a map or an imap runs.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <support/each_way.hpp>

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

namespace {

int square(int x) { return x * x; }
int fails_on_odd(int x) { return x % 2 == 1 ? throw std::out_of_range("odd") : x; }

// ---- the line ----

chorus::Progress at(std::size_t done, std::optional<std::size_t> total, std::size_t failed, double seconds) {
    chorus::Progress progress;
    progress.done = done;
    progress.total = total;
    progress.failed = failed;
    progress.seconds = seconds;
    return progress;
}

TEST(ProgressLine, shows_part_rate_and_time_left) {
    EXPECT_EQ(chorus::progress_line("squares", at(250, 1000, 0, 5), 120),
              "squares   25%  [##########..............................]  250/1000  50/s  0:15 left");
}
TEST(ProgressLine, counts_what_failed) {
    EXPECT_THAT(chorus::progress_line("squares", at(250, 1000, 3, 5), 120), HasSubstr("left  3 failed"));
}
TEST(ProgressLine, at_the_end_says_how_long_it_took) {
    EXPECT_EQ(chorus::progress_line("", at(1000, 1000, 0, 3725), 120),
              "100%  [########################################]  1000/1000  0.27/s  1:02:05");
}
TEST(ProgressLine, before_the_first_nothing_is_foretold) {
    EXPECT_THAT(chorus::progress_line("", at(0, 10, 0, 0), 120), HasSubstr("-:-- left"));
}
TEST(ProgressLine, without_a_total_there_is_no_bar) {
    EXPECT_EQ(chorus::progress_line("lines", at(2'500'000, {}, 0, 1), 120), "lines  2500000  2.5 M/s  0:01");
}
TEST(ProgressLine, fits_into_a_narrow_terminal) {
    EXPECT_EQ(chorus::progress_line("squares", at(250, 1000, 0, 5), 40),
              "squares  250/1000  50/s  0:15 left");
    EXPECT_EQ(chorus::progress_line("squares", at(250, 1000, 0, 5), 12), "squares  250");
    EXPECT_EQ(chorus::progress_line("squares", at(250, 1000, 0, 5), 0), "");
}

TEST(ProgressLine, is_not_cut_through_a_character) {
    EXPECT_EQ(chorus::progress_line("größe", at(250, 1000, 0, 5), 3), "gr");
    EXPECT_EQ(chorus::progress_line("größe", at(250, 1000, 0, 5), 4), "grö");
}

// ---- a display of one's own ----

template <class Par>
using ProgressOf = EachWay<Par>;
EACH_WAY_SUITE(ProgressOf, ThreadsAndProcesses);

EACH_WAY_TEST(ProgressOf, a_map_tells_of_each_chunk) {
    std::vector<chorus::Progress> seen;  // the calls come one at a time
    typename TypeParam::Pool pool(2);
    pool.map({.progress = [&](const chorus::Progress& now) { seen.push_back(now); }, .chunksize = 10}, square,
             std::views::iota(0, 95));
    ASSERT_GE(seen.size(), 1u);
    EXPECT_LE(seen.size(), 10u);  // chunks that end while it is called come together
    EXPECT_TRUE(std::ranges::is_sorted(seen, {}, &chorus::Progress::done));
    EXPECT_EQ(seen.back().done, 95u);
    EXPECT_TRUE(
        std::ranges::all_of(seen, [](const auto& each) { return each.total == 95u && each.failed == 0; }));
}

EACH_WAY_TEST(ProgressOf, failures_are_counted) {
    chorus::Progress last;
    typename TypeParam::Pool pool(2);
    EXPECT_THROW(pool.map({.progress = [&](const chorus::Progress& now) { last = now; }, .chunksize = 1},
                          fails_on_odd, std::views::iota(0, 10)),
                 std::out_of_range);
    EXPECT_EQ(last.done, 10u);
    EXPECT_EQ(last.failed, 5u);
}

EACH_WAY_TEST(ProgressOf, an_imap_learns_its_total_at_the_end) {
    std::vector<chorus::Progress> seen;
    typename TypeParam::Pool pool(2);
    auto numbers = std::views::iota(0) | std::views::take_while([](int x) { return x < 20; });
    int sum = 0;
    for (const int each :
         pool.imap({.progress = [&](const chorus::Progress& now) { seen.push_back(now); }}, square, numbers))
        sum += each;
    EXPECT_EQ(sum, 2470);
    ASSERT_GE(seen.size(), 2u);
    EXPECT_EQ(seen.front().total, std::nullopt);
    EXPECT_EQ(seen.back().total, 20u);
    EXPECT_EQ(seen.back().done, 20u);
}

EACH_WAY_TEST(ProgressOf, nothing_to_do_is_done_at_once) {
    std::vector<chorus::Progress> seen;
    typename TypeParam::Pool pool(2);
    pool.map({.progress = [&](const chorus::Progress& now) { seen.push_back(now); }}, square,
             std::vector<int>{});
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_EQ(seen.back().total, 0u);
}

EACH_WAY_TEST(ProgressOf, a_display_may_cancel_what_it_shows) {
    std::optional<chorus::Future<std::vector<int>>> job;
    mt::Event known;
    mp::Event go;
    typename TypeParam::Pool pool(2);
    for (int i = 0; i < 2; ++i)
        pool.submit([](mp::Event event) { event.wait(); },
                    go);  // a chunk done before its map has begun would be displayed here and hang
    job = pool.map_async({.progress =
                              [&](const chorus::Progress&) {
                                  known.wait();
                                  job->cancel();
                              },
                          .chunksize = 1},
                         square, std::views::iota(0, 1000));
    known.set();
    go.set();
    EXPECT_THROW(job->get(), chorus::Cancelled);
}

// A display that takes its time, and what it uses meanwhile.
struct SlowDisplay {
    std::atomic<int> begun = 0;
    std::atomic<int> ended = 0;

    void operator()() {
        ++begun;
        std::this_thread::sleep_for(30ms);
        ++ended;
    }
    auto by_reference() {
        return [this](const chorus::Progress&) { (*this)(); };
    }
};

EACH_WAY_TEST(ProgressOf, no_display_is_under_way_when_a_map_has_its_result) {
    typename TypeParam::Pool pool(2);
    for (int i = 0; i < 5; ++i) {
        SlowDisplay display;
        pool.map_async({.progress = display.by_reference(), .chunksize = 1}, square, std::views::iota(0, 4))
            .get();
        EXPECT_EQ(display.begun, display.ended);
        EXPECT_GT(display.ended, 0);
    }
}

EACH_WAY_TEST(ProgressOf, no_display_is_under_way_when_the_results_of_an_imap_are_dropped) {
    typename TypeParam::Pool pool(2);
    for (int i = 0; i < 5; ++i) {
        SlowDisplay display;
        {
            auto results = pool.imap({.progress = display.by_reference()}, square, std::views::iota(0, 4));
            for (int n = 0; n < 4; ++n) EXPECT_EQ(results.next(), n * n);
        }
        EXPECT_EQ(display.begun, display.ended);
    }
}

EACH_WAY_TEST(ProgressOf, the_end_is_told_to_who_does_not_ask_for_it) {
    typename TypeParam::Pool pool(2);
    for (int i = 0; i < 200; ++i) {
        chorus::Progress last;
        {
            auto results = pool.imap({.progress = [&](const chorus::Progress& now) { last = now; }}, square,
                                     std::views::iota(0, 4));
            for (int n = 0; n < 4; ++n) results.next();
        }
        ASSERT_EQ(last.done, 4u);
    }
}

EACH_WAY_TEST(ProgressOf, dropped_results_are_told_of_no_more) {
    SlowDisplay display;
    typename TypeParam::Pool pool(2);
    pool.imap(
            {.progress = display.by_reference()}, [](int x) { return x; }, std::views::iota(0))
        .next();
    const int before = display.begun;
    pool.submit(square, 1).get();
    pool.submit(square, 2).get();  // both workers are done with what was in flight
    EXPECT_EQ(display.begun, before);
    EXPECT_EQ(display.ended, before);
}

// ---- the bar ----

enum class Into { terminal, file, nowhere };

// What a program's standard error shows. Runs in a process of its own: descriptor 2 is the whole process's.
std::string shown(Into into, bool by_processes, bool complete) {
    int reads = -1;
    if (into == Into::terminal) {
        reads = ::posix_openpt(O_RDWR | O_NOCTTY);
        ::grantpt(reads);
        ::unlockpt(reads);
        const int terminal = ::open(::ptsname(reads), O_RDWR | O_NOCTTY);
        termios raw{};
        ::tcgetattr(terminal, &raw);
        ::cfmakeraw(&raw);
        ::tcsetattr(terminal, TCSANOW, &raw);
        ::dup2(terminal, STDERR_FILENO);
    } else if (into == Into::file) {
        int ends[2];
        if (::pipe(ends) != 0) return "no pipe";
        reads = ends[0];
        ::dup2(ends[1], STDERR_FILENO);
    } else {
        ::close(STDERR_FILENO);
    }
    const auto work = [&](auto pool) {
        if (complete) {
            pool->map({.progress = "squares", .chunksize = 1}, square, std::views::iota(0, 20));
        } else {
            auto results = pool->imap({.progress = "squares"}, square, std::views::iota(0));
            results.next();
        }
    };
    by_processes ? work(std::make_unique<mp::Pool>(2)) : work(std::make_unique<mt::Pool>(2));
    if (into == Into::nowhere) return ::fcntl(STDERR_FILENO, F_GETFD) == -1 ? "" : "somebody has opened it";
    const std::string mark = "<the end>";  // a terminal passes on what was written when it comes to it
    if (::write(STDERR_FILENO, mark.data(), mark.size()) < 0) return "no mark";
    std::string text;
    while (!text.ends_with(mark)) {
        char some[4096];
        const auto size = ::read(reads, some, sizeof some);
        if (size <= 0) return text + "<cut short>";
        text.append(some, static_cast<std::size_t>(size));
    }
    text.resize(text.size() - mark.size());
    return text;
}

class ProgressBar : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Pools, ProgressBar, testing::Bool(),
                         [](const auto& each) { return each.param ? "processes" : "threads"; });

TEST_P(ProgressBar, is_drawn_on_a_terminal) {
    const auto text = mp::run(shown, Into::terminal, GetParam(), true);
    EXPECT_THAT(text, StartsWith("\rsquares    0%  ["));
    EXPECT_THAT(text, HasSubstr("\rsquares  100%  [##############"));
    EXPECT_TRUE(text.ends_with("\x1b[K\n")) << text;
    EXPECT_EQ(std::ranges::count(text, '\n'), 1);
}

TEST_P(ProgressBar, left_before_the_end_it_leaves_a_line_behind) {
    const auto text = mp::run(shown, Into::terminal, GetParam(), false);
    EXPECT_TRUE(text.ends_with("\x1b[K\n")) << text;
}

TEST_P(ProgressBar, is_plain_lines_elsewhere) {
    const auto text = mp::run(shown, Into::file, GetParam(), true);
    EXPECT_THAT(text, AllOf(StartsWith("squares  "), Not(HasSubstr("\r")), Not(HasSubstr("\x1b"))));
    const auto last = text.substr(text.substr(0, text.size() - 1).rfind('\n') +
                                  1);  // it is alone unless the work takes seconds
    EXPECT_THAT(last, AllOf(StartsWith("squares  100%  ["), HasSubstr("20/20")));
    EXPECT_EQ(std::ranges::count(last, '\n'), 1);
}

TEST_P(ProgressBar, a_closed_standard_error_is_left_alone) {
    EXPECT_THAT(mp::run(shown, Into::nowhere, GetParam(), true), IsEmpty());
}

std::string shown_without_progress(bool by_processes) {
    ::setenv("NO_PROGRESS", "1", 1);
    return shown(Into::terminal, by_processes, true);
}
TEST_P(ProgressBar, is_silent_where_nobody_wants_it) {
    EXPECT_THAT(mp::run(shown_without_progress, GetParam()), IsEmpty());
}

}  // namespace

#include "scaling.hpp"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>

#include <chorus/chorus.hpp>

#include "quantities.hpp"
#include "statistics.hpp"

namespace command::report {
namespace {

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

const char* name_of_kind(Kind kind) { return kind == Kind::threads ? "threads" : "processes"; }

void check(const Job& job, long long sum) {
    expect(sum == job.sum,
           "the answers come to " + std::to_string(sum) + " instead of " + std::to_string(job.sum));
}

double without_workers(const Job& job) {
    long long sum = 0;
    const double took = nanoseconds([&] {
        for (const int item : job.items) sum += job.call(item);
    });
    check(job, sum);
    return took;
}

/// Workers of one kind and number, and what they needed.
struct Team {
    Kind kind;
    int workers;
    std::function<double()> work;
    std::vector<double> took{};
    std::vector<double>
        gains{};  ///< next to no workers in the same round: the machine may be slower in the next
};

// A task for each item: later ones may take longer, so that large chunks would not share out evenly.
template <class Pool>
Team make_team(Kind kind, int workers, const Job& job) {
    auto pool = std::make_shared<Pool>(workers);
    auto work = [pool, &job] {
        long long sum = 0;
        const double took = nanoseconds([&] {
            for (const int answer : pool->map({.chunksize = 1}, job.call, job.items)) sum += answer;
        });
        check(job, sum);
        return took;
    };
    work();  // workers start when they are needed
    return {kind, workers, work};
}

template <class Pool>
void add_teams(Part& part, std::vector<Team>& teams, Kind kind, const Job& job,
               const std::vector<int>& numbers) {
    for (const int workers : numbers) {
        try {
            teams.push_back(make_team<Pool>(kind, workers, job));
        } catch (const chorus::Error& error) {  // no more of them may be had; what there is can be measured
            part.failure += (part.failure.empty() ? "" : "; ") + counted(workers, kind) + ": " + error.what();
            return;
        }
    }
}

}  // namespace

void measure_scaling(Part& part, const Job& job, const std::vector<int>& numbers, int rounds) {
    std::vector<Team> teams;
    add_teams<mt::Pool>(part, teams, Kind::threads, job, numbers);
    add_teams<mp::Pool>(part, teams, Kind::processes, job, numbers);
    std::vector<double> alone;
    for (int round = 0; round < rounds; ++round) {
        alone.push_back(without_workers(job));
        for (auto& team : teams) {
            team.took.push_back(team.work());
            team.gains.push_back(alone.back() / team.took.back());
        }
    }
    Chart gain{.name = "gain",
               .title = "How many times as fast as without workers",
               .shape = Shape::lines,
               .unit = Unit::times,
               .across = "workers"};
    Chart time{.name = "time",
               .title = "Time for all",
               .shape = Shape::table,
               .unit = Unit::nanoseconds,
               .across = "workers"};
    time.add("no workers", Kind::neither, figure_of(alone), 1);
    for (const int workers : numbers) {
        const double most = std::min<double>(workers, job.ceiling);
        gain.add("at most", Kind::neither, {most, most, most, 0}, workers);
    }
    for (const auto& team : teams) {
        gain.add(name_of_kind(team.kind), team.kind, figure_of(team.gains), team.workers);
        time.add(name_of_kind(team.kind), team.kind, figure_of(team.took), team.workers);
    }
    part.add_chart(std::move(gain));
    part.add_chart(std::move(time));
}

int most_measured(const Part& part, Kind kind, int limit) {
    int most = 0;
    for (int workers = 1; workers <= limit; ++workers)
        most = gain_of(part, kind, workers) != nullptr ? workers : most;
    return most;
}

const Figure* gain_of(const Part& part, Kind kind, int workers) {
    return part.find("gain", name_of_kind(kind), workers);
}

}  // namespace command::report

// One choice of hyper-parameters, tried.
//
// Thread safety: each thread has its own handle of the data.
// Crash safety: the death of a worker costs the trial that it ran.
#pragma once

#include <cstddef>
#include <vector>

#include "data.hpp"

namespace train {

/// Plain data: it travels between processes.
struct Trial {
    std::size_t hidden = 0;  ///< units; 0: none, softmax regression
    float rate = 0;
    std::size_t batch = 0;
    int epochs = 0;
};

struct Score {
    double accuracy = 0;       ///< of the pictures that were kept apart
    double test_accuracy = 0;  ///< to be told of the best trial only
    double seconds = 0;
};

/// What there is to try: each number of units with each rate.
std::vector<Trial> all_trials(int epochs);

/// For all later trials in this thread.
void use_data(const Data& data);

/// Requires: use_data(). The same trial gives the same accuracy wherever it runs. Throws: std::runtime_error
/// when it was stopped.
Score run_trial(const Trial& trial);

/// Trials of this process end with an error as soon as may be. May be called from a signal handler.
void stop_trials() noexcept;

}  // namespace train

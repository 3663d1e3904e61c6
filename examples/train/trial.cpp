#include "trial.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <optional>
#include <random>
#include <span>
#include <stdexcept>

#include "network.hpp"

namespace train {
namespace {

thread_local std::optional<Data> data_here;

std::atomic<bool> is_stopped = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may write it");

// Some of the pictures, as the columns of a matrix, and their labels.
struct Batch {
    Eigen::MatrixXf inputs;
    std::vector<std::uint8_t> labels;
};

Batch make_batch(const Pictures& pictures, std::span<const std::size_t> which) {
    const std::span<const std::uint8_t> bytes = pictures.bytes;
    const std::span<const std::uint8_t> labels = pictures.labels;
    Batch batch{
        Eigen::MatrixXf(static_cast<Eigen::Index>(pictures.pixels), static_cast<Eigen::Index>(which.size())),
        {}};
    float* to = batch.inputs.data();
    for (const std::size_t one : which) {
        to = std::ranges::transform(bytes.subspan(one * pictures.pixels, pictures.pixels), to,
                                    [](std::uint8_t byte) { return static_cast<float>(byte) / 255.0F; })
                 .out;
        batch.labels.push_back(labels[one]);
    }
    return batch;
}

// `each` is called with the batches of these pictures one after the other.
void for_batches(const Pictures& pictures, std::span<const std::size_t> which, std::size_t size,
                 const auto& each) {
    for (std::size_t at = 0; at < which.size(); at += size) {
        if (is_stopped) throw std::runtime_error("stopped");
        each(make_batch(pictures, which.subspan(at, std::min(size, which.size() - at))));
    }
}

double accuracy(const Network& network, const Pictures& pictures, std::span<const std::size_t> which) {
    std::size_t right = 0;
    for_batches(pictures, which, 500,
                [&](const Batch& batch) { right += network.count_right(batch.inputs, batch.labels); });
    return static_cast<double>(right) / static_cast<double>(which.size());
}

std::vector<std::size_t> numbers(std::size_t from, std::size_t to) {
    std::vector<std::size_t> all(to - from);
    std::iota(all.begin(), all.end(), from);
    return all;
}

}  // namespace

std::vector<Trial> all_trials(int epochs) {
    std::vector<Trial> trials;
    for (const std::size_t hidden :
         {128U, 64U, 32U,
          0U}) {  // the long ones first, so that all workers have something to do until the end
        for (const float rate : {1.0F, 0.3F, 0.1F, 0.03F}) trials.push_back({hidden, rate, 64, epochs});
    }
    return trials;
}

void use_data(const Data& data) { data_here = data; }

Score run_trial(const Trial& trial) {
    const auto begin = std::chrono::steady_clock::now();
    const Pictures& pictures = data_here.value().training;
    const std::size_t kept = pictures.count - pictures.count / 6;
    auto order = numbers(0, kept);
    std::mt19937 chance(1);
    Network network(pictures.pixels, trial.hidden, classes, 1);
    for (int epoch = 0; epoch < trial.epochs; ++epoch) {
        std::ranges::shuffle(order, chance);
        for_batches(pictures, order, trial.batch,
                    [&](const Batch& batch) { network.learn(batch.inputs, batch.labels, trial.rate); });
    }
    Score score;
    score.accuracy = accuracy(network, pictures, numbers(kept, pictures.count));
    score.test_accuracy = accuracy(network, data_here->test, numbers(0, data_here->test.count));
    score.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return score;
}

void stop_trials() noexcept { is_stopped = true; }

}  // namespace train

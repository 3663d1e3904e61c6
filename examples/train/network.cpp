#include "network.hpp"

#include <cmath>
#include <random>

namespace train {
namespace {

using Index = Eigen::Index;

// Variance that keeps the size of signals from layer to layer.
Eigen::MatrixXf random_weights(std::size_t rows, std::size_t columns, std::mt19937& chance) {
    std::normal_distribution<float> normal(0.0F, std::sqrt(2.0F / static_cast<float>(columns)));
    Eigen::MatrixXf weights(static_cast<Index>(rows), static_cast<Index>(columns));
    for (Index i = 0; i < weights.size(); ++i) weights.data()[i] = normal(chance);
    return weights;
}

}  // namespace

Network::Network(std::size_t inputs, std::size_t hidden, std::size_t outputs, unsigned int seed) {
    std::mt19937 chance(seed);
    if (hidden > 0) {
        first_ = random_weights(hidden, inputs, chance);
        first_bias_ = Eigen::VectorXf::Zero(static_cast<Index>(hidden));
    }
    last_ = random_weights(outputs, hidden > 0 ? hidden : inputs, chance);
    last_bias_ = Eigen::VectorXf::Zero(static_cast<Index>(outputs));
}

Eigen::MatrixXf Network::hidden(const Eigen::MatrixXf& inputs) const {
    return ((first_ * inputs).colwise() + first_bias_).cwiseMax(0.0F);
}

Eigen::MatrixXf Network::scores(const Eigen::MatrixXf& below) const {
    return (last_ * below).colwise() + last_bias_;
}

void Network::learn(const Eigen::MatrixXf& inputs, std::span<const std::uint8_t> labels, float rate) {
    const Eigen::MatrixXf middle = has_hidden() ? hidden(inputs) : Eigen::MatrixXf();
    const Eigen::MatrixXf& below = has_hidden() ? middle : inputs;

    // The gradient by the scores is the probabilities, less one for what is right.
    Eigen::MatrixXf error = scores(below);
    error.rowwise() -= error.colwise().maxCoeff().eval();  // so that exp does not overflow
    error = error.array().exp();
    error.array().rowwise() /= error.colwise().sum().array().eval();
    for (std::size_t i = 0; i < labels.size(); ++i) error(labels[i], static_cast<Index>(i)) -= 1.0F;
    const float step = rate / static_cast<float>(labels.size());

    if (has_hidden()) {
        const Eigen::MatrixXf error_below = (middle.array() > 0.0F).select(last_.transpose() * error, 0.0F);
        first_.noalias() -= step * error_below * inputs.transpose();
        first_bias_ -= step * error_below.rowwise().sum();
    }
    last_.noalias() -= step * error * below.transpose();
    last_bias_ -= step * error.rowwise().sum();
}

std::size_t Network::count_right(const Eigen::MatrixXf& inputs, std::span<const std::uint8_t> labels) const {
    const Eigen::MatrixXf all = has_hidden() ? scores(hidden(inputs)) : scores(inputs);
    std::size_t right = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        Index best = 0;
        all.col(static_cast<Index>(i)).maxCoeff(&best);
        right += best == labels[i] ? 1U : 0U;
    }
    return right;
}

}  // namespace train

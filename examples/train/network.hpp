// A classifier with one hidden layer, or with none: then it is softmax regression. Learns by gradient
// descent.
//
// Thread safety: one thread at a time for each network.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <Eigen/Core>

namespace train {

class Network {
public:
    /// The same seed gives the same beginning. No hidden units: no hidden layer.
    Network(std::size_t inputs, std::size_t hidden, std::size_t outputs, unsigned int seed);

    /// One step down the gradient of the mean cross entropy of a batch: a column for each example.
    void learn(const Eigen::MatrixXf& inputs, std::span<const std::uint8_t> labels, float rate);

    /// How many of them it has right.
    std::size_t count_right(const Eigen::MatrixXf& inputs, std::span<const std::uint8_t> labels) const;

private:
    bool has_hidden() const { return first_.size() > 0; }
    Eigen::MatrixXf hidden(const Eigen::MatrixXf& inputs) const;
    Eigen::MatrixXf scores(const Eigen::MatrixXf& below) const;

    Eigen::MatrixXf first_;
    Eigen::VectorXf first_bias_;
    Eigen::MatrixXf last_;
    Eigen::VectorXf last_bias_;
};

}  // namespace train

// A program with a library of linear algebra that has threads before main: a product of two matrices here, in
// a child, and in a pool. matrix_product METHOD
#include <cblas.h>

#include <cmath>
#include <cstddef>
#include <vector>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
using namespace std::chrono_literals;

namespace {

// The sum of all elements of a product of two matrices of 600 rows and columns: large enough for the
// library's threads.
double sum_of_product(int seed) {
    constexpr int size = 600;
    std::vector<double> a(size * size);
    std::vector<double> b(a.size());
    std::vector<double> product(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
        a[i] = static_cast<double>((i + static_cast<std::size_t>(seed)) % 7);
        b[i] = static_cast<double>(i % 5);
    }
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, size, size, size, 1, a.data(), size, b.data(),
                size, 0, product.data(), size);
    double sum = 0;
    for (const double each : product) sum += each;
    return sum;
}

}  // namespace

int main(int, char** argv) {
    mp::set_start_method(argv[1]);
    try {
        const double expected = sum_of_product(1);
        const bool in_child = mp::run({.timeout = 30s}, sum_of_product, 1) == expected;
        mp::Pool pool(2, {.timeout = 30s});
        bool in_pool = true;
        for (const double each : pool.map(sum_of_product, std::vector{1, 1, 1}))
            in_pool = in_pool && each == expected;
        chorus::print(in_child ? "the same in a child" : "another in a child",
                      in_pool ? "the same in a pool" : "another in a pool");
    } catch (const std::exception& error) {
        chorus::print(error.what());
        return 1;
    }
}

// error: function_takes_its_arguments_one_by_one
// error: pass_each_of_its_elements_as_an_argument

#include <tuple>

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;

int add(int a, double b) { return a + static_cast<int>(b); }

int main() {
    mt::Pool pool;
    return pool.submit(add, std::tuple(1, 2.0)).get();
}

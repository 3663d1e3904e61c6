// error: capturing_lambda_or_other_callable_with_state_cannot_travel_to_another_process

#include <vector>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

int main() {
    const int number = 3;
    mp::Pool pool(2);
    const std::vector<int> numbers{1, 2};
    pool.map([&](int each) { return each + number; }, numbers);
}

// error: capturing_lambda_or_other_callable_with_state_cannot_travel_to_another_process
// error: lambda

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

int main() {
    const int number = 3;
    const auto [left, right] = mp::Pipe();
    left.send([number] { return number; });
}

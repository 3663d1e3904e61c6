// error: capturing_lambda_or_other_callable_with_state_cannot_travel_to_another_process
// error: pass_what_it_captures_as_arguments

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

int main() {
    const int number = 3;
    return mp::run([number](int more) { return number + more; }, 4);
}

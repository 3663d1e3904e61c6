// error: capturing_lambda_or_other_callable_with_state_cannot_travel_to_another_process
// error: pass_what_it_captures_as_arguments
// error: or_use_ForkProcess_which_takes_anything

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

int main() {
    const int number = 3;
    mp::Process process([number] { chorus::print(number); });
}

// error: callable_with_state_cannot_travel_to_another_process
// error: std::function<void
// error: or_use_ForkProcess_which_takes_anything

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

void work() {}

int main() { mp::Process process{std::function<void()>(work)}; }

// error: deleted function
// error g++: timeout_needs_a_unit<int, 
// error g++: write_5s_or_100ms_after_using_namespace_std_chrono_literals

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;

void work() {}

int main() {
    mt::Thread thread(work);
    thread.start();
    return thread.join(5) ? 0 : 1;
}

// error: function_takes_its_arguments_one_by_one
// error: pass_each_of_its_elements_as_an_argument

#include <array>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

void add(int, int) {}

int main() { mp::Process process(add, std::array{1, 2}); }

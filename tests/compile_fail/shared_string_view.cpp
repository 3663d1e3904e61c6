// error: type_cannot_lie_in_shared_memory
// error: because_it_points_into_the_memory_of_one_process
// error: string_view

#include <string_view>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

int main() { mp::RawArray<std::string_view> words{"a", "b"}; }

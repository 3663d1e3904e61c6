// error: type_cannot_lie_in_shared_memory
// error: because_it_is_not_trivially_copyable_and_assignable
// error: string

#include <string>

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;

int main() { mt::Value<std::string> text("text"); }

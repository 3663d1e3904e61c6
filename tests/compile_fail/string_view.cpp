// error: type_cannot_travel_to_another_process
// error: string_view

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

void use(std::string_view) {}

int main() {
    const std::string text = "text";
    mp::Process process(use, std::string_view(text));
}

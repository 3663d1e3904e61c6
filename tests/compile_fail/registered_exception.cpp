// error: registered_exception_must_derive_from_std_exception<Odd>

#include <chorus/chorus.hpp>

struct Odd {};
const bool registered = chorus::register_exception<Odd>();

int main() { return registered ? 0 : 1; }

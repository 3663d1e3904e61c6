// Another program that uses the library: it has none of the functions of the one that starts it.
#include <chorus/chorus.hpp>

int main() {
    chorus::print("a program of its own");
    return 0;
}

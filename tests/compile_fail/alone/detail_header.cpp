#include <chorus/detail/pool/task.hpp>

int main() {}

// error: type_cannot_lie_in_shared_memory
// error: because_a_field_of_it_points_into_the_memory_of_one_process
// error: Node

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

struct Inner {
    double numbers[3];
    struct Node* next;
};
struct Node {
    int number;
    Inner inner;
};

int main() { mp::Array<Node> nodes(3); }

// A main that knows nothing of Chorus.
#include "start_each_way.hpp"

int main() { return start_each_way(); }

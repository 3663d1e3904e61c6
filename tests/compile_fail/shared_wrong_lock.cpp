// A lock of threads does not keep other processes out.
// error: Value

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

int main() {
    mt::Lock lock;
    mp::Value<int> number(0, lock);
}

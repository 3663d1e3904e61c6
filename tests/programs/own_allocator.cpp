// A program whose malloc is its own, as with jemalloc linked into it, ends while daemons allocate.
#include <atomic>
#include <cstddef>
#include <cstdio>

#include <chorus/threading.hpp>

namespace mt = chorus::threading;

namespace {

std::atomic_flag taken = ATOMIC_FLAG_INIT;

class Taken {
public:
    Taken() {
        while (taken.test_and_set(std::memory_order_acquire)) {
        }
    }
    ~Taken() { taken.clear(std::memory_order_release); }
};

std::atomic<void*> last{nullptr};

[[noreturn]] void allocate() {
    for (std::size_t size = 1;; size = size % 2000 + 1) {
        void* memory = std::malloc(size);
        last.store(memory);
        std::free(memory);
    }
}

}  // namespace

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_realloc(void*, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t size) {
    const Taken lock;
    return __libc_malloc(size);
}
void* realloc(void* memory, std::size_t size) {
    const Taken lock;
    return __libc_realloc(memory, size);
}
void free(void* memory) {
    const Taken lock;
    __libc_free(memory);
}
}

int main() {
    for (int i = 0; i < 4; ++i) mt::Thread({.daemon = true}, allocate).start();
    std::printf("returned from main\n");
    return 0;
}

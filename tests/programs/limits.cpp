// Uses the library where the system's limits are small, and prints a line on each part: limits [lock]
#include <csignal>
#include <cstring>
#include <string>

#include <chorus/chorus.hpp>

#include <sys/mman.h>

namespace {

namespace mp = chorus::multiprocessing;

constexpr std::size_t large = std::size_t{150} << 20;

int square(int x) { return x * x; }
int crash(int x) {
    std::raise(SIGSEGV);
    return x;
}

// The handler prints, as programs do: it must not throw again.
template <class Part>
void part(const char* name, Part run) {
    try {
        chorus::print(name, run());
    } catch (const chorus::OsError& error) {
        chorus::print(name, "OsError", error.what());
    } catch (const chorus::Error& error) {
        chorus::print(name, "Error", error.what());
    }
}

}  // namespace

int main(int count, char** arguments) {
    if (count > 1 && std::strcmp(arguments[1], "lock") == 0 && ::mlockall(MCL_FUTURE) != 0) return 2;
    part("lock", [] { return mp::Lock().acquire(); });
    part("queue", [] {
        mp::Queue<int> queue;
        queue.put(1);
        return queue.get();
    });
    part("run", [] { return mp::run(square, 3); });
    part("crash", [] { return mp::run(crash, 3); });
    part("pool", [] { return mp::Pool(2).submit(square, 3).get(); });
    part("array", [] { return mp::RawArray<char>(large).size(); });
    part("memory", [] {
        mp::SharedMemory memory({.create = true, .size = large});
        memory.unlink();
        return memory.size();
    });
}

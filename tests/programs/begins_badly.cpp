// A program of which the children fail before main, as the environment variable BEGIN says. It starts two
// processes, and prints each outcome.
#include <csignal>
#include <cstdlib>
#include <string_view>

#include <chorus/chorus.hpp>

#include <sys/resource.h>

namespace {

namespace mp = chorus::multiprocessing;

struct BeforeMain {
    BeforeMain() {
        const char* const way = std::getenv("BEGIN");
        if (way == nullptr || std::getenv("CHORUS_IMAGE") == nullptr) return;
        const std::string_view begin = way;
        if (begin == "exit") std::exit(3);
        if (begin == "abort") std::abort();
        if (begin == "kill") std::raise(SIGKILL);
        if (begin == "memory") {
            const rlimit little{1, 1};  // no mapping is possible from now on
            ::setrlimit(RLIMIT_AS, &little);
        }
    }
} const before_main;

int square(int x) { return x * x; }

}  // namespace

int main(int, char** arguments) {
    mp::set_start_method(arguments[1]);
    for (int start = 0; start < 2; ++start) {
        try {
            chorus::print(mp::run(square, 3));
        } catch (const chorus::OsError& error) {
            chorus::print("OsError", error.code(), error.what());
        } catch (const chorus::Error& error) {
            chorus::print("Error", error.what());
        }
    }
}

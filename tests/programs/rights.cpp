// A program that may have been given rights: setuid, setgid or file capabilities. It says what it is,
// and what its children by each method do.
#include <cstdlib>

#include <sys/auxv.h>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

namespace {

int seven() { return 7; }

}  // namespace

int main() {
    chorus::print(::getauxval(AT_SECURE) != 0 ? "secure" : "as anybody",
                  std::getenv("CHORUS_IMAGE") != nullptr ? "and told what to be" : "");
    for (const char* const method : {"forkserver", "spawn", "fork"}) {
        try {
            mp::set_start_method(method, true);
            chorus::print(method, mp::run(seven), mp::Pool(1).apply(seven));
        } catch (const chorus::UsageError& error) {
            chorus::print(method, error.what());
        } catch (const std::exception& error) {
            chorus::print(method, "failed otherwise:", error.what());
        }
    }
}

// static_start METHOD: a static object's constructor starts a process, in this program and again in each
// child that begins with fresh static state.
#include <cstdlib>
#include <string>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

namespace {

void say(const std::string& text) { chorus::print(text); }

struct Starter {
    Starter() {
        if (std::getenv("CHORUS_TEST_UNCAUGHT") != nullptr)
            mp::Process(say, "a static constructor started this").start();
        try {
            mp::Process(say, "a static constructor started this").start();
            outcome = "not refused";
        } catch (const chorus::UsageError& error) {
            outcome = error.what();
        }
        try {
            mp::run(say, "a static constructor ran this");
            outcome = "run is not refused";
        } catch (const chorus::UsageError&) {
        }
    }
    std::string outcome;
};
Starter starter;

void say_how_it_went() { chorus::print("child:", starter.outcome); }

}  // namespace

int main(int, char** argv) {
    chorus::print("main:", starter.outcome);
    auto child = mp::get_context(argv[1]).Process(say_how_it_went);
    child.start();
    child.join();
    return child.exitcode().value_or(99);
}

// exits METHOD WRITER LEAVING: the program and its child each write a piece of text that has no newline,
// and leave in one of the ways in which buffers are flushed.
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

namespace {

void write(const std::string& writer, const std::string& text) {
    if (writer == "cout") {
        std::cout << text;
    } else if (writer == "printf") {
        std::printf("%s", text.c_str());
    } else {
        std::clog.rdbuf(std::cout.rdbuf());
        std::clog << text;
    }
}

void leave(const std::string& leaving) {
    if (leaving == "exit") std::exit(3);
    if (leaving == "exit in a thread") {
        mt::Thread thread([] { std::exit(3); });
        thread.start();
        thread.join();
        std::abort();  // the thread ends the whole process: this line is never reached
    }
    if (leaving == "exception") throw std::runtime_error("deliberate");
    if (leaving == "SystemExit") throw chorus::SystemExit(3);
}

void work(const std::string& writer, const std::string& leaving) {
    write(writer, "<by the child>");
    leave(leaving);
}

}  // namespace

int main(int, char** argv) {
    const std::string writer = argv[2];
    const std::string leaving = argv[3];
    // Large buffers, so that nothing is written before its time by a full one.
    std::cout.sync_with_stdio(false);
    static char buffer[1 << 16];
    std::setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    write(writer, "<before the start>");
    auto child = mp::get_context(argv[1]).Process(work, writer, leaving);
    child.start();
    write(writer, "<after the start>");
    child.join();
    write(writer, "<after the join, exit code " + std::to_string(child.exitcode().value_or(-1)) + ">");
    if (leaving != "exception")
        leave(leaving);  // out of main it would be no way in which buffers are flushed
    return 3;
}

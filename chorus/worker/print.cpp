#include <chorus/worker/print.hpp>

#include <cstdio>
#include <iostream>

#include <chorus/platform/file_descriptor.hpp>
#include <chorus/platform/os_thread.hpp>
#include <chorus/sync/internal/commons.hpp>

namespace chorus::worker {
namespace {

constexpr int standard_output = 1;

class PrintLock {
public:
    PrintLock() : commons_(sync::commons()) {
        commons_.print_lock.lock();
        const bool died_in_a_line = commons_.line_begun != 0;
        commons_.line_begun = 1;
        if (died_in_a_line) platform::write_all(standard_output, "\n", 1);
    }
    ~PrintLock() {
        commons_.line_begun = 0;
        commons_.print_lock.unlock();
    }
    PrintLock(const PrintLock&) = delete;
    PrintLock& operator=(const PrintLock&) = delete;

private:
    const platform::NotHalted whole_;  // a thread halted in here would keep the lock
    sync::Commons& commons_;
};

}  // namespace

void print_whole(const std::string& text) {
    const PrintLock lock;
    std::cout.flush();
    std::fflush(stdout);
    platform::write_line(standard_output, text);
}

}  // namespace chorus::worker

// Ctrl-C as a wish to stop: the first one is noted, the second ends the program as ever.
//
// Thread safety: any thread may ask.
#pragma once

#include <csignal>

namespace pipeline {

void note_interrupts();
bool is_interrupted() noexcept;

/// While it lives this thread gets no interrupt; threads and processes started meanwhile never get one.
class InterruptsBlocked {
public:
    InterruptsBlocked() noexcept;
    ~InterruptsBlocked();
    InterruptsBlocked(const InterruptsBlocked&) = delete;
    InterruptsBlocked& operator=(const InterruptsBlocked&) = delete;

private:
    sigset_t before_;
};

}  // namespace pipeline

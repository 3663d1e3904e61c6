// One address into one file, by libcurl.
//
// Thread safety: each thread has its own connection, kept for the next address of the same server.
// Crash safety: a process killed while it writes leaves the temporary file. The next run overwrites it.
#pragma once

#include <cstdint>

#include "addresses.hpp"

namespace fetch {

/// Plain data: it travels between processes.
struct Patience {
    double timeout_seconds = 60;  ///< for each attempt
    int retries =
        2;  ///< where another attempt may help: no connection, too slow, broken off, or the server is busy
};

struct Downloaded {
    std::uint64_t bytes = 0;
    double seconds = 0;  ///< with all attempts
};

/// Before the first download of a thread. Throws: std::runtime_error if libcurl cannot begin.
void be_patient(const Patience& patience);

/// The file appears when all of it is there. Throws: std::runtime_error that says why not.
Downloaded download(const Job& job);

/// Downloads of this process end with an error as soon as may be. May be called from a signal handler.
void give_up() noexcept;

}  // namespace fetch

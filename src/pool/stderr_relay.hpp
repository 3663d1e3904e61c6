// Relay of the workers' standard error: written on to this process's own, and its last lines kept for
// WorkerDied.
//
// One thread of the program, "chorus-stderr", relays what all workers of all pools write.
//
// Thread safety: any thread.
// Crash safety: all that a worker wrote before its death is there. Processes that it left behind with
// its standard error may go on writing.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

#include "platform/file_descriptor.hpp"

namespace chorus::inline v0::detail::pool {

class StderrRelay {
public:
    /// Starts to pass on what comes out of the reading end of a pipe.
    static std::shared_ptr<StderrRelay> pass_on(platform::FileDescriptor reading_end);

    explicit StderrRelay(platform::FileDescriptor reading_end) noexcept : pipe_(std::move(reading_end)) {}

    /// For the thread: passes on some of what is there. Returns false at the end of it.
    bool receive();
    /// For the thread, then: closes the pipe.
    void end();
    /// Blocks until everything that was written before the call is passed on.
    void catch_up();
    /// The last lines that were passed on, at most so many.
    std::string lines(std::size_t most);
    int descriptor() const noexcept { return pipe_.get(); }

private:
    static constexpr std::size_t most_kept = 8192;

    platform::FileDescriptor pipe_;  ///< none once it has come to its end
    std::mutex mutex_;               ///< guards what follows, and the end of the pipe
    std::condition_variable changed_;
    std::string kept_;
    std::size_t passed_on_ = 0;  ///< bytes
};

}  // namespace chorus::inline v0::detail::pool

// A progress bar on stderr, where that is a terminal.
//
//     [##########··········]  1234/2345 files   812.3 MB/s   0:03 left
//
// Thread safety: add() may be called from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

namespace hash_tree {

class Progress {
public:
    Progress(std::uint64_t files, std::uint64_t bytes);
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    /// Wipes the bar, so that what comes next begins on a clean line.
    ~Progress();

    /// So many more are done. `bytes` are those that were expected, which makes the end come out right
    /// when files change under way.
    void add(std::uint64_t files, std::uint64_t bytes);

private:
    using Clock = std::chrono::steady_clock;
    void draw(Clock::time_point now);

    const bool shown_;
    const std::uint64_t all_files_;
    const std::uint64_t all_bytes_;
    const Clock::time_point begin_ = Clock::now();

    std::mutex mutex_;
    std::uint64_t files_ = 0;
    std::uint64_t bytes_ = 0;
    Clock::time_point drawn_{};
};

}  // namespace hash_tree

// The lines of a file that match an extended regular expression, as grep -E finds them.
//
// std::regex goes one call deeper for each character that a repetition takes. On a line of some ten thousand
// characters that is the end of the stack, and a crash. A pattern such as (x*)*y makes it try for longer than
// any user waits. Both are left as they are: that is what the workers are for.
//
// Thread safety: each thread has its own pattern.
// Crash safety: a worker that dies of a file has changed nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace grep_tree {

struct Line {
    std::size_t number = 0;  ///< from 1
    std::string text;        ///< without its newline
};

/// What there is in one file. Plain data: it travels between processes.
struct Found {
    std::vector<Line> lines;
    bool is_binary = false;  ///< it holds a zero byte; then no lines are given
    std::uint64_t bytes = 0;
};

/// For all later calls of search_file in this thread. Throws: std::regex_error.
void use_pattern(const std::string& pattern);

/// Requires: use_pattern(). Throws: std::system_error if the file cannot be read, std::regex_error if
/// std::regex gives up.
Found search_file(const std::string& path);

}  // namespace grep_tree

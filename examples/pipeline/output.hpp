// The file that is written: at any time whole members, one after the other.
//
// Thread safety: used by one thread.
// Crash safety: a program that dies while it writes leaves a part of a member at the end, which is cut
//               off when the file is opened to go on.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace pipeline {

class Output {
public:
    /// "-" is standard output. A file that is there is gone on with to resume, and else refused. Throws:
    /// std::runtime_error, std::system_error.
    Output(const std::string& path, bool resume);
    ~Output();
    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;

    /// Bytes that it held, before they were compressed, when it was opened.
    std::uint64_t content() const noexcept { return content_; }
    /// Bytes appended since.
    std::uint64_t written() const noexcept { return written_; }

    /// All of it, or nothing, unless it is standard output. Throws: std::system_error.
    void append(std::span<const unsigned char> member);

private:
    int descriptor_;
    bool is_file_;
    std::uint64_t begin_ = 0;
    std::uint64_t content_ = 0;
    std::uint64_t written_ = 0;
};

}  // namespace pipeline

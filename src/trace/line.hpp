// One event as a line of JSON, without allocation: an event may be written when memory has run out.
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace chorus::inline v0::detail::trace {

/// Text that does not fit is cut at the end of a text only: the line stays JSON.
class Line {
public:
    Line& raw(std::string_view text) noexcept;
    Line& number(std::int64_t value) noexcept;
    /// Microseconds with three decimals.
    Line& time(std::int64_t nanoseconds) noexcept;
    /// In quotation marks, at most so many bytes of it. Bytes that are no UTF-8 become question marks.
    Line& quoted(std::string_view text, std::size_t most = longest_name) noexcept;

    const char* data() const noexcept { return bytes_.data(); }
    std::size_t size() const noexcept { return size_; }

    static constexpr std::size_t longest_name = 160;
    static constexpr std::size_t longest_text = 400;

private:
    void put(char byte) noexcept { bytes_[size_++] = byte; }

    // The longest line: a name, two texts, all of control characters, which take six bytes each.
    static constexpr std::size_t room = 6 * (longest_name + 2 * longest_text) + 1024;
    std::size_t size_ = 0;
    std::array<char, room> bytes_;
};

}  // namespace chorus::inline v0::detail::trace

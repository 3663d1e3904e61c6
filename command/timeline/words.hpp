// Times, counts and stories as people read them.
#pragma once

#include <string>
#include <string_view>

namespace command::timeline {

/// 1.52 s, 12.3 ms, 5 µs: three figures, or more where they are of one number. In the unit that fits `like`
/// best.
std::string time_text(double microseconds, double like);
inline std::string time_text(double microseconds) { return time_text(microseconds, microseconds); }

/// Of the whole, in per cent.
std::string percent(double part, double whole);

/// Its part before "at FILE:LINE" and before what stands in brackets: for places that are narrow.
std::string in_short(const std::string& story);

/// "1 task", "3 tasks".
std::string counted(std::size_t count, std::string_view what);

}  // namespace command::timeline

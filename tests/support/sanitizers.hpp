// Whether this is compiled for a sanitizer, by g++ or clang; and how often to repeat what fails only in some
// runs.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool under_sanitizer = true;
#elif defined(__has_feature)
inline constexpr bool under_sanitizer = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr bool under_sanitizer = false;
#endif

/// Under a sanitizer all takes ten times as long, and another build tries the rest.
constexpr int rounds(int wanted) { return under_sanitizer ? (wanted + 9) / 10 : wanted; }

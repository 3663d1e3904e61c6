// Whether a sanitizer is compiled in, which has signal handlers and an exit code of its own.
#pragma once

namespace chorus::inline v0::detail::platform {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool under_sanitizer = true;
#elif defined(__has_feature)
inline constexpr bool under_sanitizer = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr bool under_sanitizer = false;
#endif

}  // namespace chorus::inline v0::detail::platform

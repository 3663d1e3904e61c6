// The version of these headers, by the rules of semver.org. The one place where it is written: CMake reads it
// here.
//
//     #if CHORUS_VERSION_MAJOR == 0 && CHORUS_VERSION_MINOR < 2 …
#pragma once

#include <chorus/detail/requirements.hpp>

/// Raised by what breaks programs, once it is 1.
#define CHORUS_VERSION_MAJOR 0
/// Raised by what is new; while the first number is 0, also by what breaks programs.
#define CHORUS_VERSION_MINOR 2
/// Raised by what only mends.
#define CHORUS_VERSION_PATCH 0
/// All three, as text.
#define CHORUS_VERSION "0.2.0"

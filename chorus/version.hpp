// The version of these headers, by the rules of semver.org. The one place where it is written: CMake reads it here.
//
//     #if CHORUS_VERSION_MAJOR == 0 && CHORUS_VERSION_MINOR < 2 …
//
// While the first number is 0, a new second number may break what was; a new third one only mends.
#pragma once

#define CHORUS_VERSION_MAJOR 0
#define CHORUS_VERSION_MINOR 1
#define CHORUS_VERSION_PATCH 0
#define CHORUS_VERSION "0.1.0"

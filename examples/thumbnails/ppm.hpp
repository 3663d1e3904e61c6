// PPM by a decoder with a bug, which stands for the one that your program may have among its libraries.
//
// libjpeg and libpng have been attacked for decades and do not crash. Others do, most often in this way: the
// header is believed. This one maps as many bytes of the file as width and height ask for, and does not look
// whether the file has them. What lies behind the end of a file cannot be read: SIGBUS, in the middle of the
// work.
//
// Thread safety: any number of calls at once.
// Crash safety: a file that is shorter than its header says kills the process.
#pragma once

#include <cstdio>

#include "image.hpp"

namespace thumbnails {

/// Binary PPM (P6) without comments, a byte a sample. Throws: std::runtime_error with the reason in plain
/// words, std::system_error, std::bad_alloc.
Picture read_ppm(std::FILE* file);

}  // namespace thumbnails

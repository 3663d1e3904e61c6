// PNG by libpng.
//
// Thread safety: any number of calls at once.
#pragma once

#include <cstdio>

#include "image.hpp"

namespace thumbnails {

/// Throws: std::runtime_error with the reason in plain words, std::bad_alloc.
Picture read_png(std::FILE* file);

/// Requires: four channels. Throws: std::runtime_error.
void write_png(const Image& image, std::FILE* file);

}  // namespace thumbnails

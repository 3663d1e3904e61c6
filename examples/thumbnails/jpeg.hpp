// JPEG by libjpeg.
//
// Thread safety: any number of calls at once.
#pragma once

#include <cstdio>

#include "image.hpp"

namespace thumbnails {

/// The image is smaller than the picture where it can be had smaller for less work, but its longest side has
/// still at least `enough` pixels. Throws: std::runtime_error with the reason in plain words, std::bad_alloc.
Picture read_jpeg(std::FILE* file, int enough);

/// Requires: three channels. Throws: std::runtime_error, std::bad_alloc.
void write_jpeg(const Image& image, std::FILE* file);

}  // namespace thumbnails

// Smaller images, each pixel the mean of what it covers.
//
// Thread safety: a pure function.
#pragma once

#include "image.hpp"

namespace thumbnails {

/// With `longest` pixels on its longest side and the same proportions; what is not longer comes back as it
/// is. Light is averaged, not the numbers that sRGB has for it, and a transparent pixel's colour does not
/// count.
Image shrink(Image image, int longest);

}  // namespace thumbnails

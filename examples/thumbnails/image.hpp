// Pixels in memory, and how many of them are believed in.
//
// Thread safety: plain data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace thumbnails {

struct Size {
    int width = 0;
    int height = 0;

    std::uint64_t pixels() const {
        return static_cast<std::uint64_t>(width) * static_cast<std::uint64_t>(height);
    }
    int longest() const { return width > height ? width : height; }
    friend bool operator==(const Size&, const Size&) = default;
};

/// A header of a few bytes can claim any number of pixels; the memory for them is asked for before the first
/// one is seen. Throws: std::runtime_error with the numbers if there are too many.
void check_size(Size claimed);

/// Rows from the top down, without gaps. A sample is a byte as sRGB has it.
struct Image {
    Image(Size its_size, int its_channels);

    unsigned char* row(int y) const { return samples.get() + row_bytes() * static_cast<std::size_t>(y); }
    std::size_t row_bytes() const {
        return static_cast<std::size_t>(size.width) * static_cast<std::size_t>(channels);
    }

    Size size;
    int channels;  ///< 3: red, green, blue; 4: alpha too, which is not multiplied into the others
    std::unique_ptr<unsigned char[]> samples;
};

/// An image as it came out of a file.
struct Picture {
    Image image;
    Size size;  ///< in the file; the image may be smaller already
};

}  // namespace thumbnails

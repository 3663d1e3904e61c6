#include "png.hpp"

#include <new>
#include <stdexcept>
#include <string>
#include <string_view>

#include <png.h>

namespace thumbnails {
namespace {

// libpng's simplified interface: it keeps its longjmps to itself and returns 0 with a message.
struct Png {
    Png() { state.version = PNG_IMAGE_VERSION; }
    Png(const Png&) = delete;
    Png& operator=(const Png&) = delete;
    ~Png() { png_image_free(&state); }
    png_image state{};
};

[[noreturn]] void throw_unreadable(const Png& png, std::FILE* file) {
    const std::string_view message = png.state.message;
    if (std::feof(file) != 0) throw std::runtime_error(std::ftell(file) == 0 ? "empty" : "truncated");
    if (message == "Not a PNG file") throw std::runtime_error("not a PNG");
    if (message.find("memory") != message.npos) throw std::bad_alloc();
    throw std::runtime_error("damaged: " + std::string(message));
}

}  // namespace

Picture read_png(std::FILE* file) {
    Png png;
    if (png_image_begin_read_from_stdio(&png.state, file) == 0) throw_unreadable(png, file);
    const Size size{static_cast<int>(png.state.width), static_cast<int>(png.state.height)};
    check_size(size);
    const bool has_alpha = (png.state.format & PNG_FORMAT_FLAG_ALPHA) != 0;
    png.state.format = has_alpha ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
    Picture picture{Image(size, has_alpha ? 4 : 3), size};
    if (png_image_finish_read(&png.state, nullptr, picture.image.samples.get(), 0, nullptr) == 0)
        throw_unreadable(png, file);
    return picture;
}

void write_png(const Image& image, std::FILE* file) {
    Png png;
    png.state.width = static_cast<png_uint_32>(image.size.width);
    png.state.height = static_cast<png_uint_32>(image.size.height);
    png.state.format = PNG_FORMAT_RGBA;
    if (png_image_write_to_stdio(&png.state, file, 0, image.samples.get(), 0, nullptr) == 0) {
        throw std::runtime_error(std::string("the thumbnail cannot be written: ") + png.state.message);
    }
}

}  // namespace thumbnails

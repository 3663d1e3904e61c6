#include "thumbnail.hpp"

#include <filesystem>
#include <stdexcept>
#include <utility>

#include "file.hpp"
#include "image.hpp"
#include "jpeg.hpp"
#include "pictures.hpp"
#include "png.hpp"
#include "ppm.hpp"
#include "shrink.hpp"

namespace thumbnails {
namespace {

Picture read_picture(const std::string& path) {
    const File file = open_to_read(path);
    switch (format_of(path)) {
        // libjpeg's own shrinking is quick; twice the pixels that are needed leave enough to average well.
        case Format::jpeg: return read_jpeg(file.get(), 2 * longest_side);
        case Format::png: return read_png(file.get());
        case Format::ppm: return read_ppm(file.get());
        case Format::none: break;
    }
    throw std::runtime_error("no picture by its name");
}

}  // namespace

Made make_thumbnail(const Job& job) {
    Picture picture = read_picture(job.source);
    const Image small = shrink(std::move(picture.image), longest_side);
    const bool as_png = small.channels == 4;

    std::filesystem::create_directories(std::filesystem::path(job.target).parent_path());
    File file = open_to_write(job.temporary);
    as_png ? write_png(small, file.get()) : write_jpeg(small, file.get());
    put_in_place(std::move(file), job.temporary,
                 as_png || format_of(job.target) == Format::jpeg ? job.target : job.target + ".jpg");
    return {picture.size.pixels()};
}

}  // namespace thumbnails

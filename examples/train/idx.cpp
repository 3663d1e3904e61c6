#include "idx.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <system_error>

namespace train {
namespace {

constexpr std::size_t most_bytes = std::size_t{4} << 30;

struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
};

// Fills all of it. Throws: std::runtime_error at the end of the file.
void read(std::FILE* file, void* to, std::size_t size, const std::string& path) {
    if (std::fread(to, 1, size, file) == size) return;
    if (std::ferror(file) != 0)
        throw std::runtime_error(path + ": " + std::generic_category().message(errno));
    throw std::runtime_error(path + ": it is cut short; fetch it again");
}

}  // namespace

Idx read_idx(const std::string& path, std::size_t dimensions) {
    const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rbe"));
    if (file == nullptr)
        throw std::runtime_error(path + ": " + std::generic_category().message(errno) +
                                 "; examples/train/fetch_data DIR gets the files");
    std::array<unsigned char, 4> magic{};
    read(file.get(), magic.data(), magic.size(), path);
    constexpr unsigned char unsigned_bytes = 8;
    if (magic[0] != 0 || magic[1] != 0 || magic[2] != unsigned_bytes)
        throw std::runtime_error(path + ": it is no idx file of bytes; it may have to be unpacked");
    if (magic[3] != dimensions) {
        throw std::runtime_error(path + ": it has " + std::to_string(magic[3]) + " dimensions instead of " +
                                 std::to_string(dimensions));
    }
    Idx idx;
    std::size_t size = 1;
    for (std::size_t i = 0; i < dimensions; ++i) {
        std::array<unsigned char, 4> number{};
        read(file.get(), number.data(), number.size(), path);
        std::size_t dimension = 0;
        for (const unsigned char byte : number) dimension = dimension << 8 | byte;
        if (dimension == 0 || size > most_bytes / dimension)
            throw std::runtime_error(path + ": it claims to be empty or larger than 4 GiB");
        idx.dimensions.push_back(dimension);
        size *= dimension;
    }
    idx.bytes.resize(size);
    read(file.get(), idx.bytes.data(), size, path);
    return idx;
}

}  // namespace train

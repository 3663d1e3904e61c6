#include "gzip_member.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include <unistd.h>
#include <zlib.h>

namespace pipeline {
namespace {

constexpr std::size_t header_size = 20;
constexpr std::size_t trailer_size = 8;
constexpr std::size_t place_of_size = 16;
constexpr std::array<unsigned char, place_of_size> beginning{0x1f, 0x8b, 8, 4, 0,   0,   0, 0,
                                                             0,    255,  8, 0, 'C', 'S', 4, 0};

void put_number(unsigned char* at, std::uint64_t number) {
    for (int i = 0; i < 4; ++i) at[i] = static_cast<unsigned char>(number >> (8 * i));
}
std::uint32_t number_at(const unsigned char* at) {
    std::uint32_t number = 0;
    for (int i = 0; i < 4; ++i) number |= static_cast<std::uint32_t>(at[i]) << (8 * i);
    return number;
}

// Returns how many bytes were there: less at the end of the file.
std::size_t read_at(int descriptor, std::uint64_t offset, std::span<unsigned char> bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t some =
            ::pread(descriptor, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
        if (some < 0 && errno == EINTR) continue;
        if (some < 0) throw std::system_error(errno, std::generic_category(), "the output cannot be read");
        if (some == 0) break;
        done += static_cast<std::size_t>(some);
    }
    return done;
}

}  // namespace

std::vector<unsigned char> gzip_member(std::span<const unsigned char> block, int level) {
    z_stream stream{};
    constexpr int no_wrapper = -15;
    if (::deflateInit2(&stream, level, Z_DEFLATED, no_wrapper, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        throw std::runtime_error("zlib cannot begin");
    std::vector<unsigned char> member(header_size + ::deflateBound(&stream, block.size()) + trailer_size);
    stream.next_in = const_cast<unsigned char*>(block.data());
    stream.avail_in = static_cast<unsigned int>(block.size());
    stream.next_out = member.data() + header_size;
    stream.avail_out = static_cast<unsigned int>(member.size() - header_size - trailer_size);
    const int result = ::deflate(&stream, Z_FINISH);
    const std::size_t size = header_size + stream.total_out + trailer_size;
    ::deflateEnd(&stream);
    if (result != Z_STREAM_END) throw std::runtime_error("zlib failed to compress a block");
    member.resize(size);
    std::ranges::copy(beginning, member.begin());
    put_number(member.data() + place_of_size, size);
    put_number(member.data() + size - trailer_size,
               ::crc32(0, block.data(), static_cast<unsigned int>(block.size())));
    put_number(member.data() + size - trailer_size / 2, block.size());
    return member;
}

WholeMembers whole_members(int descriptor) {
    WholeMembers found;
    for (;;) {
        std::array<unsigned char, header_size> header{};
        const std::size_t there = read_at(descriptor, found.end, header);
        const bool is_ours = std::equal(
            header.begin(), header.begin() + static_cast<std::ptrdiff_t>(std::min(there, beginning.size())),
            beginning.begin());
        if (!is_ours)
            throw std::runtime_error("the output was not written by this program: byte " +
                                     std::to_string(found.end) + " begins something else");
        const std::uint64_t size = number_at(header.data() + place_of_size);
        std::array<unsigned char, trailer_size> trailer{};
        if (there < header_size || size < header_size + trailer_size) return found;
        if (read_at(descriptor, found.end + size - trailer_size, trailer) < trailer_size) return found;
        found.end += size;
        found.content += number_at(trailer.data() + trailer_size / 2);
    }
}

}  // namespace pipeline

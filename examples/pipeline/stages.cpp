#include "stages.hpp"

#include <cerrno>
#include <cstdio>
#include <exception>
#include <memory>
#include <system_error>

#include "gzip_member.hpp"

namespace pipeline {
namespace {

struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
};

std::string reason() { return std::generic_category().message(errno); }

}  // namespace

Block read_block(const std::string& path, const Range& range) {
    const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rbe"));
    if (file == nullptr || ::fseeko(file.get(), static_cast<off_t>(range.offset), SEEK_SET) != 0)
        return {range.number, {}, reason()};
    std::setvbuf(file.get(), nullptr, _IONBF, 0);  // the block is read in one piece
    Block block{range.number, std::vector<unsigned char>(range.size)};
    if (std::fread(block.bytes.data(), 1, block.bytes.size(), file.get()) == block.bytes.size()) return block;
    return {range.number, {}, std::ferror(file.get()) != 0 ? reason() : "it has become shorter"};
}

Block pack_block(Block block, int level) {
    if (!block.error.empty()) return block;
    try {
        return {block.number, gzip_member(block.bytes, level)};
    } catch (const std::exception& error) {
        return {block.number, {}, error.what()};
    }
}

}  // namespace pipeline

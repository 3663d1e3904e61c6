#include "output.hpp"

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include "gzip_member.hpp"

namespace pipeline {
namespace {

[[noreturn]] void throw_errno(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

Output::Output(const std::string& path, bool resume) : descriptor_(STDOUT_FILENO), is_file_(path != "-") {
    if (!is_file_) return;
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_CREAT | (resume ? 0 : O_EXCL), 0666);
    if (descriptor_ < 0 && errno == EEXIST)
        throw std::runtime_error(path + ": it is there already; go on with it by --resume, or remove it");
    if (descriptor_ < 0) throw_errno(path);
    if (!resume) return;
    try {
        const WholeMembers found = whole_members(descriptor_);
        begin_ = found.end;
        content_ = found.content;
        if (::ftruncate(descriptor_, static_cast<off_t>(begin_)) != 0 ||
            ::lseek(descriptor_, 0, SEEK_END) < 0)
            throw_errno(path);
    } catch (...) {
        ::close(descriptor_);
        throw;
    }
}

Output::~Output() {
    if (is_file_) ::close(descriptor_);
}

void Output::append(std::span<const unsigned char> member) {
    for (auto left = member; !left.empty();) {
        const ssize_t some = ::write(descriptor_, left.data(), left.size());
        if (some < 0 && errno == EINTR) continue;
        if (some < 0) {
            const std::system_error why(errno, std::generic_category(), "the output cannot be written");
            if (is_file_ && ::ftruncate(descriptor_, static_cast<off_t>(begin_ + written_)) != 0)
                throw_errno("the output ends with a part of a block");
            throw why;
        }
        left = left.subspan(static_cast<std::size_t>(some));
    }
    written_ += member.size();
}

}  // namespace pipeline

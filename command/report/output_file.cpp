#include "output_file.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

#include <unistd.h>

namespace report {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void throw_errno(const std::string& path) { throw std::system_error(errno, std::generic_category(), path); }

// Symbolic links stay: it is what they point to that is replaced.
fs::path resolved(const std::string& path) {
    std::error_code unknown;
    const fs::path target = fs::weakly_canonical(path, unknown);
    return unknown ? fs::path(path) : target;
}

bool is_special(const fs::path& path) {
    std::error_code unknown;
    const auto status = fs::status(path, unknown);
    return fs::exists(status) && !fs::is_regular_file(status);
}

fs::path directory_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

// `shown` is the name that its user knows.
void write_all(const fs::path& path, const char* mode, const std::string& content, const std::string& shown) {
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), mode));
    if (file == nullptr) throw_errno(shown);
    if (std::fwrite(content.data(), 1, content.size(), file.get()) != content.size()) throw_errno(shown);
    // The last bytes are written by the close, and only then is it known whether there was room for them.
    if (std::fclose(file.release()) != 0) throw_errno(shown);
}

}  // namespace

void expect_writable(const std::string& path) {
    const fs::path target = resolved(path);
    if (path.empty()) throw std::system_error(ENOENT, std::generic_category(), "the name of a file");
    if (fs::is_directory(target)) throw std::system_error(EISDIR, std::generic_category(), path);
    const fs::path needed = is_special(target) ? target : directory_of(target);
    if (::access(needed.c_str(), W_OK) != 0) throw_errno(path);
    if (fs::exists(target) && ::access(target.c_str(), W_OK) != 0) throw_errno(path);  // replacing it would pass over what its owner said
}

void write_file(const std::string& path, const std::string& content) {
    const fs::path target = resolved(path);
    if (is_special(target)) return write_all(target, "wbe", content, path);
    const fs::path fresh = target.native() + "." + std::to_string(::getpid()) + ".new";
    try {
        write_all(fresh, "wbex", content, path);
        fs::rename(fresh, target);
    } catch (...) {
        std::error_code absent;
        fs::remove(fresh, absent);
        throw;
    }
}

}  // namespace report

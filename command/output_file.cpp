#include "output_file.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

#include <unistd.h>

namespace command {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const std::string& path, int code = errno) {
    throw std::system_error(code, std::generic_category(), "cannot write " + path);
}

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

fs::path directory_of(const fs::path& path) {
    return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

// `shown` is the name that its user knows.
void write_all(const fs::path& path, const char* mode, const std::string& content, const std::string& shown) {
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), mode));
    if (file == nullptr) refuse(shown);
    if (std::fwrite(content.data(), 1, content.size(), file.get()) != content.size()) refuse(shown);
    // The last bytes are written by the close, and only then is it known whether there was room for them.
    if (std::fclose(file.release()) != 0) refuse(shown);
}

}  // namespace

void expect_writable(const std::string& path) {
    const fs::path target = resolved(path);
    if (path.empty()) refuse("a file without a name", ENOENT);
    if (fs::is_directory(target)) refuse(path, EISDIR);
    const fs::path needed = is_special(target) ? target : directory_of(target);
    if (::access(needed.c_str(), W_OK) != 0) refuse(path);
    if (fs::exists(target) && ::access(target.c_str(), W_OK) != 0)
        refuse(path);  // replacing it would pass over what its owner said
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

}  // namespace command

#include "pictures.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <system_error>

namespace thumbnails {
namespace {

namespace fs = std::filesystem;

// Adds the directory's pictures to those found, by their path below the first one, and its subdirectories to
// those still to be read.
std::error_code read_directory(const fs::path& top, const fs::path& below, Pictures& pictures,
                               std::vector<fs::path>& to_read) {
    std::error_code error;
    for (fs::directory_iterator at(top / below, error), end; !error && at != end; at.increment(error)) {
        const fs::path path = below / at->path().filename();
        std::error_code unknown;
        const auto status = at->symlink_status(unknown);
        if (unknown) pictures.failures.push_back({at->path().native(), unknown.message()});
        if (fs::is_directory(status)) to_read.push_back(path);
        if (fs::is_regular_file(status) && format_of(path.native()) != Format::none)
            pictures.paths.push_back(path.native());
    }
    return error;
}

}  // namespace

Format format_of(const std::string& path) {
    std::string ending = fs::path(path).extension().native();
    for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (ending == ".jpg" || ending == ".jpeg") return Format::jpeg;
    if (ending == ".png") return Format::png;
    if (ending == ".ppm") return Format::ppm;
    return Format::none;
}

Pictures find_pictures(const std::string& directory, const std::string& left_out) {
    Pictures pictures;
    std::vector<fs::path> to_read;
    if (const auto error = read_directory(directory, "", pictures, to_read)) throw std::system_error(error);
    while (!to_read.empty()) {
        const fs::path next = std::move(to_read.back());
        to_read.pop_back();
        std::error_code absent;
        if (fs::equivalent(directory / next, left_out, absent)) continue;
        if (const auto error = read_directory(directory, next, pictures, to_read)) {
            pictures.failures.push_back({(directory / next).native(), error.message()});
        }
    }
    std::ranges::sort(pictures.paths);
    return pictures;
}

}  // namespace thumbnails

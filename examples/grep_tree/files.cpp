#include "files.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace grep_tree {
namespace {

namespace fs = std::filesystem;

// Adds the directory's files to those found, and its subdirectories to those still to be read.
std::error_code read_directory(const fs::path& directory, Files& files, std::vector<fs::path>& to_read) {
    std::error_code error;
    for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
        std::error_code unknown;
        const auto status = at->symlink_status(unknown);
        if (unknown) files.failures.push_back({at->path().native(), unknown.message()});
        if (fs::is_directory(status)) to_read.push_back(at->path());
        if (fs::is_regular_file(status)) files.paths.push_back(at->path().native());
    }
    return error;
}

}  // namespace

Files find_files(const std::string& directory) {
    Files files;
    std::vector<fs::path> to_read;
    if (const auto error = read_directory(directory, files, to_read))
        throw std::system_error(error, directory);
    while (!to_read.empty()) {
        const fs::path next = std::move(to_read.back());
        to_read.pop_back();
        if (const auto error = read_directory(next, files, to_read))
            files.failures.push_back({next.native(), error.message()});
    }
    std::ranges::sort(files.paths);
    return files;
}

}  // namespace grep_tree

#include "file_list.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace hash_tree {
namespace {

namespace fs = std::filesystem;

// Adds the directory's files to the list and its subdirectories to those still to be read.
std::error_code read_directory(const fs::path& directory, FileList& list, std::vector<fs::path>& to_read) {
    std::error_code error;
    for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
        std::error_code unknown;
        const auto status = at->symlink_status(unknown);
        if (unknown) list.failures.push_back({at->path().native(), unknown.message()});
        if (fs::is_directory(status)) to_read.push_back(at->path());
        if (!fs::is_regular_file(status)) continue;
        // One whose size cannot be had is listed nevertheless: to read it will tell why.
        const auto size = at->file_size(unknown);
        list.files.push_back({at->path().native(), unknown ? 0 : size});
        list.bytes += list.files.back().size;
    }
    return error;
}

}  // namespace

FileList list_files(const std::string& directory) {
    FileList list;
    std::vector<fs::path> to_read;
    if (const auto error = read_directory(directory, list, to_read)) throw std::system_error(error);
    while (!to_read.empty()) {
        const fs::path next = std::move(to_read.back());
        to_read.pop_back();
        if (const auto error = read_directory(next, list, to_read))
            list.failures.push_back({next.native(), error.message()});
    }
    std::ranges::sort(list.files, {}, &FoundFile::path);
    return list;
}

}  // namespace hash_tree

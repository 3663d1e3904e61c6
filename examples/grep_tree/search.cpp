#include "search.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <regex>
#include <string_view>
#include <system_error>

#include <stdio.h>  // getline

namespace grep_tree {
namespace {

// To build one from a pattern costs more than to search a small file.
thread_local std::regex wanted;

struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
};

// One line after the other, in a buffer that grows with the longest.
class Lines {
public:
    // "e": a process that another thread starts meanwhile does not get the file.
    explicit Lines(const std::string& path) : file_(std::fopen(path.c_str(), "re")) {
        if (file_ == nullptr) throw_errno();
    }
    ~Lines() { std::free(buffer_); }
    Lines(const Lines&) = delete;
    Lines& operator=(const Lines&) = delete;

    /// With its newline, which the last one may lack; empty at the end of the file.
    std::string_view next() {
        const ssize_t length = ::getline(&buffer_, &capacity_, file_.get());
        if (length >= 0) return {buffer_, static_cast<std::size_t>(length)};
        if (std::feof(file_.get()) == 0) throw_errno();
        return {};
    }

private:
    [[noreturn]] static void throw_errno() {
        throw std::system_error(errno, std::generic_category(), "it cannot be read");
    }
    std::unique_ptr<std::FILE, Close> file_;
    char* buffer_ = nullptr;
    std::size_t capacity_ = 0;
};

}  // namespace

void use_pattern(const std::string& pattern) {
    wanted.assign(pattern, std::regex::extended | std::regex::nosubs | std::regex::optimize);
}

Found search_file(const std::string& path) {
    Found found;
    std::size_t number = 0;
    Lines lines(path);
    for (auto line = lines.next(); !line.empty(); line = lines.next()) {
        found.bytes += line.size();
        ++number;
        if (line.find('\0') != line.npos) return {{}, true, found.bytes};
        if (line.back() == '\n') line.remove_suffix(1);
        if (std::regex_search(line.begin(), line.end(), wanted))
            found.lines.push_back({number, std::string(line)});
    }
    return found;
}

}  // namespace grep_tree

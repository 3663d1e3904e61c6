#include "addresses.hpp"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>
#include <system_error>

namespace fetch {
namespace {

std::string file_name_of(const std::string& url) {
    const std::string path = url.substr(0, url.find_first_of("?#"));
    const std::size_t host = path.find("://");
    const std::size_t slash = path.find_last_of('/');
    const bool has_name =
        slash != path.npos && slash + 1 < path.size() && (host == path.npos || slash > host + 2);
    const std::string name = has_name ? path.substr(slash + 1) : "";
    return name.empty() || name == "." || name == ".." ? "index.html" : name;
}

}  // namespace

Addresses read_addresses(const std::string& list, const std::string& directory) {
    std::ifstream file(list);
    if (!file || file.peek() == std::ifstream::traits_type::eof()) {
        if (!file.eof() || std::filesystem::is_directory(list))
            throw std::system_error(errno != 0 ? errno : EISDIR, std::generic_category(), list);
    }
    Addresses addresses;
    std::map<std::string, std::string> taken;
    for (std::string url; std::getline(file, url);) {
        if (!url.empty() && url.back() == '\r') url.pop_back();
        if (url.empty() || url.front() == '#') continue;
        const std::string name = file_name_of(url);
        const auto [other, is_free] = taken.try_emplace(name, url);
        if (is_free) {
            addresses.jobs.push_back({url, directory + "/" + name, directory + "/." + name + ".part"});
        } else {
            addresses.failures.push_back({url, "its file would take the place of that of " + other->second});
        }
    }
    return addresses;
}

}  // namespace fetch

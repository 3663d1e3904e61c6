// The list of what to fetch, and where each goes.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <vector>

namespace fetch {

/// Plain data: it travels between processes.
struct Job {
    std::string url;
    std::string path;       ///< of the file
    std::string temporary;  ///< beside it, while it comes
};

struct Failure {
    std::string url;
    std::string reason;
};

struct Addresses {
    std::vector<Job> jobs;
    std::vector<Failure> failures;  ///< two with the same file
};

/// One address a line; empty lines and those that begin with # are passed over. A file is named as the last
/// part of its address.
/// Throws: std::system_error if the list cannot be read.
Addresses read_addresses(const std::string& list, const std::string& directory);

}  // namespace fetch

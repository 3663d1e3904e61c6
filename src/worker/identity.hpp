// The identity of this process: received from its parent at its start, or that of the program's first
// process.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <chorus/process.hpp>
#include "platform/file_descriptor.hpp"

namespace chorus::inline v0::detail::worker {

/// Part of each ChildRequest; serialized as an aggregate.
struct Identity {
    std::string name = "MainProcess";
    std::vector<int> path;  ///< {1, 2}: the second child of the first; empty for the first process
    bool daemon = false;
    bool tied = false;        ///< dies with its parent: a daemon, or a process below a daemon
    std::string parent_name;  ///< "" if there is no parent that Chorus knows
    int parent_pid = 0;
    std::string type_name = "Process";             ///< for the text form
    StartMethod method = StartMethod::forkserver;  ///< what this process and its children start with
    bool method_fixed = false;
    std::vector<unsigned char> authkey;
};

Identity& identity();

/// Path for the next child: Process-1, or Process-1:2 in a child.
std::vector<int> next_child_path();
void forget_children_numbering();

const std::vector<unsigned char>& authkey();

}  // namespace chorus::inline v0::detail::worker

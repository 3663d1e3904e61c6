// Re-exec: executing the program's own file, and what the new image inherits.
//
// Invariants:
// 1. A new image finds the variable CHORUS_IMAGE in its environment: its role, the numbers of five
//    descriptors that it inherits (-1 for none), and those of its call's arguments. All other descriptors
//    are closed.
// 2. The variable is removed before the program's own code runs.
// 3. A caller that can set this variable chooses a function that the image then runs. A program with
//    rights
// of
//    another user therefore ignores the variable, and executes no image.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "platform/process_start.hpp"
#include "platform/signal_mask.hpp"

namespace chorus::inline v0::detail::worker {

enum class Role { fork_server, preloading_fork_server, spawned_child };

struct Inheritance {
    Role role = Role::spawned_child;
    platform::FileDescriptor first;   ///< fork server: its socket; child: the file with its request
    platform::FileDescriptor second;  ///< fork server: the hand-over page; child: its report
    platform::FileDescriptor life_line;
    platform::FileDescriptor shared_runtime;
    platform::FileDescriptor parent_pages;  ///< child: in which it writes its exit word
    std::vector<int> attachments;           ///< child: those of its call's arguments
};

/// Executes the program with these descriptors (life line and shared runtime are added).
/// Throws: UsageError where the program has rights of another user.
platform::StartedProcess execute_image(Role role, int first, int second,
                                       const std::vector<std::string>& environment,
                                       const platform::SignalMask& mask, int parent_pages = -1,
                                       const std::vector<int>& attachments = {});
void set_image_path(const std::string& path);

/// What this image has inherited; nothing if another program executed it.
/// Throws: DecodeError if the variable is not what Chorus writes.
std::optional<Inheritance> take_inheritance();

/// This process's own life line, to which its children are tied.
int life_line_descriptor();
/// In a copy made by fork: the life line belongs to the original.
void drop_life_line();

}  // namespace chorus::inline v0::detail::worker

// Re-exec: executing the program's own file, and what the new image inherits.
//
// A new image finds the variable CHORUS_IMAGE in its environment: its role, the numbers of five descriptors
// that it inherits (-1 for none), and those of its call's arguments. The variable is removed before the
// program's own code runs.
//
// A caller that can set this variable chooses a function that the image then runs. In a program with rights
// of another user it is therefore ignored, and no image is executed.
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
    platform::FileDescriptor births;  ///< child: the page of its parent's births
    std::vector<int> attachments;     ///< child: those of its call's arguments
};

/// Executes the program with these descriptors (life line and shared runtime are added).
/// Throws: UsageError where the program has rights of another user.
platform::Newborn execute_image(Role role, int first, int second, const std::vector<std::string>& environment,
                                const platform::SignalMask& mask, int births = -1,
                                const std::vector<int>& attachments = {});
void set_image_path(const std::string& path);

/// What this image was handed, if it was made by another.
/// Throws: DecodeError if the variable is not what Chorus writes.
std::optional<Inheritance> take_inheritance();

/// This process's own life line, which its children are tied to.
int life_line_descriptor();
/// In a copy made by fork.
void drop_life_line();

}  // namespace chorus::inline v0::detail::worker

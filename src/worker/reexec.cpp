#include "worker/reexec.hpp"

#include <cstdlib>
#include <mutex>
#include <span>
#include <sstream>

#include "platform/credentials.hpp"
#include "platform/environment.hpp"
#include "platform/execution.hpp"
#include "platform/fork_mutex.hpp"
#include "platform/life_line.hpp"
#include "sync/shared_runtime.hpp"
#include "worker/lifetime.hpp"

namespace chorus::inline v0::detail::worker {
namespace {

constexpr const char* variable = "CHORUS_IMAGE";
constexpr const char* bind_now = "LD_BIND_NOW=1";

struct Images {
    platform::ForkMutex mutex;
    std::optional<platform::LifeLine> line;
    std::string set_path;  ///< by set_executable(); empty: this program's own
};
Images& images() {
    static auto* const instance = new Images;
    return *instance;
}
// Before main: a fork while another thread makes it would leave a copy that waits indefinitely.
[[maybe_unused]] auto& images_made = images();

}  // namespace

void set_image_path(const std::string& path) {
    const std::lock_guard guard(images().mutex);
    images().set_path = path;
}

int life_line_descriptor() {
    const std::lock_guard guard(images().mutex);
    if (!images().line) images().line.emplace();
    return images().line->descriptor();
}

void drop_life_line() {
    const std::lock_guard guard(images().mutex);
    if (images().line) images().line->drop();
    images().line.reset();
}

platform::StartedProcess execute_image(Role role, int first, int second,
                                       const std::vector<std::string>& environment,
                                       const platform::SignalMask& mask, int parent_pages,
                                       const std::vector<int>& attachments) {
    if (platform::has_rights_of_another()) {
        throw UsageError(
            "this program has rights of another user (setuid, setgid or file capabilities), so its children "
            "must not take their function from an environment that its caller can set: choose "
            "set_start_method(\"fork\")");
    }
    platform::Program program;
    {
        const std::lock_guard guard(images().mutex);
        program.path = images().set_path;
    }
    const bool is_own = program.path.empty();
    if (is_own) program.path = platform::running_image();
    program.arguments = program_arguments();
    if (is_own && platform::is_run_by_loader()) {
        const auto loader = platform::arguments_of_loader();
        if (!program.arguments.empty()) program.arguments.erase(program.arguments.begin());
        program.arguments.insert(program.arguments.begin(), loader.begin(), loader.end());
    }
    program.environment = environment;
    program.mask = mask;
    std::vector<int> inherited{first, second, life_line_descriptor(), sync::shared_runtime_descriptor(),
                               parent_pages};
    inherited.insert(inherited.end(), attachments.begin(), attachments.end());
    std::string text = std::string(variable) + "=" + std::to_string(static_cast<int>(role));
    for (const int descriptor : inherited) {
        text += " " + std::to_string(descriptor);
        if (descriptor >= 0) program.kept_descriptors.push_back(descriptor);
    }
    program.environment.push_back(text);
    // Resolved once in the server, and not again in each of its copies.
    if (role != Role::spawned_child) program.environment.insert(program.environment.begin(), bind_now);
    return platform::execute(program);
}

namespace {

// Throws: DecodeError.
std::vector<int> numbers_of(const std::string& text) {
    std::istringstream in(text);
    std::vector<int> numbers;
    for (int number = 0; in >> number;) numbers.push_back(number);
    constexpr std::size_t fewest = 6;
    if (!in.eof() || numbers.size() < fewest || numbers[0] < static_cast<int>(Role::fork_server) ||
        numbers[0] > static_cast<int>(Role::spawned_child)) {
        throw DecodeError(std::string(variable) + "=" + text +
                          " was not written by Chorus, which alone uses this variable of the environment: "
                          "unset it");
    }
    return numbers;
}

platform::FileDescriptor adopt(int number, const std::string& text) {
    constexpr int first_after_standard_streams = 3;
    platform::FileDescriptor descriptor;
    if (number >= first_after_standard_streams) descriptor = platform::adopt_inherited(number);
    if (number != -1 && !descriptor)
        throw DecodeError(
            std::string(variable) + "=" + text + ": " + std::to_string(number) +
            " is no open descriptor; unset this variable of the environment, which Chorus alone "
            "uses");
    return descriptor;
}

}  // namespace

std::optional<Inheritance> take_inheritance() {
    const char* const value = ::secure_getenv(variable);
    if (value == nullptr || platform::has_rights_of_another()) return std::nullopt;
    const std::string text = value;
    ::unsetenv(variable);
    const auto numbers = numbers_of(text);
    Inheritance inheritance;
    inheritance.role = static_cast<Role>(numbers[0]);
    if (inheritance.role != Role::spawned_child) platform::remove_first_environment_entry(bind_now);
    inheritance.first = adopt(numbers[1], text);
    inheritance.second = adopt(numbers[2], text);
    inheritance.life_line = adopt(numbers[3], text);
    inheritance.shared_runtime = adopt(numbers[4], text);
    inheritance.parent_pages = adopt(numbers[5], text);
    for (const int attached : std::span(numbers).subspan(6))
        inheritance.attachments.push_back(adopt(attached, text).release());
    return inheritance;
}

}  // namespace chorus::inline v0::detail::worker

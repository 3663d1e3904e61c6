#include <chorus/worker/internal/images.hpp>

#include <cstdlib>
#include <mutex>
#include <sstream>

#include <chorus/platform/fork_mutex.hpp>
#include <chorus/sync/internal/commons.hpp>
#include <chorus/worker/internal/lifetime.hpp>

namespace chorus::worker {
namespace {

constexpr const char* variable = "CHORUS_IMAGE";
constexpr const char* bind_now = "LD_BIND_NOW=1";

struct Images {
    platform::ForkMutex mutex;
    std::optional<platform::LifeLine> line;
    std::string image_path = "/proc/self/exe";
};
Images& images() {
    static auto* const instance = new Images;
    return *instance;
}
// Before main: a fork while another thread makes it would leave a copy that waits for ever.
[[maybe_unused]] auto& images_made = images();

}  // namespace

void set_image_path(const std::string& path) {
    const std::lock_guard guard(images().mutex);
    images().image_path = path;
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

platform::Newborn execute_image(Role role, int first, int second, const std::vector<std::string>& environment,
                                const platform::SignalMask& mask, const std::vector<int>& attachments) {
    platform::Program program;
    {
        const std::lock_guard guard(images().mutex);
        program.path = images().image_path;
    }
    program.arguments = program_arguments();
    program.environment = environment;
    program.mask = mask;
    std::vector<int> inherited{first, second, life_line_descriptor(), sync::commons_descriptor()};
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

std::optional<Inheritance> take_inheritance() {
    const char* text = std::getenv(variable);
    if (text == nullptr) return std::nullopt;
    std::istringstream in(text);
    int role = static_cast<int>(Role::spawned_child);
    std::array<int, 4> numbers{-1, -1, -1, -1};
    in >> role >> numbers[0] >> numbers[1] >> numbers[2] >> numbers[3];
    Inheritance inheritance;
    for (int attached = -1; in >> attached;)
        inheritance.attachments.push_back(platform::adopt_inherited(attached).release());
    ::unsetenv(variable);
    inheritance.role = static_cast<Role>(role);
    if (inheritance.role != Role::spawned_child) platform::remove_first_environment_entry(bind_now);
    inheritance.first = platform::adopt_inherited(numbers[0]);
    inheritance.second = platform::adopt_inherited(numbers[1]);
    inheritance.life_line = platform::adopt_inherited(numbers[2]);
    inheritance.commons = platform::adopt_inherited(numbers[3]);
    return inheritance;
}

}  // namespace chorus::worker

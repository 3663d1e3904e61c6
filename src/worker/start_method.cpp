#include <chorus/process.hpp>

#include <mutex>

#include <chorus/errors.hpp>
#include "platform/fork_mutex.hpp"
#include "worker/identity.hpp"

namespace chorus::inline v0 {
namespace {

detail::platform::ForkMutex& choice() {
    static auto* const mutex = new detail::platform::ForkMutex;
    return *mutex;
}
// Before main: a fork while another thread makes it would leave a copy that waits indefinitely.
[[maybe_unused]] auto& choice_made = choice();

}  // namespace

namespace detail::worker {

std::string name_of(StartMethod method) {
    switch (method) {
        case StartMethod::forkserver: return "forkserver";
        case StartMethod::spawn: return "spawn";
        case StartMethod::fork: return "fork";
    }
    return "unknown";
}

StartMethod start_method_named(std::string_view name) {
    for (const auto method : {StartMethod::forkserver, StartMethod::spawn, StartMethod::fork}) {
        if (name == name_of(method)) return method;
    }
    throw UsageError("there is no start method \"" + std::string(name) +
                     "\"; there are \"forkserver\" (the default), \"spawn\" and \"fork\"");
}

StartMethod chosen_start_method() {
    const std::lock_guard guard(choice());
    identity().method_fixed = true;
    return identity().method;
}

}  // namespace detail::worker

namespace multiprocessing {

void set_start_method(std::string_view name, bool force) {
    const auto method = detail::worker::start_method_named(name);
    const std::lock_guard guard(choice());
    auto& self = detail::worker::identity();
    if (self.method_fixed && !force) {
        throw UsageError("the start method is already \"" + detail::worker::name_of(self.method) +
                         "\": set it once, before the first process is started, or pass force = true");
    }
    self.method = method;
    self.method_fixed = true;
}

std::string get_start_method() { return detail::worker::name_of(detail::worker::chosen_start_method()); }

std::optional<std::string> get_start_method(bool allow_none) {
    if (!allow_none) return get_start_method();
    const std::lock_guard guard(choice());
    if (!detail::worker::identity().method_fixed) return std::nullopt;
    return detail::worker::name_of(detail::worker::identity().method);
}

std::vector<std::string> get_all_start_methods() { return {"forkserver", "spawn", "fork"}; }

}  // namespace multiprocessing
}  // namespace chorus::inline v0

#include "worker/identity.hpp"

#include <atomic>
#include <mutex>

#include "platform/random_bytes.hpp"

namespace chorus::inline v0::detail::worker {
namespace {

std::atomic<int> children_made{0};

}  // namespace

// Never destroyed, as all statics of the library: workers may outlive the destruction of statics.
Identity& identity() {
    static auto* const self = new Identity;
    return *self;
}
namespace {
// Before main: a fork while another thread makes it would leave a copy that waits indefinitely.
[[maybe_unused]] auto& identity_made = identity();
}  // namespace

std::vector<int> next_child_path() {
    auto path = identity().path;
    path.push_back(children_made.fetch_add(1) + 1);
    return path;
}

void forget_children_numbering() { children_made.store(0); }

const std::vector<unsigned char>& authkey() {
    static auto* const once = new std::once_flag;
    std::call_once(*once, [] {
        auto& key = identity().authkey;
        if (!key.empty()) return;
        for (const std::byte byte : platform::random_bytes()) key.push_back(static_cast<unsigned char>(byte));
    });
    return identity().authkey;
}

}  // namespace chorus::inline v0::detail::worker

#include <chorus/file_descriptor.hpp>

#include <cstring>
#include <map>
#include <mutex>

#include "platform/file_descriptor.hpp"
#include "platform/fork_mutex.hpp"
#include "platform/random_bytes.hpp"

namespace chorus::inline v0 {
namespace detail::message {

/// One open descriptor of this process.
struct DescriptorState {
    explicit DescriptorState(platform::FileDescriptor owned, std::uint64_t its_name) noexcept
        : descriptor(std::move(owned)), name(its_name) {}
    ~DescriptorState();
    DescriptorState(const DescriptorState&) = delete;
    DescriptorState& operator=(const DescriptorState&) = delete;

    platform::FileDescriptor descriptor;
    /// Random, and kept on the way: what arrives twice is recognised, and takes one descriptor.
    const std::uint64_t name;
};

namespace {

struct KnownDescriptors {
    platform::ForkMutex mutex;
    std::map<std::uint64_t, std::weak_ptr<DescriptorState>> by_name;
};

// Never destroyed: handles may be static objects. Made before main: see platform/fork_mutex.hpp.
KnownDescriptors& known_descriptors() {
    static auto* const instance = new KnownDescriptors;
    return *instance;
}
[[maybe_unused]] auto& known_descriptors_made = known_descriptors();

std::uint64_t random_name() {
    const auto random = platform::random_bytes();
    std::uint64_t name = 0;
    std::memcpy(&name, random.data(), sizeof name);
    return name;
}

std::shared_ptr<DescriptorState> own_descriptor(platform::FileDescriptor owned) {
    auto& here = known_descriptors();
    // It outlives the guard: its end takes the mutex itself.
    auto state = std::make_shared<DescriptorState>(std::move(owned), random_name());
    const std::lock_guard guard(here.mutex);
    here.by_name[state->name] = state;
    return state;
}

}  // namespace

DescriptorState::~DescriptorState() {
    auto& here = known_descriptors();
    const std::lock_guard guard(here.mutex);
    const auto found = here.by_name.find(name);
    // It may have arrived again since this one lost its last handle.
    if (found != here.by_name.end() && found->second.expired()) here.by_name.erase(found);
}

}  // namespace detail::message

FileDescriptor::FileDescriptor(int descriptor) {
    if (descriptor < 0)
        throw UsageError("a FileDescriptor owns an open descriptor, and this one is negative (" +
                         std::to_string(descriptor) +
                         "): the call that was to open it failed, and errno says why");
    detail::platform::FileDescriptor owned(descriptor);
    state_ = detail::message::own_descriptor(std::move(owned));
}

FileDescriptor FileDescriptor::duplicate(int descriptor) {
    FileDescriptor made;
    made.state_ = detail::message::own_descriptor(detail::platform::duplicate(descriptor));
    return made;
}

int FileDescriptor::fileno() const {
    if (closed()) throw UsageError("this FileDescriptor is closed: it has no number");
    return state_->descriptor.get();
}

std::ostream& operator<<(std::ostream& out, const FileDescriptor& descriptor) {
    if (descriptor.closed()) return out << "<FileDescriptor closed>";
    return out << "<FileDescriptor " << descriptor.fileno() << '>';
}

void codec<FileDescriptor>::write(detail::message::Writer& out, const FileDescriptor& descriptor) {
    if (descriptor.closed()) throw UsageError("a closed FileDescriptor cannot travel: nothing is open");
    const auto& state = *descriptor.state_;
    out.write_raw(state.name);
    out.write_raw(static_cast<std::uint32_t>(out.attach(state.descriptor.get(), state.name)));
}

FileDescriptor codec<FileDescriptor>::read(detail::message::Reader& in) {
    const auto name = in.read_raw<std::uint64_t>();
    const auto number = in.read_raw<std::uint32_t>();
    auto& here = detail::message::known_descriptors();
    FileDescriptor arrived;  // outlives the guard, as its end takes the mutex itself
    const std::lock_guard guard(here.mutex);
    if (const auto known = here.by_name.find(name); known != here.by_name.end())
        arrived.state_ = known->second.lock();
    if (arrived.closed()) {
        detail::platform::FileDescriptor received(
            in.attachments() == nullptr ? -1 : in.attachments()->take(number));
        if (!received)
            throw Error(
                "a FileDescriptor came in a message that carries no descriptors: pass it as an argument, or "
                "send "
                "it through a queue or a pipe");
        arrived.state_ = std::make_shared<detail::message::DescriptorState>(std::move(received), name);
        here.by_name[name] = arrived.state_;
    }
    return arrived;
}

}  // namespace chorus::inline v0

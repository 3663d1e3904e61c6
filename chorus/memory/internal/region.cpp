#include <chorus/memory/internal/region.hpp>

#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <chorus/platform/fork_mutex.hpp>
#include <chorus/platform/os_process.hpp>

namespace chorus::memory {
namespace {

constexpr std::uint64_t region_mark = 0x63686f7275733031;  // "chorus01"
constexpr std::size_t arena_size = 64 * 1024;
constexpr std::size_t cache_line = 64;

struct Regions {
    platform::ForkMutex mutex;
    std::map<std::uint64_t, std::weak_ptr<Region>> by_name;
    std::map<const std::byte*, Region*> by_address;
    std::shared_ptr<Region> arena;  ///< where the next small object goes
    std::size_t arena_used = 0;
    std::uint64_t next_name = 0;  ///< 0: not chosen yet
    bool keeps = false;
    std::vector<std::shared_ptr<Region>> kept;
    std::vector<std::shared_ptr<Region>> kept_longer;
};

// Never destroyed: handles may be static objects.
Regions& regions() {
    static auto* const instance = new Regions;
    return *instance;
}
// Before main: a fork while another thread makes it would leave a copy that waits for ever.
[[maybe_unused]] auto& regions_made = regions();

// Random once for each process, then counted: no two living regions have the same.
std::uint64_t fresh_name(Regions& here) {
    if (here.next_name == 0) {
        const auto random = platform::random_bytes();
        std::memcpy(&here.next_name, random.data(), sizeof here.next_name);
        here.next_name |= 1;
    }
    return here.next_name++;
}

// Requires: the mutex is held.
std::shared_ptr<Region> enter(Regions& here, Segment segment) {
    auto region = std::make_shared<Region>(std::move(segment));
    here.by_name[region->name()] = region;
    here.by_address[region->data()] = region.get();
    return region;
}

std::shared_ptr<Region> create_locked(Regions& here, const char* label, std::size_t size,
                                      std::size_t reserved) {
    auto segment = Segment::create_sparse(label, sizeof(RegionHeader) + size, reserved);
    new (segment.bytes().data()) RegionHeader{region_mark, fresh_name(here), sizeof(RegionHeader) + size};
    return enter(here, std::move(segment));
}

std::shared_ptr<Region> find(Regions& here, std::uint64_t name) {
    const auto found = here.by_name.find(name);
    return found == here.by_name.end() ? nullptr : found->second.lock();
}

// What another process sent is not believed before it is looked at.
std::shared_ptr<Region> attach_locked(Regions& here, platform::FileDescriptor file, std::uint64_t name) {
    const std::size_t size = platform::file_size(file.get());
    if (size < sizeof(RegionHeader))
        throw DecodeError("shared memory of " + std::to_string(size) + " bytes holds no object of Chorus");
    RegionHeader header;
    {
        const platform::Mapping start(file.get(), sizeof header, platform::Mapping::Access::read);
        std::memcpy(&header, start.bytes().data(), sizeof header);
    }
    if (header.mark != region_mark || header.name != name || header.size < sizeof header ||
        header.size > size) {
        throw DecodeError(
            "shared memory does not hold what the message says: it was made by another version, or is "
            "damaged");
    }
    return enter(here,
                 Segment::attach(std::move(file), header.size));  // not what the file has grown by since
}

}  // namespace

std::shared_ptr<Region> Region::create(const char* label, std::size_t size) {
    return create_sparse(label, size, sizeof(RegionHeader) + size);
}

std::shared_ptr<Region> Region::create_sparse(const char* label, std::size_t size, std::size_t reserved) {
    auto& here = regions();
    const std::lock_guard guard(here.mutex);
    return create_locked(here, label, size, reserved);
}

Region::~Region() {
    auto& here = regions();
    const std::lock_guard guard(here.mutex);
    here.by_address.erase(data());
    const auto found = here.by_name.find(name());
    if (found != here.by_name.end() && found->second.expired()) here.by_name.erase(found);
}

Place allocate(std::size_t size) {
    const std::size_t rounded = (size + cache_line - 1) / cache_line * cache_line;
    if (rounded > arena_size / 8) return {Region::create("chorus-object", rounded), sizeof(RegionHeader)};
    auto& here = regions();
    std::shared_ptr<Region> full;  // outlives the guard: its end takes the mutex itself
    const std::lock_guard guard(here.mutex);
    if (!here.arena || here.arena_used + rounded > here.arena->size()) {
        auto fresh = create_locked(here, "chorus-objects", arena_size - sizeof(RegionHeader), arena_size);
        full = std::exchange(here.arena, std::move(fresh));
        here.arena_used = sizeof(RegionHeader);
    }
    const std::size_t offset = here.arena_used;
    here.arena_used += rounded;
    return {here.arena, offset};
}

void write_place(message::Writer& out, const Place& place) {
    out.write_raw(place.region->name());
    out.write_raw(static_cast<std::uint64_t>(place.offset));
    out.write_raw(static_cast<std::uint32_t>(out.attach(place.region->descriptor(), place.region->name())));
}

Place read_place(message::Reader& in, std::size_t size) {
    const auto name = in.read_raw<std::uint64_t>();
    const auto offset = in.read_raw<std::uint64_t>();
    const auto number = in.read_raw<std::uint32_t>();
    auto& here = regions();
    std::shared_ptr<Region> region;
    const std::lock_guard guard(here.mutex);
    region = find(here, name);
    if (!region) {
        platform::FileDescriptor file(in.attachments() == nullptr ? -1 : in.attachments()->take(number));
        if (!file) {
            throw Error(
                "a queue, pipe, lock or other shared object came in a message that cannot carry one to a "
                "process which has not got it: "
                "pass it as an argument, or send it through a queue or a pipe");
        }
        region = attach_locked(here, std::move(file), name);
    }
    if (offset < sizeof(RegionHeader) || offset % cache_line != 0 || offset > region->size() ||
        size > region->size() - offset) {
        throw DecodeError("message damaged: an object of " + std::to_string(size) +
                          " bytes is said to lie at " + std::to_string(offset) + " in shared memory of " +
                          std::to_string(region->size()));
    }
    if (here.keeps && (here.kept.empty() || here.kept.back() != region)) here.kept.push_back(region);
    return {region, offset};
}

void keep_places() {
    auto& here = regions();
    const std::lock_guard guard(here.mutex);
    here.keeps = true;
}

void forget_older_places() {
    auto& here = regions();
    std::vector<std::shared_ptr<Region>>
        forgotten;  // outlives the guard: a region's end takes the mutex itself
    const std::lock_guard guard(here.mutex);
    forgotten = std::exchange(here.kept_longer, std::exchange(here.kept, {}));
}

void forget_places() {
    auto& here = regions();
    std::vector<std::shared_ptr<Region>> kept;
    std::vector<std::shared_ptr<Region>> kept_longer;
    const std::lock_guard guard(here.mutex);
    kept.swap(here.kept);
    kept_longer.swap(here.kept_longer);
}

Place place_of(const std::shared_ptr<const void>& object) {
    const auto* const address = static_cast<const std::byte*>(object.get());
    auto& here = regions();
    const std::lock_guard guard(here.mutex);
    auto after = here.by_address.upper_bound(address);
    Region* const region = std::prev(after)->second;
    return {std::shared_ptr<Region>(object, region), static_cast<std::size_t>(address - region->data())};
}

constinit std::uint32_t copies_made = 0;

void leave_arena_to_its_maker() noexcept {
    ++copies_made;
    auto& here = regions();
    new (&here.arena) std::shared_ptr<Region>;  // let go of without asking: a copy's mutexes are held
    here.keeps = false;
    here.next_name = 0;
}

}  // namespace chorus::memory

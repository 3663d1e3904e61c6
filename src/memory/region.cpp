#include "memory/region.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "platform/fork_mutex.hpp"
#include "platform/page.hpp"
#include "platform/random_bytes.hpp"

namespace chorus::inline v0::detail::memory {

/// One of this process's descriptors, and what is known of it.
class RegionFile {
public:
    RegionFile(platform::FileDescriptor descriptor, std::uint64_t its_name,
               platform::Mapping mapping) noexcept
        : file(std::move(descriptor)), name(its_name), all(std::move(mapping)) {}
    ~RegionFile();
    RegionFile(const RegionFile&) = delete;
    RegionFile& operator=(const RegionFile&) = delete;

    const platform::FileDescriptor file;
    const std::uint64_t name;
    const platform::Mapping all;  ///< where this process has made it
};

namespace {

constexpr std::uint64_t region_mark = 0x63686f7275733032;  // "chorus02"
constexpr std::size_t page = platform::page_size;
constexpr std::size_t cache_line = 64;
constexpr std::size_t arena_size = std::size_t{4} << 20;
constexpr std::size_t arena_step = 64 * 1024;  // that get memory at once
constexpr std::size_t largest_in_arena = 8 * 1024;
// Before an object and behind it: a loop that goes a little too far ends in here.
constexpr std::size_t padding = 512;

std::size_t up_to_page(std::size_t bytes) { return (bytes + page - 1) / page * page; }

// Where small objects go, one after the other.
struct Arena {
    std::shared_ptr<RegionFile> file;
    std::size_t used = 0;
    std::size_t reserved = 0;
};

struct Regions {
    platform::ForkMutex mutex;
    std::map<std::uint64_t, std::weak_ptr<RegionFile>> files;
    std::map<std::pair<std::uint64_t, std::size_t>, std::weak_ptr<Region>> by_place;  ///< name and beginning
    std::map<const std::byte*, Region*> by_address;
    Arena arena;
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
// Before main: a fork while another thread makes it would leave a copy that waits indefinitely.
[[maybe_unused]] auto& regions_made = regions();

// ---- with the mutex held -------------------------------------------------------------------------

// Random once for each process, then counted: no two living files have the same.
std::uint64_t fresh_name(Regions& here) {
    if (here.next_name == 0) {
        const auto random = platform::random_bytes();
        std::memcpy(&here.next_name, random.data(), sizeof here.next_name);
        here.next_name |= 1;
    }
    return here.next_name++;
}

std::shared_ptr<RegionFile> create_file(Regions& here, const char* label, std::size_t size,
                                        std::size_t reserved, bool is_sized) {
    auto file = platform::make_anonymous_file(label);
    if (is_sized) platform::set_file_size(file.get(), size);
    platform::reserve(file.get(), reserved);
    platform::Mapping all(file.get(), size, platform::Mapping::Access::read_write);
    const std::uint64_t name = fresh_name(here);
    new (all.bytes().data()) RegionHeader{region_mark, name};
    auto made = std::make_shared<RegionFile>(std::move(file), name, std::move(all));
    here.files[name] = made;
    return made;
}

std::shared_ptr<Region> enter(Regions& here, std::shared_ptr<RegionFile> file, std::size_t begin,
                              std::span<std::byte> bytes, platform::Mapping mapping) {
    const std::uint64_t name = file->name;
    auto region = std::make_shared<Region>(std::move(file), begin, bytes, std::move(mapping));
    here.by_place[{name, begin}] = region;
    here.by_address[region->data()] = region.get();
    return region;
}

std::shared_ptr<Region> create_alone(Regions& here, const char* label, std::size_t size,
                                     std::size_t reserved) {
    auto file = create_file(here, label, size, reserved, true);
    const auto bytes = file->all.bytes();
    return enter(here, std::move(file), 0, bytes, {});
}

// What another process sent is not believed before it is looked at.
std::shared_ptr<RegionFile> attach_file(Regions& here, platform::FileDescriptor file, std::uint64_t name) {
    if (platform::file_size(file.get()) < sizeof(RegionHeader))
        throw DecodeError("shared memory of less than a header holds no object of Chorus");
    RegionHeader header;
    {
        const platform::Mapping start(file.get(), sizeof header, platform::Mapping::Access::read);
        std::memcpy(&header, start.bytes().data(), sizeof header);
    }
    if (header.mark != region_mark || header.name != name) {
        throw DecodeError(
            "shared memory does not hold what the message says: it was made by another version, or is "
            "damaged");
    }
    auto attached = std::make_shared<RegionFile>(std::move(file), name, platform::Mapping());
    here.files[name] = attached;
    return attached;
}

template <class Key, class Value>
std::shared_ptr<Value> find(const std::map<Key, std::weak_ptr<Value>>& known, const Key& key) {
    const auto found = known.find(key);
    return found == known.end() ? nullptr : found->second.lock();
}

std::shared_ptr<Region> attach(Regions& here, std::shared_ptr<RegionFile> file, std::size_t begin,
                               std::size_t size) {
    const std::size_t end = platform::file_size(file->file.get());
    if (begin > end || size > end - begin)
        throw DecodeError("message damaged: it tells of shared memory beyond its end");
    // What the process itself has made is mapped already.
    if (const auto all = file->all.bytes(); begin <= all.size() && size <= all.size() - begin && !all.empty())
        return enter(here, std::move(file), begin, all.subspan(begin, size), {});
    platform::Mapping mapping(file->file.get(), begin, size, platform::Mapping::Access::read_write);
    const auto bytes = mapping.bytes();
    return enter(here, std::move(file), begin, bytes, std::move(mapping));
}

}  // namespace

RegionFile::~RegionFile() {
    auto& here = regions();
    const std::lock_guard guard(here.mutex);
    const auto found = here.files.find(name);
    if (found != here.files.end() && found->second.expired()) here.files.erase(found);
}

Region::Region(std::shared_ptr<RegionFile> file, std::size_t begin, std::span<std::byte> bytes,
               platform::Mapping mapping) noexcept
    : file_(std::move(file)), begin_(begin), bytes_(bytes), mapping_(std::move(mapping)) {}

Region::~Region() {
    auto& here = regions();
    const std::lock_guard guard(here.mutex);
    const auto at = here.by_address.find(data());
    if (at != here.by_address.end() && at->second == this) here.by_address.erase(at);
    const auto found = here.by_place.find({name(), begin_});
    if (found != here.by_place.end() && found->second.expired()) here.by_place.erase(found);
}

std::uint64_t Region::name() const noexcept { return file_->name; }
int Region::descriptor() const noexcept { return file_->file.get(); }

std::shared_ptr<Region> Region::create(const char* label, std::size_t size) {
    return create_sparse(label, size, sizeof(RegionHeader) + size);
}

std::shared_ptr<Region> Region::create_sparse(const char* label, std::size_t size, std::size_t reserved) {
    auto& here = regions();
    const std::lock_guard guard(here.mutex);
    return create_alone(here, label, sizeof(RegionHeader) + size, reserved);
}

Place allocate_alone(const char* label, std::size_t size) {
    const std::size_t whole = up_to_page(padding + size + padding);
    auto& here = regions();
    const std::lock_guard guard(here.mutex);
    return {create_alone(here, label, whole, whole), padding};
}

Place allocate(std::size_t size) {
    if (size > largest_in_arena) return allocate_alone("chorus-object", size);
    auto& here = regions();
    std::shared_ptr<RegionFile> full;  // outlives the guard: its end takes the mutex itself
    const std::lock_guard guard(here.mutex);
    Arena& arena = here.arena;
    // Objects of which many are in use do not all lie on the same lines of their pages, and compete for them
    // in caches.
    const std::size_t offset = padding + cache_line * (arena.used / page % 32);
    const std::size_t whole = up_to_page(offset + size + padding);
    if (!arena.file || arena.used + whole > arena_size) {
        full = std::exchange(arena.file, nullptr);
        arena.file = create_file(here, "chorus-objects", arena_size, page, false);
        arena.used = arena.reserved = page;
    }
    if (arena.used + whole > arena.reserved) {
        const std::size_t more = std::min(std::max(whole, arena_step), arena_size - arena.reserved);
        platform::reserve(arena.file->file.get(), arena.reserved, more);
        arena.reserved += more;
    }
    const std::size_t begin = std::exchange(arena.used, arena.used + whole);
    return {enter(here, arena.file, begin, arena.file->all.bytes().subspan(begin, whole), {}), offset};
}

void write_place(message::Writer& out, const Place& place) {
    const Region& region = *place.region;
    out.write_raw(region.name());
    out.write_raw(static_cast<std::uint64_t>(region.begin()));
    out.write_raw(static_cast<std::uint64_t>(region.size()));
    out.write_raw(static_cast<std::uint64_t>(place.offset));
    out.write_raw(static_cast<std::uint32_t>(out.attach(region.descriptor(), region.name())));
}

Place read_place(message::Reader& in, std::size_t size) {
    const auto name = in.read_raw<std::uint64_t>();
    const auto begin = in.read_raw<std::uint64_t>();
    const auto whole = in.read_raw<std::uint64_t>();
    const auto offset = in.read_raw<std::uint64_t>();
    const auto number = in.read_raw<std::uint32_t>();
    if (begin % page != 0 || offset % cache_line != 0 || offset < (begin == 0 ? sizeof(RegionHeader) : 0) ||
        offset > whole || size > whole - offset) {
        throw DecodeError("message damaged: an object of " + std::to_string(size) +
                          " bytes is said to lie at " + std::to_string(offset) + " in shared memory of " +
                          std::to_string(whole));
    }
    auto& here = regions();
    std::shared_ptr<RegionFile> file;  // these outlive the guard: their ends take the mutex themselves
    std::shared_ptr<Region> region;
    const std::lock_guard guard(here.mutex);
    region = find(here.by_place, std::pair<std::uint64_t, std::size_t>(name, begin));
    if (region && region->size() != whole)
        throw DecodeError("message damaged: shared memory of " + std::to_string(region->size()) +
                          " bytes is said to have " + std::to_string(whole));
    if (!region) {
        file = find(here.files, name);
        if (!file) {
            platform::FileDescriptor received(in.attachments() == nullptr ? -1
                                                                          : in.attachments()->take(number));
            if (!received) {
                throw Error(
                    "a queue, pipe, lock or other shared object came in a message that cannot carry one to a "
                    "process which has not got it: "
                    "pass it as an argument, or send it through a queue or a pipe");
            }
            file = attach_file(here, std::move(received), name);
        }
        region = attach(here, file, begin, whole);
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
    new (&here.arena) Arena;  // let go of without asking: a copy's mutexes are held
    here.keeps = false;
    here.next_name = 0;
}

}  // namespace chorus::inline v0::detail::memory

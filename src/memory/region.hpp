// Memory that several processes hold by handles: where an object of Chorus lies, and how that place is told
// to another process.
//
// A file has a name of its own, so that a process which is handed it twice keeps it once. A region is a part
// of a file, of whole pages: a process maps the regions of what it was given, and nothing beside them. Small
// objects share a file, which takes one descriptor; each has a region of its own, in which some room lies
// before and behind it: a small overrun reaches no other object. A region goes with its last holder:
// each handle holds it, and the kernel releases those of a dead process. The place of a small one is not used
// again before its file goes, because no process can know which others still have a handle.
//
// Names, offsets and sizes are kept in the process, and not read from the memory again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>

#include <chorus/detail/message/bytes.hpp>
#include "memory/segment.hpp"

namespace chorus::inline v0::detail::memory {

/// Layout: at the start of each file. Writers: its maker, before any other process sees it.
struct alignas(64) RegionHeader {
    std::uint64_t mark = 0;
    std::uint64_t name = 0;
};

class RegionFile;

class Region {
public:
    /// A file of its own, with `size` bytes after the header, zeroed and reserved.
    static std::shared_ptr<Region> create(const char* label, std::size_t size);
    /// Only the first part is reserved, header included; the rest before it is used.
    static std::shared_ptr<Region> create_sparse(const char* label, std::size_t size, std::size_t reserved);

    std::byte* data() const noexcept { return bytes_.data(); }
    std::size_t size() const noexcept { return bytes_.size(); }
    /// In its file.
    std::size_t begin() const noexcept { return begin_; }
    std::uint64_t name() const noexcept;
    int descriptor() const noexcept;

    Region(std::shared_ptr<RegionFile> file, std::size_t begin, std::span<std::byte> bytes,
           platform::Mapping mapping) noexcept;
    ~Region();
    Region(const Region&) = delete;
    Region& operator=(const Region&) = delete;

private:
    friend class RegionFile;
    std::shared_ptr<RegionFile> file_;
    std::size_t begin_;
    std::span<std::byte> bytes_;
    platform::Mapping mapping_;  ///< none where the file's maker has mapped all of it
};

/// An object in a region, which it holds.
struct Place {
    std::shared_ptr<Region> region;
    std::size_t offset = 0;  ///< from the region's beginning

    std::byte* address() const noexcept { return region->data() + offset; }
    /// Bytes from there to the region's end.
    std::size_t room() const noexcept { return region->size() - offset; }
};

/// Zeroed memory for an object, on a cache line of its own. Throws: OsError.
Place allocate(std::size_t size);
/// The same in a file of its own, however small.
Place allocate_alone(const char* label, std::size_t size);

/// Tells another process of a place; its file's descriptor goes along.
void write_place(message::Writer& out, const Place& place);
/// Throws: DecodeError if that many bytes do not lie there, Error if the message could not bring the file.
Place read_place(message::Reader& in, std::size_t size);

/// For a process that is told of the same places again and again: from now on what read_place() finds stays
/// mapped until the second call of forget_older_places() after it, or forget_places(). Not in copies of the
/// process.
void keep_places();
void forget_older_places();
void forget_places();

/// The object at a place, holding it. Requires: it lies there.
template <class T>
std::shared_ptr<T> object_at(const Place& place) {
    return std::shared_ptr<T>(place.region, std::launder(reinterpret_cast<T*>(place.address())));
}
/// The place of an object which such a pointer holds.
Place place_of(const std::shared_ptr<const void>& object);

/// Changes in a copy of this process: what another thread was in the middle of writing there is not to be
/// believed.
extern constinit std::uint32_t copies_made;
inline std::uint32_t copy_number() noexcept { return copies_made; }

/// In a copy of this process: new objects go into files of its own.
void leave_arena_to_its_maker() noexcept;

}  // namespace chorus::inline v0::detail::memory

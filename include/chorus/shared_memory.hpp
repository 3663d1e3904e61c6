// SharedMemory: a named block of memory, to which any process of the same user can attach.
//
//     mp::SharedMemory block({.create = true, .size = 1 << 30});
//     block.buf()[0] = std::byte{1};
//     mp::SharedMemory same({.name = block.name()});   // in any process, also a Python program's
//     block.unlink();                                  // once, when no process will attach any more
//
// Semantics: Python's multiprocessing.shared_memory, and interchangeable with it: names and blocks are the
// same.
//
// A block exists until it is unlinked and the last process has closed it. Nothing is unlinked implicitly:
// neither by a destructor nor at the end of a process. (Python's resource tracker unlinks at the end of a
// program also blocks that it only attached to, unless it gets track=False.) Memory is reserved at creation:
// if there is not enough, the constructor throws, and no later write fails. (Python reserves nothing: writing
// to a block that it created may raise SIGBUS.)
//
// A handle is a light value. Its copies share one mapping, which is unmapped when the last of them is closed
// or destroyed. It travels as its name: the receiver attaches.
//
// Thread safety: one thread at a time for each handle; each thread may have a copy. The bytes are shared
// memory
//        like any: accesses to the same byte, one of them a write, need synchronisation.
// Crash safety: a process that dies harms no other; the block keeps what was written. A process that dies
// while
//        it creates a block leaves none. A block that is never unlinked stays until the machine restarts:
//        /dev/shm shows it, and removing the file there unlinks it.
#pragma once

#include <chorus/version.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <utility>

#include <chorus/detail/message/encoding.hpp>
#include <chorus/errors.hpp>

namespace chorus::inline v0::detail::memory {
struct NamedBlock;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::memory {

/// A number of bytes. Throws: UsageError if it is negative.
class BlockSize {
public:
    BlockSize() noexcept = default;
    /// Any integer. Throws: UsageError if it is negative.
    template <std::integral Count>
    BlockSize(Count bytes) : bytes_(static_cast<std::size_t>(bytes)) {
        if constexpr (std::signed_integral<Count>) {
            if (bytes < 0)
                throw UsageError("a size of shared memory is not negative: got " + std::to_string(bytes));
        }
    }
    /// The number.
    std::size_t bytes() const noexcept { return bytes_; }

private:
    std::size_t bytes_ = 0;
};

}  // namespace chorus::inline v0::detail::memory

namespace chorus::inline v0::multiprocessing {

/// Options of a block: to create one, or to attach to an existing one.
struct SharedMemoryOptions {
    std::string name{};   ///< up to 255 bytes without '/'; "" when creating: a new one like psm_3987bc0d
    bool create = false;  ///< left out: attach to the block of that name
    detail::memory::BlockSize size{};  ///< in bytes, when creating; ignored when attaching
};

/// A named block of memory, to which other programs can attach, also Python's.
class SharedMemory {
public:
    /// Creates a block, all zeros, or attaches to one. Only processes of the same user may attach.
    /// Throws: UsageError when creating without a size, attaching without a name, or for an invalid name;
    /// FileExists; FileNotFound; OsError if there is not enough memory (the message says how much was asked
    /// for and how much is free) or no permission; DecodeError if the file of that name is empty. Then
    /// nothing was created.
    explicit SharedMemory(SharedMemoryOptions options);

    /// The name, as given or chosen: without the '/' that POSIX puts in front.
    const std::string& name() const noexcept { return name_; }
    /// The size in bytes, exactly as it was created.
    std::size_t size() const noexcept { return size_; }

    /// The memory, valid as long as this handle or a copy of it is open. If another program truncates the
    /// block meanwhile, accesses raise SIGBUS. Throws: UsageError after close().
    std::span<std::byte> buf() const;

    /// Unmaps the memory, unless a copy of this handle has it; the block stays. May be repeated.
    void close() noexcept { mapping_.reset(); }
    /// Whether the memory can be accessed: false after close(), and after the handle was moved from.
    bool valid() const noexcept { return mapping_ != nullptr; }

    /// Removes the name: no process can attach any more, attached ones keep the memory. Works after close()
    /// too. Throws: FileNotFound if no block has the name, as at the second call; OsError without permission.
    void unlink() const;

    /// SharedMemory('psm_3987bc0d', size=100)
    friend std::ostream& operator<<(std::ostream& out, const SharedMemory& block);

private:
    friend class ShareableList;
    /// A block that is filled before a process can attach to it.
    SharedMemory(const std::string& name, std::size_t size,
                 const std::function<void(std::span<std::byte>)>& fill);
    void hold(detail::memory::NamedBlock block);

    std::string name_;
    std::size_t size_ = 0;
    std::shared_ptr<const std::span<std::byte>> mapping_;  ///< empty once closed
};
std::ostream& operator<<(std::ostream& out, const SharedMemory& block);

}  // namespace chorus::inline v0::multiprocessing

namespace chorus::inline v0 {

/// Sent as its name. Reading attaches, and throws what attaching throws: FileNotFound after the unlink.
template <>
struct codec<multiprocessing::SharedMemory> {
    static void write(detail::message::Writer& out, const multiprocessing::SharedMemory& block) {
        out.write_text(block.name());
    }
    static multiprocessing::SharedMemory read(detail::message::Reader& in) {
        return multiprocessing::SharedMemory({.name = in.read_text()});
    }
};

}  // namespace chorus::inline v0

#pragma GCC visibility pop

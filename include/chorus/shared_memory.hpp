// SharedMemory: a block of memory with a name, by which any process of the same user can attach to it.
//
//     mp::SharedMemory block({.create = true, .size = 1 << 30});
//     block.buf()[0] = std::byte{1};
//     mp::SharedMemory same({.name = block.name()});   // in any process, also a Python program's
//     block.unlink();                                  // once, when nobody will attach any more
//
// As Python's multiprocessing.shared_memory, and interchangeable with it: names and blocks are the same.
//
// A block lives until it is unlinked and the last process has let go of it. Nothing is unlinked on its own,
// neither by a destructor nor at the end of a process, whether that created the block or attached to it.
// (Python's resource tracker unlinks at the end of its program what that merely attached to, unless it is
// told track=False.) The memory is there from the start: when there is not enough, creating is the error, and
// not a later write. (Python reserves nothing: a block that it created may still be SIGBUS where it was never
// written.)
//
// A handle is a value. Its copies share one mapping, which is undone when the last of them is closed or
// gone. It travels as its name: who gets it attaches.
//
// Threads: one at a time for each handle; each thread may have a copy. The bytes are as any memory that is
//          shared: two who touch the same byte, one of them writing, need a lock, an atomic or a join
//          between.
// Death: of a process that uses a block harms no other; the block stays, as far as it was written. Who dies
//        while creating one leaves none. Who creates and never unlinks leaves it until the machine restarts:
//        /dev/shm shows it, and removing the file there is an unlink.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <utility>

#include <chorus/errors.hpp>
#include <chorus/serialize.hpp>

namespace chorus::memory {
struct NamedBlock;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::memory {

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

}  // namespace chorus::memory

namespace chorus::multiprocessing {

/// To create a block, or to attach to one that has a name.
struct SharedMemoryOptions {
    std::string name{};   ///< up to 255 bytes without '/'; "" when creating: a free one like psm_3987bc0d
    bool create = false;  ///< left out: attach to what has that name
    memory::BlockSize size{};  ///< in bytes, when creating; who attaches gets what there is
};

/// A named block of memory, which other programs can attach to, also Python's. A handle: copies share one
/// mapping.
class SharedMemory {
public:
    /// Creates a block, all zeros, or attaches to one. Only processes of the same user may attach.
    /// Throws: UsageError when creating without a size, attaching without a name, or for a name that
    /// cannot be; FileExists, FileNotFound; OsError when there is no room (the message says how much
    /// was asked for and how much is free) or no right; DecodeError if what has that name is empty.
    /// Then there is no new name, nor anything else.
    explicit SharedMemory(SharedMemoryOptions options);

    /// As given, or as chosen: without the '/' that POSIX puts in front.
    const std::string& name() const noexcept { return name_; }
    /// In bytes, exactly as it was created.
    std::size_t size() const noexcept { return size_; }

    /// The memory. It stays valid for as long as this handle, or a copy of it, is open. If another program
    /// cuts the block off meanwhile, touching what is gone is SIGBUS. Throws: UsageError after close().
    std::span<std::byte> buf() const;

    /// Lets go of the memory; copies keep it, and so does the name. Again is fine.
    void close() noexcept { mapping_.reset(); }

    /// Removes the name: nobody can attach any more, who has attached keeps the memory. Works after close()
    /// too. Throws: FileNotFound if nothing has the name, as at the second call; OsError when it may not.
    void unlink();

    /// SharedMemory('psm_3987bc0d', size=100)
    friend std::ostream& operator<<(std::ostream& out, const SharedMemory& block);

private:
    friend class ShareableList;
    /// A block that is filled before anybody can attach to it.
    SharedMemory(const std::string& name, std::size_t size,
                 const std::function<void(std::span<std::byte>)>& fill);
    void hold(memory::NamedBlock block);

    std::string name_;
    std::size_t size_ = 0;
    std::shared_ptr<const std::span<std::byte>> mapping_;  ///< empty once closed
};
std::ostream& operator<<(std::ostream& out, const SharedMemory& block);

}  // namespace chorus::multiprocessing

namespace chorus {

/// Sent as its name. Reading attaches, and throws what attaching throws: FileNotFound after the unlink.
template <>
struct codec<multiprocessing::SharedMemory> {
    static void write(message::Writer& out, const multiprocessing::SharedMemory& block) {
        out.write_text(block.name());
    }
    static multiprocessing::SharedMemory read(message::Reader& in) {
        return multiprocessing::SharedMemory({.name = in.read_text()});
    }
};

}  // namespace chorus

#pragma GCC visibility pop

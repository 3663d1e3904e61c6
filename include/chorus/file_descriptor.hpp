// FileDescriptor: an open file, socket or device that travels to other processes.
//
//     void serve(chorus::FileDescriptor listener) { accept_from(listener.fileno()); }
//
//     chorus::FileDescriptor listener(::socket(AF_INET, SOCK_STREAM, 0));  // owned from here on
//     for (int i = 0; i < 4; ++i) mp::Process(serve, listener).start();     // each worker accepts from it
//
// Semantics: as Python's multiprocessing.reduction.DupFd, and sockets as arguments. What arrives is another
// descriptor for the same open file, as dup() makes one: position and flags such as O_NONBLOCK are shared.
// It travels as an argument, through queues and pipes, and to and from the workers of a pool. It is no result
// of run() and async(), which comes in memory.
//
// Thread safety: different handles may be used by different threads at once; one handle by one thread at a
// time. Crash safety: a process that ends closes its own descriptor and no other. A descriptor in flight is
// closed
//        with the queue or pipe that it is in.
#pragma once

#include <chorus/version.hpp>

#include <cstdint>
#include <memory>
#include <ostream>

#include <chorus/detail/message/encoding.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

namespace detail::message {
struct DescriptorState;
}

/// Owns a descriptor of the operating system. A light value: its copies own the same descriptor together, and
/// the last one closes it.
class FileDescriptor {
public:
    /// Owns none, to be assigned to: so it may be a member or an element of what travels.
    FileDescriptor() noexcept = default;
    /// Takes ownership of this descriptor. Throws: UsageError if it is negative, which is how the system
    /// reports failure.
    explicit FileDescriptor(int descriptor);
    /// Owns a new descriptor for the same open file; the given one stays with its owner. Throws: OsError if
    /// it is not open, or if the process can have no more descriptors (RLIMIT_NOFILE).
    static FileDescriptor duplicate(int descriptor);

    /// Its number in this process. The caller must not close it. Throws: UsageError if it owns none.
    int fileno() const;
    /// Gives up its share of the ownership. May be repeated.
    void close() noexcept { state_.reset(); }
    /// Whether it owns none: after close(), after it was moved from, or made without arguments.
    bool closed() const noexcept { return state_ == nullptr; }
    /// Whether it owns one.
    bool valid() const noexcept { return state_ != nullptr; }

    /// Whether both own the same descriptor of this process, or none.
    friend bool operator==(const FileDescriptor& a, const FileDescriptor& b) noexcept {
        return a.state_ == b.state_;
    }
    /// `<FileDescriptor 7>`, `<FileDescriptor closed>`.
    friend std::ostream& operator<<(std::ostream& out, const FileDescriptor& descriptor);

private:
    friend struct codec<FileDescriptor>;
    std::shared_ptr<detail::message::DescriptorState> state_;
};
std::ostream& operator<<(std::ostream& out, const FileDescriptor& descriptor);

template <>
struct codec<FileDescriptor> {
    /// Throws: UsageError for a closed one.
    static void write(detail::message::Writer& out, const FileDescriptor& descriptor);
    /// Throws: Error if it came in a message that carries no descriptors; DecodeError.
    static FileDescriptor read(detail::message::Reader& in);
};

}  // namespace chorus::inline v0

#pragma GCC visibility pop

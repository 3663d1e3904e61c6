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
// Threads: different handles may be used by different threads at once; one handle by one at a time.
// Death: a process that ends closes its own descriptor and no other. A descriptor in flight is closed with
//        the queue or pipe that it is in.
#pragma once

#include <cstdint>
#include <memory>
#include <ostream>

#include <chorus/serialize.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

namespace message {
struct DescriptorState;
}

/// Owns a descriptor of the operating system. A handle: copies are the same descriptor, which is closed with
/// the last of them.
class FileDescriptor {
public:
    /// A closed one, to be assigned to: so it may be a member or an element of what travels.
    FileDescriptor() noexcept = default;
    /// Owns this descriptor from now on. Throws: UsageError if it is negative, which is how the system says
    /// that there is none.
    explicit FileDescriptor(int descriptor);
    /// Owns another descriptor for the same open file; the given one stays with its owner. Throws: OsError if
    /// it is not open, or the limit on descriptors was reached.
    static FileDescriptor duplicate(int descriptor);

    /// The descriptor's number in this process. It stays this object's: it must not be closed. Throws:
    /// UsageError after close().
    int fileno() const;
    /// Lets go of it; the last handle in this process closes it. Again is fine.
    void close() noexcept { state_.reset(); }
    /// Whether close() was called, or it never owned one.
    bool closed() const noexcept { return state_ == nullptr; }

    /// Whether both are the same descriptor of this process, or both are closed.
    friend bool operator==(const FileDescriptor& a, const FileDescriptor& b) noexcept {
        return a.state_ == b.state_;
    }
    /// `<FileDescriptor 7>`, `<FileDescriptor closed>`.
    friend std::ostream& operator<<(std::ostream& out, const FileDescriptor& descriptor);

private:
    friend struct codec<FileDescriptor>;
    std::shared_ptr<message::DescriptorState> state_;
};
std::ostream& operator<<(std::ostream& out, const FileDescriptor& descriptor);

template <>
struct codec<FileDescriptor> {
    /// Throws: UsageError for a closed one.
    static void write(message::Writer& out, const FileDescriptor& descriptor);
    /// Throws: Error if it came in a message that carries no descriptors; DecodeError.
    static FileDescriptor read(message::Reader& in);
};

}  // namespace chorus

#pragma GCC visibility pop

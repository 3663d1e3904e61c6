// wait: for any of many pipes, queues, processes and descriptors.
//
//     auto ready = mp::wait({right, p.sentinel(), q}, 1s);
//     if (ready[0] == right) …
//
// Semantics: Python's multiprocessing.connection.wait; queues may be waited for too.
//
// Threads: may be called by several; what is ready for one may have been taken by another.
// Death: a process that ends makes its sentinel ready, and the ends of pipes that only it had.
#pragma once

#include <vector>

#include <chorus/pipe.hpp>
#include <chorus/queue.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::multiprocessing {

/// Something to wait for. Two are equal when they mean the same.
class Waitable {
public:
    /// Ready when something can be received, or the other end is gone. Throws: UsageError if it is closed or
    /// only sends.
    Waitable(const Connection& connection) : core_(channel::receiving(connection)), descriptor_(-1) {}
    /// Ready when something can be got, or the queue was shut down.
    template <class T>
    Waitable(const Queue<T>& queue) : core_(queue.core()), descriptor_(-1) {}
    /// A sentinel, or any other descriptor that poll knows.
    Waitable(int descriptor) noexcept : descriptor_(descriptor) {}

    /// Whether both mean the same thing to wait for.
    friend bool operator==(const Waitable& a, const Waitable& b) noexcept {
        return a.core_ == b.core_ && a.descriptor_ == b.descriptor_;
    }

    const channel::QueuePointer& core() const noexcept { return core_; }
    int descriptor() const noexcept { return descriptor_; }

private:
    channel::QueuePointer core_;
    int descriptor_;
};

/// Those that are ready, in the order in which they were given: something can be received or got without
/// waiting, the other end is gone, the queue is shut down, the process has ended, the descriptor is readable.
/// Empty when the deadline passed.
/// Throws: UsageError for an end that is closed or only sends, or a descriptor that is not open.
std::vector<Waitable> wait(const std::vector<Waitable>& objects, Deadline deadline = {});

}  // namespace chorus::multiprocessing

#pragma GCC visibility pop

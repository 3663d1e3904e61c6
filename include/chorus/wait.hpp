// wait: block until one of several pipes, queues, processes and descriptors is ready.
//
//     auto ready = mp::wait({right, p.sentinel(), q}, 1s);
//     if (ready[0] == right) …
//
// Semantics: Python's multiprocessing.connection.wait; queues may be waited for too.
//
// Thread safety: several threads may call it; what is ready for one may have been taken by another.
// Crash safety: a process that ends makes its sentinel ready, and the ends of pipes that only it had.
#pragma once

#include <chorus/version.hpp>

#include <vector>

#include <chorus/pipe.hpp>
#include <chorus/queue.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::multiprocessing {

/// An object to wait for. Two are equal if they stand for the same object.
class Waitable {
public:
    /// Ready if a message can be received, or the other end is gone. Throws: UsageError if the end is closed
    /// or only sends.
    Waitable(const Connection& connection);
    /// Ready if an item can be got, or the queue is shut down.
    template <class T>
    Waitable(const Queue<T>& queue) : queue_(detail::Access::state(queue)) {}
    /// Ready if the descriptor, such as a sentinel, is readable or hung up.
    Waitable(int descriptor) noexcept : descriptor_(descriptor) {}

    /// The descriptor that it was made of; -1 for a pipe's end or a queue.
    int descriptor() const noexcept { return descriptor_; }
    /// Whether both stand for the same object.
    friend bool operator==(const Waitable& a, const Waitable& b) noexcept = default;

private:
    friend std::vector<Waitable> wait(const std::vector<Waitable>& objects, Deadline deadline);

    detail::channel::QueuePointer queue_;
    int descriptor_ = -1;
};

/// Waits until at least one object is ready. Returns all that are, in the order in which they were given:
/// empty if the deadline passes first.
/// Throws: UsageError for an end that is closed or only sends, or a descriptor that is not open.
std::vector<Waitable> wait(const std::vector<Waitable>& objects, Deadline deadline = {});

}  // namespace chorus::inline v0::multiprocessing

#pragma GCC visibility pop

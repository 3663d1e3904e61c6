// Pipe: two connected ends, for one value at a time in either direction.
//
//     auto [left, right] = mp::Pipe();                   // Pipe({.duplex = false}): reader, writer
//     left.send(std::vector<double>(1000));
//     auto v = right.recv<std::vector<double>>();        // of another type: TypeMismatch, and it stays there
//
// Semantics: Python's multiprocessing.Pipe and Connection. Values lie in shared memory; the descriptor is for
// poll and epoll, and lets each end notice that the other is gone. A handle is a light value: its copies are
// the same end, which is gone when every process that has it has closed it, dropped its handles, or ended.
//
// Thread safety: any thread of any process that has the end may make any call; several may send, and receive,
//        at once. close() only while no other call of this process is in progress.
// Crash safety: a process killed at any instant loses and tears nothing that was sent. When the last holder
//        of the other end is dead, recv() returns what that end had sent, then throws EndOfFile. If a process
//        that shares the pipe overwrites it, each call throws Damaged.
#pragma once

#include <chorus/version.hpp>

#include <cstddef>
#include <cstring>
#include <memory>
#include <ostream>
#include <span>
#include <utility>
#include <vector>

#include <chorus/detail/channel/values.hpp>
#include <chorus/detail/handle.hpp>
#include <chorus/errors.hpp>

namespace chorus::inline v0::detail::channel {
struct ConnectionState;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::channel {

using ConnectionPointer = std::shared_ptr<ConnectionState>;

[[noreturn]] void refuse_type(const std::type_info& wanted);
std::pair<ConnectionPointer, ConnectionPointer> make_pipe(bool duplex, std::size_t max_bytes);

}  // namespace chorus::inline v0::detail::channel

namespace chorus::inline v0::multiprocessing {

/// Options of a pipe.
struct PipeOptions {
    bool duplex = true;                   ///< both ends send and receive
    std::size_t max_bytes = 1024 * 1024;  ///< that each direction holds before send() waits
};

/// One end of a pipe. A handle, which travels as an argument, also through other pipes.
class Connection {
public:
    /// A closed end, to be assigned to: so it may be a member or an element of what travels.
    Connection();

    /// Sends a copy; waits while the pipe is full.
    /// Throws: BrokenPipe if no process can receive any more; Full if the deadline passes first; UsageError
    /// if the end is closed or only receives; OsError; what serialising the value throws. Then nothing was
    /// sent.
    template <class T>
    void send(const T& value, Deadline deadline = {}) const {
        if constexpr (std::is_array_v<T>) {
            send(std::string(value), deadline);
        } else {
            const auto& queue = out();
            if (!detail::channel::put_value(queue, value, deadline,
                                            detail::channel::TypeTag{detail::channel::number_of<T>()}))
                detail::channel::throw_full(*queue);
        }
    }

    /// Receives the next value; waits for it.
    /// Throws: EndOfFile if the other end is gone and all was received; Empty if the deadline passes first;
    /// TypeMismatch if the next value is of another type, UsageError if the end is closed or only sends: then
    /// the value stays in the pipe.
    template <class T>
    T recv(Deadline deadline = {}) const {
        const auto& queue = in();
        detail::channel::Getting getting(*queue, deadline);
        if (!getting.begun()) detail::channel::throw_empty(*queue);
        std::uint64_t type = 0;
        if (getting.bytes().size() >= sizeof type) std::memcpy(&type, getting.bytes().data(), sizeof type);
        if (type != detail::channel::number_of<T>()) detail::channel::refuse_type(typeid(T));
        return detail::channel::take_value<T>(queue, getting, detail::channel::TypeTag::size);
    }

    /// Sends one message of plain bytes. Throws: as send().
    void send_bytes(std::span<const std::byte> bytes, Deadline deadline = {}) const;
    /// Sends a part of them. Throws: as send(); UsageError if there is no such part.
    void send_bytes(std::span<const std::byte> bytes, std::size_t offset, std::size_t size) const;
    /// Receives one message of plain bytes. Throws: as recv(); BufferTooShort if it is longer than
    /// `maxlength`: then it stays in the pipe.
    std::vector<std::byte> recv_bytes(std::size_t maxlength = static_cast<std::size_t>(-1),
                                      Deadline deadline = {}) const;
    /// The same into the caller's memory, from `offset` on. Returns the length of the message.
    std::size_t recv_bytes_into(std::span<std::byte> buffer, std::size_t offset = 0,
                                Deadline deadline = {}) const;

    /// Whether a message can be received, or the other end is gone. Does not wait without a deadline.
    bool poll(Deadline deadline = now) const;
    /// Readable, for poll and epoll, when a message may be there or the other end is gone. poll() tells, and
    /// resets it.
    int fileno() const;
    /// Closes this process's end, for all copies of the handle. May be repeated.
    void close() const;
    /// Whether close() was called here.
    bool closed() const;
    /// Whether it can receive.
    bool readable() const;
    /// Whether it can send.
    bool writable() const;
    /// Whether the handle refers to an end: false after it was moved from. Calls throw UsageError then.
    bool valid() const noexcept { return static_cast<bool>(state_); }

    /// Whether both are the same end.
    friend bool operator==(const Connection& a, const Connection& b) noexcept { return a.state_ == b.state_; }
    /// `<Connection duplex>`, receiving, sending or closed.
    friend std::ostream& operator<<(std::ostream& out, const Connection& connection);

private:
    friend detail::Access;
    friend detail::HandleCodec<Connection>;
    explicit Connection(detail::channel::ConnectionPointer state) noexcept : state_(std::move(state)) {}

    const detail::channel::QueuePointer& in() const;
    const detail::channel::QueuePointer& out() const;
    void write(detail::message::Writer& out) const;
    static Connection read(detail::message::Reader& in);

    detail::Handle<detail::channel::ConnectionState> state_;
};
std::ostream& operator<<(std::ostream& out, const Connection& connection);

/// Two connected ends; with `.duplex = false` the first only receives, and the second only sends.
/// Throws: OsError if no memory or descriptor can be had; UsageError for fewer than 4096 `.max_bytes`.
inline std::pair<Connection, Connection> Pipe(PipeOptions options = {}) {
    auto [first, second] = detail::channel::make_pipe(options.duplex, options.max_bytes);
    return {detail::Access::make<Connection>(std::move(first)),
            detail::Access::make<Connection>(std::move(second))};
}

}  // namespace chorus::inline v0::multiprocessing

namespace chorus::inline v0 {

template <>
struct codec<multiprocessing::Connection> : detail::HandleCodec<multiprocessing::Connection> {};

}  // namespace chorus::inline v0

#pragma GCC visibility pop

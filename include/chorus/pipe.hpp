// Pipe: two connected ends, for one value at a time in either direction.
//
//     auto [left, right] = mp::Pipe();                   // Pipe({.duplex = false}): reader, writer
//     left.send(std::vector<double>(1000));
//     auto v = right.recv<std::vector<double>>();        // of another type: TypeMismatch, and it stays there
//
// Semantics: Python's multiprocessing.Pipe and Connection. Values lie in shared memory; the descriptor is for
// poll and epoll, and by it one end hears that the other is gone. Handles are light values whose copies are
// the same end: it is gone when every process that has it has closed it, dropped its handles, or ended.
//
// Threads: every call may come from any thread of any process that has the end; several may send, and
//          receive, at once. close() only when no other call of this process is under way.
// Death: a process killed at any instant loses and tears nothing that was sent. When the last holder of the
//        other end is dead, receiving gives what it had sent and then EndOfFile. A pipe that was written over
//        says Damaged.
#pragma once

#include <cstddef>
#include <memory>
#include <ostream>
#include <span>
#include <utility>
#include <vector>

#include <chorus/detail/channel/values.hpp>
#include <chorus/errors.hpp>

namespace chorus::channel {
struct ConnectionState;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

namespace channel {

/// Shared by all handles to one end.
using ConnectionPointer = std::shared_ptr<ConnectionState>;

/// What does not depend on types.
class BasicConnection {
public:
    /// Whether there is something to receive, or the other end is gone. Does not wait unless told to.
    bool poll(Deadline deadline = now) const;
    /// Readable, for poll and epoll, when there may be something to receive or the other end is gone. poll()
    /// tells, and makes it wait again.
    int fileno() const;
    /// Closes this process's handle; more than once is no error.
    void close();
    bool closed() const noexcept;
    bool readable() const noexcept;
    bool writable() const noexcept;

    /// One message of plain bytes. Throws: as send() does.
    void send_bytes(std::span<const std::byte> bytes, Deadline deadline = {}) const;
    /// A part of it. Throws: UsageError if there is no such part.
    void send_bytes(std::span<const std::byte> bytes, std::size_t offset, std::size_t size) const;
    /// One message of plain bytes. Throws: as recv() does; BufferTooShort if it is longer than that: then it
    /// stays there.
    std::vector<std::byte> recv_bytes(std::size_t maxlength = static_cast<std::size_t>(-1),
                                      Deadline deadline = {}) const;
    /// The same into memory of one's own, from there on. Returns how long it was.
    std::size_t recv_bytes_into(std::span<std::byte> buffer, std::size_t offset = 0,
                                Deadline deadline = {}) const;

    friend std::ostream& operator<<(std::ostream& out, const BasicConnection& connection);
    const ConnectionPointer& state() const noexcept { return state_; }

protected:
    explicit BasicConnection(ConnectionPointer state) noexcept : state_(std::move(state)) {}
    ~BasicConnection() = default;
    BasicConnection(const BasicConnection&) = default;
    BasicConnection& operator=(const BasicConnection&) = default;

    const QueuePointer& in() const;
    const QueuePointer& out() const;

private:
    ConnectionPointer state_;
};
std::ostream& operator<<(std::ostream& out, const BasicConnection& connection);

[[noreturn]] void refuse_type(const std::type_info& wanted);
/// Throws: UsageError if it is closed or only sends.
const QueuePointer& receiving(const BasicConnection& connection);
void write_connection(message::Writer& out, const BasicConnection& connection);
ConnectionPointer read_connection(message::Reader& in);
ConnectionPointer closed_connection();
std::pair<ConnectionPointer, ConnectionPointer> make_pipe(bool duplex, std::size_t max_bytes);

}  // namespace channel

namespace multiprocessing {

/// One end of a pipe, for values: typed send() and recv() over what BasicConnection has. A handle, which
/// travels as an argument, also through other pipes.
class Connection : public channel::BasicConnection {
public:
    /// A closed one, to be assigned to: so it may be a member or an element of what travels.
    Connection() : Connection(channel::closed_connection()) {}
    /// For Chorus itself.
    explicit Connection(channel::ConnectionPointer state) noexcept : BasicConnection(std::move(state)) {}

    /// Waits while the pipe is full of what was not received yet.
    /// Throws: BrokenPipe when nobody is left to receive; Full when the deadline passed; UsageError on a
    /// closed or receiving end; OsError; what writing the value throws. Then nothing was sent.
    template <class T>
    void send(const T& value, Deadline deadline = {}) const {
        if constexpr (std::is_array_v<T>) {
            send(std::string(value), deadline);
        } else {
            channel::put_value(out(), value, deadline, channel::TypeTag{channel::number_of<T>()});
        }
    }

    /// Throws: EndOfFile when the other end is gone and all was received; Empty when the deadline passed;
    /// TypeMismatch if the next value is of another type, and UsageError on a closed or sending end: then it
    /// stays there.
    template <class T>
    T recv(Deadline deadline = {}) const {
        channel::Getting getting(*in(), deadline);
        std::uint64_t type = 0;
        if (getting.bytes().size() >= sizeof type) std::memcpy(&type, getting.bytes().data(), sizeof type);
        if (type != channel::number_of<T>()) channel::refuse_type(typeid(T));
        return channel::take_value<T>(in(), getting, channel::TypeTag::size);
    }
};

/// What may be said about a pipe.
struct PipeOptions {
    bool duplex = true;  ///< both ends send and receive
    /// How much may lie in each direction before send() waits.
    std::size_t max_bytes = 1024 * 1024;
};

/// Two connected ends; with `.duplex = false` the first only receives, and the second only sends.
/// Throws: OsError when there is no memory or no descriptor left.
inline std::pair<Connection, Connection> Pipe(PipeOptions options = {}) {
    auto [first, second] = channel::make_pipe(options.duplex, options.max_bytes);
    return {Connection(std::move(first)), Connection(std::move(second))};
}

}  // namespace multiprocessing

template <>
struct codec<multiprocessing::Connection> {
    static void write(message::Writer& out, const multiprocessing::Connection& connection) {
        channel::write_connection(out, connection);
    }
    static multiprocessing::Connection read(message::Reader& in) {
        return multiprocessing::Connection(channel::read_connection(in));
    }
};

}  // namespace chorus

#pragma GCC visibility pop

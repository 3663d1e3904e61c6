// Own one descriptor; read, write and wait on descriptors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <chorus/deadline.hpp>

namespace chorus::inline v0::detail::platform {

/// Owns one descriptor. Every descriptor Chorus makes is close-on-exec and lies above 2, so that a
/// program which closed its standard streams never finds a descriptor of Chorus in their place.
class FileDescriptor {
public:
    FileDescriptor() noexcept = default;
    explicit FileDescriptor(int number) noexcept : number_(number) {}
    FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        if (this != &other) {
            reset();
            number_ = std::exchange(other.number_, -1);
        }
        return *this;
    }
    ~FileDescriptor() { reset(); }

    int get() const noexcept { return number_; }
    explicit operator bool() const noexcept { return number_ >= 0; }
    int release() noexcept { return std::exchange(number_, -1); }
    void reset() noexcept;

private:
    int number_ = -1;
};

/// Moves a fresh descriptor above the standard streams if it fell among them.
FileDescriptor above_standard_streams(int number);

/// Another descriptor for the same open file.
FileDescriptor duplicate(int number);

/// Owns a descriptor that was inherited through exec, and marks it close-on-exec again.
FileDescriptor adopt_inherited(int number) noexcept;

struct DescriptorPair {
    FileDescriptor first;
    FileDescriptor second;
};
/// first reads what second writes.
DescriptorPair make_pipe();
/// Connected sockets which keep message boundaries and can carry descriptors.
DescriptorPair make_message_sockets();

/// Waits until the descriptor is readable or its other side has hung up.
/// Returns false if the deadline passes first.
bool wait_readable(int descriptor, Deadline deadline = {});
/// The same for this time at most; `left` becomes the rest of it. Time in which the process was stopped
/// (SIGSTOP) is not counted, however often: the kernel continues with the time that was left at the
/// stop.
bool wait_readable_for(int descriptor, std::chrono::nanoseconds& left);

/// Reads what is available, without waiting if the descriptor is non-blocking. Returns: bytes; 0 at the
/// end; -1 if nothing is available now.
std::ptrdiff_t read_some(int descriptor, void* into, std::size_t most) noexcept;
/// Bytes that wait in a pipe.
std::size_t bytes_to_read(int pipe) noexcept;
/// Writes all of it, waiting where the descriptor is non-blocking.
/// Returns 0, or the errno of the write that failed. Never raises SIGPIPE itself.
int write_all(int descriptor, const void* data, std::size_t size) noexcept;

/// The same, but throws OsError. Text for a descriptor that is not open is discarded.
void write_line(int descriptor, const std::string& text);

/// A socket connected to itself: a message waits in it, with its descriptors, until a process receives
/// it, also after its sender has ended.
FileDescriptor make_mailbox();

enum class Posted { yes, no_room, no_receiver };
/// Sends one message with descriptors attached, without waiting.
Posted post(int socket, std::span<const std::byte> bytes, std::span<const int> descriptors = {});

/// Sends one message with descriptors attached. Returns false if the other side has closed.
bool send_message(int socket, std::span<const std::byte> bytes, std::span<const int> descriptors = {});

struct ReceivedMessage {
    std::size_t size = 0;  ///< 0 if the other side has closed
    std::vector<FileDescriptor> descriptors;
};
/// Receives one message into the buffer.
ReceivedMessage receive_message(int socket, std::span<std::byte> buffer);
/// Discards the next message, with its descriptors. Returns false if there is none.
bool discard_message(int socket) noexcept;
/// Copies the next message without waiting; of size 0 if there is none. Leaves it in the socket; the
/// descriptors are new ones for the same files.
ReceivedMessage peek_at_message(int socket, std::span<std::byte> buffer);

struct Waited {
    int descriptor = -1;
    bool readable = false;
    bool hung_up = false;  ///< no sender is left
    bool invalid = false;  ///< not open
};
/// Waits until one of them is readable, hung up or invalid. Returns false if the deadline passes.
bool wait_for_any(std::span<Waited> waited, Deadline deadline);

/// A set of descriptors (epoll): finding the readable ones has a cost that does not grow with the set.
class ReadySet {
public:
    ReadySet();
    void add(int descriptor, std::uint64_t tag);
    void remove(int descriptor) noexcept;
    /// Tags of some readable members (at most 256), in no order; empty if the deadline passes.
    std::vector<std::uint64_t> wait(Deadline deadline);
    /// Readable while one of them is.
    int descriptor() const noexcept { return epoll_.get(); }

private:
    FileDescriptor epoll_;
};

/// A descriptor that one thread rings to wake another.
class Doorbell {
public:
    Doorbell();
    int descriptor() const noexcept { return event_.get(); }
    void ring() noexcept;
    void silence() noexcept;

private:
    FileDescriptor event_;
};

}  // namespace chorus::inline v0::detail::platform

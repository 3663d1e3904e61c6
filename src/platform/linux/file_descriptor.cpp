#include "platform/file_descriptor.hpp"

#include <array>
#include <climits>
#include <cstdint>
#include <cstring>

#include "platform/linux/file_size_limit.hpp"
#include "platform/linux/timespec.hpp"
#include "platform/syscall.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

namespace chorus::inline v0::detail::platform {
namespace {

constexpr std::size_t most_descriptors = 253;  // the kernel's SCM_MAX_FD

}  // namespace

[[gnu::hot]] void FileDescriptor::reset() noexcept {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
}

FileDescriptor duplicate(int number) {
    return FileDescriptor(
        check(::fcntl(number, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), "duplicate a descriptor"));
}

FileDescriptor above_standard_streams(int number) {
    if (number > STDERR_FILENO) return FileDescriptor(number);
    const FileDescriptor low(number);
    return duplicate(number);
}

FileDescriptor adopt_inherited(int number) noexcept {
    if (number < 0 || ::fcntl(number, F_SETFD, FD_CLOEXEC) < 0) return {};
    return FileDescriptor(number);
}

DescriptorPair make_pipe() {
    int ends[2];
    check(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), "make a pipe");
    return {above_standard_streams(ends[0]), above_standard_streams(ends[1])};
}

DescriptorPair make_message_sockets() {
    int ends[2];
    check(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "make a socket pair");
    return {above_standard_streams(ends[0]), above_standard_streams(ends[1])};
}

FileDescriptor make_mailbox() {
    FileDescriptor box =
        above_standard_streams(check(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "make a mailbox"));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    // The kernel chooses the name, and no other socket can send to it: it is connected, and receives
    // only from its peer.
    check(::bind(box.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(sa_family_t)),
          "name a mailbox");
    socklen_t size = sizeof address;
    check(::getsockname(box.get(), reinterpret_cast<sockaddr*>(&address), &size),
          "ask for the name of a mailbox");
    check(::connect(box.get(), reinterpret_cast<const sockaddr*>(&address), size), "connect a mailbox");
    return box;
}

bool wait_for_any(std::span<Waited> waited, Deadline deadline) {
    std::vector<pollfd> polled;
    for (const Waited& each : waited) polled.push_back({each.descriptor, POLLIN | POLLRDHUP, 0});
    for (;;) {
        timespec left{};
        if (!deadline.is_never()) left = as_timespec(deadline.remaining());
        const int ready =
            ::ppoll(polled.data(), polled.size(), deadline.is_never() ? nullptr : &left, nullptr);
        if (ready < 0 && errno != EINTR) throw os_error("wait on descriptors", errno);
        if (ready < 0) continue;
        for (std::size_t i = 0; i < polled.size(); ++i) {
            waited[i].readable = (polled[i].revents & (POLLIN | POLLERR)) != 0;
            waited[i].hung_up = (polled[i].revents & (POLLHUP | POLLRDHUP)) != 0;
            waited[i].invalid = (polled[i].revents & POLLNVAL) != 0;
        }
        return ready > 0;
    }
}

bool wait_readable(int descriptor, Deadline deadline) {
    for (;;) {
        pollfd waited{descriptor, POLLIN, 0};
        timespec left{};
        if (!deadline.is_never()) left = as_timespec(deadline.remaining());
        const int ready = ::ppoll(&waited, 1, deadline.is_never() ? nullptr : &left, nullptr);
        if (ready > 0) return true;
        if (ready == 0) return false;
        if (errno != EINTR) throw os_error("wait on a descriptor", errno);
    }
}

bool wait_readable_for(int descriptor, std::chrono::nanoseconds& left) {
    timespec time = as_timespec(left);
    for (;;) {
        pollfd waited{descriptor, POLLIN, 0};
        // The system call itself, because the C library's function does not return the rest of the
        // time. The kernel writes it also if a signal's handler has interrupted the call.
        const auto ready = ::syscall(SYS_ppoll, &waited, 1, &time, nullptr, 0);
        left = std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
        if (ready > 0) return true;
        if (ready == 0) return false;
        if (errno != EINTR) throw os_error("wait on a descriptor", errno);
    }
}

std::ptrdiff_t read_some(int descriptor, void* into, std::size_t most) noexcept {
    const auto size = retry([&] { return ::read(descriptor, into, most); });
    if (size >= 0) return size;
    return errno == EAGAIN ? -1 : 0;
}

std::size_t bytes_to_read(int pipe) noexcept {
    int bytes = 0;
    return ::ioctl(pipe, FIONREAD, &bytes) == 0 && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
}

int write_all(int descriptor, const void* data, std::size_t size) noexcept {
    const char* next = static_cast<const char*>(data);
    while (size > 0) {
        // The descriptor may be a file, and RLIMIT_FSIZE may be set.
        const ssize_t written = without_size_signal([&] { return ::write(descriptor, next, size); });
        if (written >= 0) {
            next += written;
            size -= static_cast<std::size_t>(written);
        } else if (errno == EAGAIN) {
            pollfd waited{descriptor, POLLOUT, 0};
            ::poll(&waited, 1, -1);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

void write_line(int descriptor, const std::string& text) {
    const int code = write_all(descriptor, text.data(), text.size());
    if (code != 0 && code != EBADF) throw os_error("write to standard output", code);
}

namespace {

// Returns 0 or the errno.
int send_one(int socket, std::span<const std::byte> bytes, std::span<const int> descriptors, int flags) {
    iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * most_descriptors)> control;
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        if (descriptors.size() > most_descriptors) {
            throw UsageError("a message needs " + std::to_string(descriptors.size()) +
                             " descriptors, and the system sends at most " +
                             std::to_string(most_descriptors) +
                             " with one: send the queues, pipes and locks in several");
        }
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
    }
    const auto sent = retry([&] { return ::sendmsg(socket, &message, MSG_NOSIGNAL | flags); });
    return sent >= 0 ? 0 : errno;
}

bool means_gone(int code) {
    return code == EPIPE || code == ECONNRESET || code == ENOTCONN || code == ECONNREFUSED;
}

ReceivedMessage receive_one(int socket, std::span<std::byte> buffer, int flags) {
    iovec part{buffer.data(), buffer.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * most_descriptors)> control;
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const auto size = retry([&] { return ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags); });
    if (size < 0 && errno != ECONNRESET && errno != EAGAIN) throw os_error("receive a message", errno);
    ReceivedMessage received;
    if (size <= 0) return received;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int number = -1;
            std::memcpy(&number, CMSG_DATA(header) + i * sizeof(int), sizeof number);
            received.descriptors.emplace_back(number);
        }
    }
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        throw os_error("receive a message with its descriptors",
                       (message.msg_flags & MSG_CTRUNC) != 0 ? EMFILE : EMSGSIZE);
    }
    received.size = static_cast<std::size_t>(size);
    return received;
}

}  // namespace

bool send_message(int socket, std::span<const std::byte> bytes, std::span<const int> descriptors) {
    const int code = send_one(socket, bytes, descriptors, 0);
    if (code != 0 && !means_gone(code)) throw os_error("send a message", code);
    return code == 0;
}

Posted post(int socket, std::span<const std::byte> bytes, std::span<const int> descriptors) {
    const int code = send_one(socket, bytes, descriptors, MSG_DONTWAIT);
    if (code == 0) return Posted::yes;
    if (code == EAGAIN || code == ENOBUFS) return Posted::no_room;
    if (means_gone(code)) return Posted::no_receiver;
    throw os_error("send a message with " + std::to_string(descriptors.size()) + " descriptors", code);
}

ReceivedMessage receive_message(int socket, std::span<std::byte> buffer) {
    return receive_one(socket, buffer, 0);
}
bool discard_message(int socket) noexcept {
    std::byte first{};
    return ::recv(socket, &first, 1, MSG_DONTWAIT) >
           0;  // the kernel closes descriptors that were not requested
}
ReceivedMessage peek_at_message(int socket, std::span<std::byte> buffer) {
    return receive_one(socket, buffer, MSG_DONTWAIT | MSG_PEEK);
}

ReadySet::ReadySet()
    : epoll_(above_standard_streams(check(::epoll_create1(EPOLL_CLOEXEC), "make an epoll set"))) {}

void ReadySet::add(int descriptor, std::uint64_t tag) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = tag;
    check(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event), "watch a descriptor");
}

void ReadySet::remove(int descriptor) noexcept {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr);
}

std::vector<std::uint64_t> ReadySet::wait(Deadline deadline) {
    std::array<epoll_event, 256> events;
    for (;;) {
        int milliseconds = -1;
        if (!deadline.is_never()) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.remaining()).count();
            milliseconds = left > INT_MAX ? INT_MAX : static_cast<int>(left);
        }
        const int ready =
            ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), milliseconds);
        if (ready < 0 && errno == EINTR) continue;
        check(ready, "wait on an epoll set");
        if (ready == 0 && !deadline.is_never() && !deadline.has_passed()) continue;
        std::vector<std::uint64_t> tags;
        for (int i = 0; i < ready; ++i) {
            const std::uint64_t tag =
                events[static_cast<std::size_t>(i)]
                    .data.u64;  // a copy: a packed member cannot be bound to a reference
            tags.push_back(tag);
        }
        return tags;
    }
}

Doorbell::Doorbell()
    : event_(above_standard_streams(
          check(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "make an event descriptor"))) {}

void Doorbell::ring() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
}

void Doorbell::silence() noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto taken = ::read(event_.get(), &count, sizeof count);
}

}  // namespace chorus::inline v0::detail::platform

#include <chorus/pipe.hpp>

#include <algorithm>
#include <string>

#include <chorus/detail/message/callable.hpp>
#include "channel/connection_state.hpp"
#include "channel/queue_trace.hpp"

namespace chorus::inline v0::detail::channel {
namespace {

struct PlainBytes {};  // the type of what send_bytes sends

// Not a limit for a single message: that goes through when it is alone.
constexpr std::size_t smallest_pipe = 4096;

std::size_t require_bytes(Getting& getting, std::size_t most) {
    std::uint64_t type = 0;
    if (getting.bytes().size() >= sizeof type) std::memcpy(&type, getting.bytes().data(), sizeof type);
    if (type != number_of<PlainBytes>())
        throw TypeMismatch("the next message is a value and no plain bytes: receive it by recv<its type>()");
    const std::size_t size = getting.bytes().size() - TypeTag::size;
    if (size > most) {
        throw BufferTooShort("the next message has " + std::to_string(size) +
                                 " bytes, and there is room for " + std::to_string(most) +
                                 ": it stays in the pipe",
                             size);
    }
    return size;
}

}  // namespace

void refuse_type(const std::type_info& wanted) {
    throw TypeMismatch("the next message is of another type than " + message::readable_type(wanted) +
                       ": it stays in the pipe, receive it as what was sent");
}

std::pair<ConnectionPointer, ConnectionPointer> make_pipe(bool duplex, std::size_t max_bytes) {
    if (max_bytes < smallest_pipe) {
        throw UsageError("a pipe holds at least " + std::to_string(smallest_pipe) + " bytes, asked for " +
                         std::to_string(max_bytes));
    }
    auto first = std::make_shared<ConnectionState>();
    auto second = std::make_shared<ConnectionState>();
    auto to_first = QueueCore::create_pipe(max_bytes);
    first->in = to_first.gets;
    second->out = to_first.puts;
    if (duplex) {
        auto to_second = QueueCore::create_pipe(max_bytes);
        second->in = to_second.gets;
        first->out = to_second.puts;
    }
    return {first, second};
}

}  // namespace chorus::inline v0::detail::channel

namespace chorus::inline v0::multiprocessing {

using detail::channel::ConnectionState;
using detail::channel::Getting;
using detail::channel::QueueCore;
using detail::channel::QueuePointer;
using detail::channel::TakenBlock;
using detail::channel::TypeTag;

Connection::Connection() : state_(std::make_shared<ConnectionState>()) { state_->closed = true; }

const QueuePointer& Connection::in() const {
    if (state_->closed) throw UsageError("this end of the pipe is closed");
    if (!state_->in) throw UsageError("this end of the pipe only sends");
    return state_->in;
}
const QueuePointer& Connection::out() const {
    if (state_->closed) throw UsageError("this end of the pipe is closed");
    if (!state_->out) throw UsageError("this end of the pipe only receives");
    return state_->out;
}

bool Connection::poll(Deadline deadline) const {
    const auto& core = *in();
    return core.readiness().wait_for_something(name_of(core.queue(), detail::channel::Call::poll), deadline);
}

int Connection::fileno() const {
    if (state_->closed) throw UsageError("this end of the pipe is closed");
    if (!state_->in) return state_->out->readiness().sending_descriptor();
    return detail::channel::descriptor_of(*state_->in);
}

void Connection::close() const {
    state_->closed = true;
    state_->in = nullptr;
    state_->out = nullptr;
}
bool Connection::closed() const { return state_->closed; }
bool Connection::readable() const { return state_->in != nullptr; }
bool Connection::writable() const { return state_->out != nullptr; }

void Connection::send_bytes(std::span<const std::byte> bytes, Deadline deadline) const {
    const TypeTag tag{detail::channel::number_of<detail::channel::PlainBytes>()};
    const auto& queue = this->out();
    const bool sent = detail::channel::put_message(
        queue, TypeTag::size + bytes.size(), deadline, {}, [&](std::byte* place) {
            tag.write(place);
            if (!bytes.empty()) std::memcpy(place + TypeTag::size, bytes.data(), bytes.size());
        });
    if (!sent) detail::channel::throw_full(*queue);
}

void Connection::send_bytes(std::span<const std::byte> bytes, std::size_t offset, std::size_t size) const {
    if (offset > bytes.size() || size > bytes.size() - offset) {
        throw UsageError("cannot send " + std::to_string(size) + " bytes from " + std::to_string(offset) +
                         " of a buffer of " + std::to_string(bytes.size()));
    }
    send_bytes(bytes.subspan(offset, size));
}

std::vector<std::byte> Connection::recv_bytes(std::size_t maxlength, Deadline deadline) const {
    const auto& core = in();
    Getting getting(*core, deadline);
    if (!getting.begun()) detail::channel::throw_empty(*core);
    detail::channel::require_bytes(getting, maxlength);
    const bool is_long = getting.is_long();
    if (is_long) {
        getting.commit();
        const TakenBlock block(core, getting.block());
        return {getting.bytes().begin() + TypeTag::size, getting.bytes().end()};
    }
    std::vector<std::byte> bytes(getting.bytes().begin() + TypeTag::size, getting.bytes().end());
    getting.commit();
    return bytes;
}

std::size_t Connection::recv_bytes_into(std::span<std::byte> buffer, std::size_t offset,
                                        Deadline deadline) const {
    if (offset > buffer.size())
        throw UsageError("cannot receive at " + std::to_string(offset) + " of a buffer of " +
                         std::to_string(buffer.size()) + " bytes");
    const auto& core = in();
    Getting getting(*core, deadline);
    if (!getting.begun()) detail::channel::throw_empty(*core);
    const std::size_t size = detail::channel::require_bytes(getting, buffer.size() - offset);
    if (size != 0) std::memcpy(buffer.data() + offset, getting.bytes().data() + TypeTag::size, size);
    const bool is_long = getting.is_long();
    getting.commit();
    if (is_long) const TakenBlock block(core, getting.block());
    return size;
}

std::ostream& operator<<(std::ostream& out, const Connection& connection) {
    const auto& state = *connection.state_;
    if (state.closed) return out << "<Connection closed>";
    return out << "<Connection "
               << (state.in && state.out ? "duplex"
                   : state.in            ? "receiving"
                                         : "sending")
               << '>';
}

void Connection::write(detail::message::Writer& out) const {
    const auto& state = *state_;
    if (state.closed) throw UsageError("a closed end of a pipe cannot be sent");
    out.write_raw(state.in != nullptr);
    if (state.in) QueueCore::write(out, *state.in);
    out.write_raw(state.out != nullptr);
    if (state.out) QueueCore::write(out, *state.out);
}

Connection Connection::read(detail::message::Reader& in) {
    auto state = std::make_shared<ConnectionState>();
    if (detail::message::decode<bool>(in)) state->in = QueueCore::read(in, 0, "pipe");
    if (detail::message::decode<bool>(in)) state->out = QueueCore::read(in, 0, "pipe");
    return Connection(std::move(state));
}

}  // namespace chorus::inline v0::multiprocessing

// A typed value into a queue's bytes and out of them: what Queue and Connection have in common.
#pragma once

#include <chorus/detail/contract.hpp>

#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include <chorus/detail/channel/queue_access.hpp>
#include <chorus/detail/message/callable.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::channel {

/// Says of which type a message is, in front of it. Nothing for queues, whose items are all of one.
struct NoTag {
    static constexpr std::size_t size = 0;
    void write(std::byte*) const noexcept {}
};
struct TypeTag {
    static constexpr std::size_t size = sizeof(std::uint64_t);
    std::uint64_t type = 0;
    void write(std::byte* place) const noexcept { std::memcpy(place, &type, sizeof type); }
};

template <class T>
std::uint64_t number_of() noexcept {
    static const std::uint64_t number = message::type_number(typeid(T));
    return number;
}

/// Kept by each thread, so that not every message allocates.
inline std::vector<std::byte>& scratch() {
    static thread_local std::vector<std::byte> buffer;
    return buffer;
}

/// Returns false if the deadline passed first; then nothing was put.
template <class Fill>
bool put_message(const QueuePointer& core, std::size_t bytes, Deadline deadline,
                 std::span<const message::Attachment> attachments, Fill fill) {
    if (is_long(bytes)) {
        LongMessage message(core, bytes, deadline);
        fill(message.bytes().data());
        return message.put(bytes, deadline, attachments).has_value();
    }
    Putting putting(*core, bytes, deadline, attachments);
    if (!putting.begun()) return false;
    fill(putting.first());
    putting.commit();
    return true;
}

/// Returns false if the deadline passed first; then nothing was put.
template <class T, class Tag>
bool put_value(const QueuePointer& core, const T& value, Deadline deadline, Tag tag) {
    if constexpr (message::WrittenInOnePiece<T>) {
        return put_message(core, Tag::size + message::written_size(value), deadline, {},
                           [&](std::byte* place) {
                               tag.write(place);
                               message::write_to(place + Tag::size, value);
                           });
    } else {
        message::Writer out(std::move(scratch()));
        message::encode(out, value);
        const auto bytes = out.buffered();
        const bool is_put =
            put_message(core, Tag::size + bytes.size(), deadline, out.attachments(), [&](std::byte* place) {
                tag.write(place);
                if (!bytes.empty()) std::memcpy(place + Tag::size, bytes.data(), bytes.size());
            });
        scratch() = out.take();
        return is_put;
    }
}

/// The same without waiting. A long item may need memory that a full queue has not got.
template <class T, class Tag>
bool try_put_value(const QueuePointer& core, const T& value, Tag tag) {
    if (is_full(*core)) return false;
    try {
        return put_value(core, value, now, tag);
    } catch (const Full&) {
        return false;
    }
}

template <class T>
T take_long(const QueuePointer& core, Getting& getting, std::size_t skipped,
            message::Attachments* attachments) {
    getting.commit();
    const TakenBlock block(core, getting.block());
    message::Reader in(getting.bytes().subspan(skipped), attachments);
    return message::decode<T>(in);
}

/// The message that `getting` holds, after so many bytes. It is read under the lock only where that is a
/// plain copy.
template <class T>
T take_value(const QueuePointer& core, Getting& getting, std::size_t skipped) {
    if constexpr (message::WrittenInOnePiece<T>) {
        if (getting.is_long()) return take_long<T>(core, getting, skipped, nullptr);
        message::Reader in(getting.bytes().subspan(skipped));
        T value = message::read_directly<T>(in);
        getting.commit();
        return value;
    } else {
        auto attachments = getting.attachments();
        if (getting.is_long()) return take_long<T>(core, getting, skipped, &attachments);
        std::vector<std::byte> bytes = std::move(scratch());
        bytes.assign(getting.bytes().begin() + static_cast<std::ptrdiff_t>(skipped), getting.bytes().end());
        getting.commit();
        message::Reader in(bytes, &attachments);
        T value = message::decode<T>(in);
        scratch() = std::move(bytes);
        return value;
    }
}

}  // namespace chorus::inline v0::detail::channel

#pragma GCC visibility pop

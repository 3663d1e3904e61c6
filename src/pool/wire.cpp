#include "pool/wire.hpp"

#include <algorithm>

#include "worker/running_time.hpp"

namespace chorus::inline v0::detail::pool {
namespace {

bool has_limits_of_its_own(const TaskOptions& options) noexcept {
    return options.memory != 0 || !options.cpu_time.is_never();
}

}  // namespace

std::uint32_t post(const channel::QueuePointer& queue, std::span<const std::byte> first,
                   std::span<const std::byte> second, std::span<const message::Attachment> attachments) {
    constexpr Deadline never;
    const std::size_t size = first.size() + second.size();
    const auto fill = [&](std::byte* place) {
        std::memcpy(place, first.data(), first.size());
        if (!second.empty()) std::memcpy(place + first.size(), second.data(), second.size());
    };
    if (channel::is_long(size)) {
        channel::LongMessage message(queue, size, never);
        fill(message.bytes().data());
        const auto position = message.put(size, never, attachments);
        if (!position) channel::throw_full(*queue);
        return *position;
    }
    channel::Putting putting(*queue, size, never, attachments);
    if (!putting.begun()) channel::throw_full(*queue);
    fill(putting.first());
    const auto position = putting.position();
    putting.commit();
    return position;
}

void forward(const channel::QueuePointer& queue, std::span<const std::byte> bytes,
             const message::Attachments& attachments) {
    std::vector<message::Attachment> attached;
    for (const int descriptor : attachments.all())
        attached.push_back({descriptor, static_cast<std::uint64_t>(descriptor)});
    post(queue, bytes, {}, attached);
}

TaskHeader header_of(const Task& task) noexcept {
    std::uint64_t flags = TaskHeader::none;
    if (!task.options.timeout.is_never()) flags |= TaskHeader::tell_when_begun;
    if (has_limits_of_its_own(task.options)) flags |= TaskHeader::has_limits;
    if (task.arrow != 0) flags |= TaskHeader::is_traced | task.number << TaskHeader::bits_of_flags;
    return {task.id, flags};
}

void write_task(message::Writer& out, const Task& task) {
    if (has_limits_of_its_own(task.options)) {
        TaskLimits limits;
        limits.memory = task.options.memory;
        if (!task.options.cpu_time.is_never())
            limits.cpu_time = std::max<std::int64_t>(1, worker::length_of(task.options.cpu_time).count());
        out.write_raw(limits);
    }
    if (task.arrow != 0) {
        out.write_raw(task.arrow);
        out.write_text(task.function_name());
    }
    task.encode(out);
}

}  // namespace chorus::inline v0::detail::pool

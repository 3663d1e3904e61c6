#include "channel/queue_trace.hpp"

#include "trace/trace.hpp"

namespace chorus::inline v0::detail::channel {

const char* name_of(const OpenQueue& queue, Call call) noexcept {
    if (queue.trace.is_internal) return call == Call::get ? queue.trace.waits_to_get : nullptr;
    switch (call) {
        case Call::put: return queue.is_pipe ? "Connection.send" : "Queue.put";
        case Call::get: return queue.is_pipe ? "Connection.recv" : "Queue.get";
        case Call::join: return "Queue.join";
        case Call::poll: return "Connection.poll";
    }
    return nullptr;
}

void trace_messages(const Rings& rings, Call call, const RingView& view, Index from, Index to) {
    if (rings.queue.trace.is_internal) return;
    std::uint64_t bytes = 0;
    for (Index at = from; at.position != to.position;) {
        const auto record = rings.record_at(view, at, to.position);
        const std::byte* const place = view.place_of(at.position);
        at.position += units_of(record);
        if (record.kind() == Record::padding) continue;
        ++at.items;
        bytes += record.kind() == Record::block
                     ? reinterpret_cast<const BlockRecord*>(place + record_size)->bytes
                     : record.bytes;
    }
    const std::uint64_t name = rings.queue.region->name() & ((std::uint64_t{1} << 52) - 1);
    trace::instant(trace::Kind::message, call == Call::put ? "put" : "got",
                   {{"queue", static_cast<std::int64_t>(name)},
                    {"first", static_cast<std::int64_t>(from.items) + 1},
                    {"items", static_cast<std::int64_t>(to.items - from.items)},
                    {"bytes", static_cast<std::int64_t>(bytes)}});
}

}  // namespace chorus::inline v0::detail::channel

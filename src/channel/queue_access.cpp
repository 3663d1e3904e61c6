#include <chorus/detail/channel/queue_access.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

#include <chorus/detail/message/callable.hpp>
#include "channel/queue_core.hpp"

namespace chorus::inline v0::detail::channel {

Putting::Putting(QueueCore& core, std::size_t bytes, Deadline deadline,
                 std::span<const message::Attachment> attachments)
    : core_(core), first_(attachments.empty() ? core.begin_put_quickly(bytes) : nullptr) {
    holds_ = first_ != nullptr;
    if (holds_) [[likely]]
        return;
    if (!core.begin_put(bytes, deadline, attachments)) return;
    HeldSide held(core.queue().state.puts);  // this scope's destructor does not run if add() throws
    first_ = core.add(bytes);
    held.hand_over();
    holds_ = true;
}
void Putting::end() noexcept { core_.end_put(); }
std::byte* Putting::add(std::size_t bytes) { return core_.add(bytes); }
std::uint32_t Putting::position() const noexcept { return core_.writer().last_position; }
void Putting::commit() {
    core_.finish_put();
    holds_ = false;
}

LongMessage::LongMessage(QueuePointer core, std::uint32_t block) noexcept
    : core_(std::move(core)), block_(block), copy_(memory::copy_number()) {}
// Delegates first: so the destructor frees the block if it cannot be mapped.
LongMessage::LongMessage(QueuePointer core, std::size_t bytes, Deadline deadline)
    : LongMessage(core, core->take_block(bytes, deadline)) {
    bytes_ = core_->rings().blocks.bytes(block_, bytes).first(bytes);
}
LongMessage::LongMessage(LongMessage&& other) noexcept
    : core_(std::move(other.core_)),
      block_(other.block_),
      copy_(other.copy_),
      bytes_(std::exchange(other.bytes_, {})) {}
LongMessage& LongMessage::operator=(LongMessage&& other) noexcept {
    std::swap(core_, other.core_);
    std::swap(block_, other.block_);
    std::swap(copy_, other.copy_);
    std::swap(bytes_, other.bytes_);
    return *this;
}
LongMessage::~LongMessage() {
    if (core_ && copy_ == memory::copy_number()) core_->rings().blocks.free(block_);
}

std::optional<std::uint32_t> LongMessage::put(std::size_t bytes, Deadline deadline,
                                              std::span<const message::Attachment> attachments) {
    if (copy_ != memory::copy_number())
        throw UsageError(
            "this memory was lent before a fork: only the process that it was lent to may put it");
    const auto position = core_->put_block(block_, bytes, deadline, attachments);
    if (position) {
        core_ = nullptr;
        bytes_ = {};
    }
    return position;
}

// The header in front is less than this.
const std::size_t GrowingMessage::threshold = longest_in_ring - 64;

void GrowingMessage::write(std::span<const std::byte> bytes) {
    if (!bytes.empty()) std::memcpy(room(bytes.size()), bytes.data(), bytes.size());
}

std::byte* GrowingMessage::room(std::size_t bytes) {
    const std::size_t needed = used_ + bytes;
    if (!message_ || needed > message_->bytes().size()) {
        if (at_queue_ != nullptr) *at_queue_ = 1;
        grow(needed);
        if (at_queue_ != nullptr) *at_queue_ = 0;
    }
    return message_->bytes().data() + std::exchange(used_, needed);
}

void GrowingMessage::grow(std::size_t needed) {
    LongMessage larger(queue_, message_ ? std::max(needed, 2 * message_->bytes().size()) : needed, {});
    if (message_) std::memcpy(larger.bytes().data(), message_->bytes().data(), used_);
    message_ = std::move(larger);
}

std::uint32_t GrowingMessage::put(std::span<const std::byte> front,
                                  std::span<const message::Attachment> attachments) {
    std::memcpy(message_->bytes().data(), front.data(), front.size());
    return message_->put(used_, {}, attachments).value();  // it waits without a limit
}

void GrowingMessage::clear() noexcept {
    message_.reset();
    used_ = in_front_;
    if (at_queue_ != nullptr) *at_queue_ = 0;
}

Getting::Getting(QueueCore& core, Deadline deadline) : core_(core), block_(Blocks::none) {
    if (Message message; core.begin_get_quickly(message)) [[likely]] {
        bytes_ = message.bytes;
        holds_ = true;
        return;
    }
    if (!core.begin_get(deadline)) return;
    HeldSide held(core.queue().state.gets);
    next();
    held.hand_over();
    holds_ = true;
}
bool Getting::next() {
    Message message;
    if (!core_.next(message)) return false;
    bytes_ = message.bytes;
    block_ = message.block;
    batch_ = message.batch;
    retracted_ = message.retracted;
    return true;
}

std::uint32_t Getting::number() const noexcept { return core_.reader().index.items; }

message::Attachments Getting::attachments() { return core_.descriptors().receive(batch_); }

bool Getting::is_long() const noexcept { return block_ != Blocks::none; }
void Getting::commit() {
    core_.finish_get(batch_);
    holds_ = false;
}
void Getting::end() noexcept { core_.end_get(); }

TakenBlock::TakenBlock(QueuePointer core, std::uint32_t block) noexcept
    : core_(std::move(core)), block_(block), copy_(memory::copy_number()) {}
TakenBlock& TakenBlock::operator=(TakenBlock&& other) noexcept {
    std::swap(core_, other.core_);
    std::swap(block_, other.block_);
    std::swap(copy_, other.copy_);
    return *this;
}
TakenBlock::~TakenBlock() {
    if (core_ && copy_ == memory::copy_number()) core_->rings().blocks.free(block_);
}

QueuePointer make_queue(const std::type_info& item, QueueLimits limits, QueueTrace trace) {
    return QueueCore::create(message::type_number(item), message::readable_type(item), limits, trace);
}
void write_queue(message::Writer& out, const QueuePointer& core) { QueueCore::write(out, *core); }
QueuePointer read_queue(message::Reader& in, const std::type_info& item, QueueTrace trace) {
    return QueueCore::read(in, message::type_number(item), message::readable_type(item), trace);
}

std::size_t size_of(const QueueCore& core) noexcept { return core.queue().size(); }
bool is_full(const QueueCore& core) noexcept { return core.queue().is_full(); }
bool is_long(std::size_t bytes) noexcept { return bytes > longest_in_ring; }
std::uint32_t taken_from(const QueueCore& core) noexcept {
    return core.queue().state.gets.index.load().items;
}
bool retract(QueueCore& core, std::uint32_t position) { return core.rings().retract(position); }
bool is_shut_down(const QueueCore& core) noexcept { return core.queue().is_shut_down(); }
bool has_some(const QueueCore& core) noexcept { return core.queue().has_some(); }

bool is_ready_or_will_ring(QueueCore& core) { return core.readiness().is_ready_or_will_ring({}); }
void stop_ringing(QueueCore& core) { core.readiness().stop_ringing(); }

int descriptor_of(QueueCore& core) {
    core.readiness().is_ready_or_will_ring({});
    return core.descriptor();
}

}  // namespace chorus::inline v0::detail::channel

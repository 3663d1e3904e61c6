// Writer and Reader over plain bytes, and the descriptors that go with them.
//
// A message is the bytes of its values one after the other, in the machine's own byte order: it never
// leaves the machine. Every length is checked against what is there before it is believed.
//
// Thread safety: one thread at a time for each object.
#pragma once

#include <chorus/detail/contract.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <chorus/errors.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::message {

class Attachments;

/// This memory will be written from end to end: when it is large, page by page takes longer than the writing
/// itself.
void prepare_to_fill(void* memory, std::size_t bytes) noexcept;

/// Where a Writer empties its buffer when it is full: a file, a shared segment.
class Sink {
public:
    virtual void write(std::span<const std::byte> bytes) = 0;
    /// So many bytes behind what was written, for the caller to fill; null if it has no memory to lend.
    virtual std::byte* room(std::size_t) { return nullptr; }

protected:
    ~Sink() = default;
};

/// A descriptor that goes with a message.
struct Attachment {
    int descriptor = -1;
    std::uint64_t name = 0;
};

/// Collects bytes. With a Sink, no more than `threshold` bytes are held; the rest has gone there.
class Writer {
public:
    Writer() = default;
    Writer(Sink& sink, std::size_t threshold) : sink_(&sink), threshold_(threshold) {}
    Writer(Sink& sink, std::size_t threshold, std::vector<std::byte> buffer) noexcept
        : buffer_(std::move(buffer)), sink_(&sink), threshold_(threshold) {
        buffer_.clear();
    }
    /// Uses this memory, which take() gives back.
    explicit Writer(std::vector<std::byte> buffer) noexcept : buffer_(std::move(buffer)) { buffer_.clear(); }

    void write(const void* data, std::size_t size) {
        if (size == 0) return;
        const auto* bytes = static_cast<const std::byte*>(data);
        if (sink_ != nullptr && buffer_.size() + size > threshold_) return spill(bytes, size);
        buffer_.insert(buffer_.end(), bytes, bytes + size);
    }

    /// The same for bytes that are yet to be made: the caller fills them before anything else is written.
    /// Null if there is no memory that could be lent: then they have to be written.
    std::byte* room(std::size_t size) {
        if (sink_ != nullptr && buffer_.size() + size > threshold_) {
            flush();
            if (size > threshold_) {
                std::byte* const lent = sink_->room(size);
                if (lent != nullptr) spilled_ += size;
                return lent;
            }
        }
        buffer_.resize(buffer_.size() + size);
        return buffer_.data() + buffer_.size() - size;
    }

    template <class T>
        requires std::is_trivially_copyable_v<T>
    void write_raw(const T& value) {
        write(&value, sizeof value);
    }

    void write_text(std::string_view text) {
        write_raw(text.size());
        write(text.data(), text.size());
    }

    /// Hands everything to the sink. Requires: made with a sink.
    void flush() {
        spilled_ += buffer_.size();
        sink_->write(buffer_);
        buffer_.clear();
    }

    /// Sends a descriptor along, which must stay open until the message is sent. The name is that of what it
    /// leads to: what was attached by this name before goes only once. Returns its number in the message.
    std::size_t attach(int descriptor, std::uint64_t name) {
        for (std::size_t i = 0; i < attachments_.size(); ++i) {
            if (attachments_[i].name == name) return i;
        }
        if (kept_) descriptor = keep(descriptor);
        attachments_.push_back({descriptor, name});
        return attachments_.size() - 1;
    }
    /// From now on what is attached need not stay open: the Writer keeps it open itself.
    void keep_attachments();
    const std::vector<Attachment>& attachments() const noexcept { return attachments_; }

    std::size_t size() const noexcept { return spilled_ + buffer_.size(); }
    bool has_spilled() const noexcept { return spilled_ > 0; }
    /// What has not gone to the sink.
    std::span<const std::byte> buffered() const noexcept { return buffer_; }
    std::vector<std::byte> take() noexcept { return std::move(buffer_); }

private:
    int keep(int descriptor);

    void spill(const std::byte* bytes, std::size_t size) {
        flush();
        if (size > threshold_) {
            spilled_ += size;
            sink_->write({bytes, size});
        } else {
            buffer_.insert(buffer_.end(), bytes, bytes + size);
        }
    }

    std::vector<std::byte> buffer_;
    Sink* sink_ = nullptr;
    std::size_t threshold_ = 0;
    std::size_t spilled_ = 0;
    std::vector<Attachment> attachments_;
    std::shared_ptr<Attachments> kept_;
};

/// Descriptors that came with a message. Those that were not taken are closed with it.
class Attachments {
public:
    Attachments() = default;
    explicit Attachments(std::vector<int> descriptors) noexcept : descriptors_(std::move(descriptors)) {}
    Attachments(Attachments&& other) noexcept : descriptors_(std::move(other.descriptors_)) {
        other.descriptors_.clear();
    }
    Attachments& operator=(Attachments&& other) noexcept {
        std::swap(descriptors_, other.descriptors_);
        return *this;
    }
    ~Attachments() { close(); }

    bool empty() const noexcept { return descriptors_.empty(); }
    /// Those that are still in here. They stay.
    std::span<const int> all() const noexcept { return descriptors_; }
    /// It is closed with the others.
    void add(int descriptor) { descriptors_.push_back(descriptor); }
    /// The caller owns it from now on; -1 if it was taken before. Throws: DecodeError if it did not come.
    int take(std::size_t number) {
        if (number >= descriptors_.size()) {
            throw DecodeError("message damaged: descriptor " + std::to_string(number) + " announced, " +
                              std::to_string(descriptors_.size()) + " came with it");
        }
        return std::exchange(descriptors_[number], -1);
    }
    void close() noexcept;

private:
    std::vector<int> descriptors_;
};

/// Reads what a Writer wrote. Throws: DecodeError, before anything is allocated or copied, when the
/// bytes are too few for what they claim to hold.
class Reader {
public:
    Reader() = default;
    /// The attachments must outlive the Reader.
    explicit Reader(std::span<const std::byte> bytes, Attachments* attachments = nullptr)
        : rest_(bytes), attachments_(attachments) {}

    std::span<const std::byte> take(std::size_t size) {
        if (size > rest_.size()) {
            throw DecodeError("message cut short: " + std::to_string(size) + " bytes expected, " +
                              std::to_string(rest_.size()) + " left");
        }
        const auto taken = rest_.first(size);
        rest_ = rest_.subspan(size);
        return taken;
    }

    void read(void* data, std::size_t size) {
        if (size > 0) std::memcpy(data, take(size).data(), size);
    }

    template <class T>
        requires std::is_trivially_copyable_v<T>
    T read_raw() {
        T value;
        read(&value, sizeof value);
        return value;
    }

    /// A count of elements that follow, each at least one byte long.
    std::size_t read_count() {
        const auto count = read_raw<std::size_t>();
        if (count > rest_.size()) {
            throw DecodeError("message damaged: " + std::to_string(count) + " elements announced, " +
                              std::to_string(rest_.size()) + " bytes left");
        }
        return count;
    }

    /// The text where it lies: in the message.
    std::string_view view_text() {
        const auto text = take(read_count());
        return {reinterpret_cast<const char*>(text.data()), text.size()};
    }
    std::string read_text() {
        const std::string_view view = view_text();
        std::string text;
        text.reserve(view.size());
        prepare_to_fill(text.data(), view.size());
        text.assign(view);
        return text;
    }

    /// Those that came with the message; null if its carrier carries none.
    Attachments* attachments() const noexcept { return attachments_; }

    std::size_t left() const noexcept { return rest_.size(); }

private:
    std::span<const std::byte> rest_;
    Attachments* attachments_ = nullptr;
};

}  // namespace chorus::inline v0::detail::message

#pragma GCC visibility pop

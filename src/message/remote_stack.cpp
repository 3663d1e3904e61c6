#include "message/remote_stack.hpp"

#include <cstdint>
#include <utility>

namespace chorus::inline v0 {
namespace {

// Never destroyed: a handler may ask while statics are being destroyed.
const std::string& no_text() noexcept {
    static const std::string* const none = new std::string;
    return *none;
}

}  // namespace

RemoteError::RemoteError(std::string type, std::string message, std::string stack)
    : RemoteError(std::make_shared<const detail::message::RemoteStack>(std::move(stack)), std::move(type),
                  std::move(message)) {}

const std::string& RemoteError::stack() const noexcept { return stack_ ? stack_->text() : no_text(); }

namespace detail::message {

const std::string& RemoteStack::text() const noexcept {
    const std::string* known = text_.load();
    if (known != nullptr) return *known;
    try {
        auto named = std::make_unique<const std::string>(platform::symbolize(addresses_).text);
        if (text_.compare_exchange_strong(known, named.get())) return *named.release();
        return *known;  // another thread was quicker
    } catch (...) {
        return no_text();
    }
}

void RemoteStack::write(Writer& out) const {
    const auto& [frames, first_is_exact, code] = addresses_;
    out.write_raw(static_cast<std::uint8_t>(frames.size()));
    for (const std::uint64_t frame : frames) out.write_raw(frame);
    out.write_raw(static_cast<std::uint8_t>(code.size()));
    for (const auto& each : code) {
        out.write_raw(each.begin);
        out.write_raw(each.end);
        out.write_raw(each.offset);
        out.write_text(each.path);
        out.write_text(each.build_id);
    }
    out.write_text(frames.empty() ? text() : "");
}

void RemoteStack::write_of(const RemoteError& error, Writer& out) {
    if (error.stack_) return error.stack_->write(out);
    RemoteStack(std::string()).write(out);
}

std::shared_ptr<const RemoteStack> RemoteStack::read(Reader& in) {
    platform::AddressStack addresses;
    for (int left = in.read_raw<std::uint8_t>(); left > 0; --left)
        addresses.frames.push_back(in.read_raw<std::uint64_t>());
    for (int left = in.read_raw<std::uint8_t>(); left > 0; --left) {
        platform::MappedCode code;
        code.begin = in.read_raw<std::uint64_t>();
        code.end = in.read_raw<std::uint64_t>();
        code.offset = in.read_raw<std::uint64_t>();
        code.path = in.read_text();
        code.build_id = in.read_text();
        addresses.code.push_back(std::move(code));
    }
    std::string text = in.read_text();
    if (addresses.frames.empty()) return std::make_shared<const RemoteStack>(std::move(text));
    return std::make_shared<const RemoteStack>(std::move(addresses));
}

}  // namespace detail::message
}  // namespace chorus::inline v0

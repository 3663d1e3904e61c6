// The stack of an exception that was thrown in another process.
//
// It travels as addresses and what they lie in, some hundred bytes, and is named by libdw where its text is
// asked for: most exceptions are caught and their stack is never read, and naming costs thousands of times
// what the throw does.
//
// Layout: the number of frames, their addresses; the number of files, and for each where it was mapped, its
// path and build id; then the text, if the stack was made of one.
//
// Thread safety: all of it.
// Crash safety: plain bytes.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include <chorus/detail/message/bytes.hpp>
#include <chorus/errors.hpp>
#include "platform/symbols.hpp"

namespace chorus::inline v0::detail::message {

class RemoteStack {
public:
    explicit RemoteStack(std::string text) : text_(new std::string(std::move(text))) {}
    explicit RemoteStack(platform::AddressStack addresses) : addresses_(std::move(addresses)) {}
    RemoteStack(const RemoteStack&) = delete;
    RemoteStack& operator=(const RemoteStack&) = delete;
    ~RemoteStack() { delete text_.load(); }

    /// Named at the first call. Empty if there is no memory for it.
    const std::string& text() const noexcept;

    void write(Writer& out) const;
    static std::shared_ptr<const RemoteStack> read(Reader& in);

    /// An exception with this stack.
    static RemoteError error(std::string type, std::string message,
                             std::shared_ptr<const RemoteStack> stack) {
        return {std::move(stack), std::move(type), std::move(message)};
    }
    static void write_of(const RemoteError& error, Writer& out);

private:
    platform::AddressStack addresses_;
    // No lock and no once_flag: a copy of the process that is made during the first call has to get its text
    // too.
    mutable std::atomic<const std::string*> text_{nullptr};
};

}  // namespace chorus::inline v0::detail::message

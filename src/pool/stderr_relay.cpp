#include "pool/stderr_relay.hpp"

#include <array>
#include <cstdio>
#include <exception>
#include <map>
#include <string_view>

#include "memory/region.hpp"
#include "platform/fork_mutex.hpp"
#include "platform/os_thread.hpp"
#include "platform/signal_mask.hpp"

namespace chorus::inline v0::detail::pool {
namespace {

constexpr int standard_error = 2;

// The thread, and the pipes that it reads. It is never destroyed.
class Relay {
public:
    void add(const std::shared_ptr<StderrRelay>& stream) {
        const std::lock_guard guard(mutex_);
        const auto tag = ++last_;
        streams_.emplace(tag, stream);
        try {
            ready_.add(stream->descriptor(), tag);
        } catch (...) {
            streams_.erase(tag);
            throw;
        }
    }

    void run() {
        for (;;) {
            try {
                for (const auto tag : ready_.wait({})) receive(tag);
            } catch (const std::exception& error) {  // must not end the user's program
                std::fprintf(stderr, "chorus: what workers write to standard error: %s\n", error.what());
            }
        }
    }

private:
    void receive(std::uint64_t tag) {
        const auto stream = find(tag);
        try {
            if (stream->receive()) return;
        } catch (...) {  // it cannot be listened to any more
            remove(tag);
            stream->end();
            throw;
        }
        remove(tag);
        stream->end();
    }

    std::shared_ptr<StderrRelay> find(std::uint64_t tag) {
        const std::lock_guard guard(mutex_);
        return streams_.at(tag);
    }
    void remove(std::uint64_t tag) {
        const std::lock_guard guard(mutex_);
        ready_.remove(streams_.at(tag)->descriptor());
        streams_.erase(tag);
    }

    std::mutex mutex_;
    platform::ReadySet ready_;
    std::map<std::uint64_t, std::shared_ptr<StderrRelay>> streams_;
    std::uint64_t last_ = 0;
};

struct Holder {
    platform::ForkMutex mutex;
    Relay* relay = nullptr;
    std::uint32_t copy = 0;  ///< of the process that has it
};
Holder& holder() {
    static auto* const instance = new Holder;
    return *instance;
}
// Before main: a fork while another thread makes it would leave a copy that waits indefinitely.
[[maybe_unused]] auto& holder_made = holder();

Relay& running_relay() {
    auto& here = holder();
    const std::lock_guard guard(here.mutex);
    if (here.relay == nullptr || here.copy != memory::copy_number()) {  // the thread is not in a copy
        auto made = std::make_unique<Relay>();
        const platform::SignalsBlocked blocked;  // the program's handlers run in the program's threads
        platform::start_thread(
            [](void* relay) -> void* {
                platform::name_this_thread("chorus-stderr");
                platform::count_as_servant();
                static_cast<Relay*>(relay)->run();
                return nullptr;
            },
            made.get(), 0);
        here.relay = made.release();
        here.copy = memory::copy_number();
    }
    return *here.relay;
}

}  // namespace

std::shared_ptr<StderrRelay> StderrRelay::pass_on(platform::FileDescriptor reading_end) {
    auto stream = std::make_shared<StderrRelay>(std::move(reading_end));
    running_relay().add(stream);
    return stream;
}

// Not more at a time: other workers write too.
bool StderrRelay::receive() {
    std::array<char, 16384> buffer;
    const std::lock_guard guard(mutex_);
    const auto size = platform::read_some(pipe_.get(), buffer.data(), buffer.size());
    if (size <= 0) return size < 0;
    platform::write_all(standard_error, buffer.data(), static_cast<std::size_t>(size));
    kept_.append(buffer.data(), static_cast<std::size_t>(size));
    if (kept_.size() > 2 * most_kept) kept_.erase(0, kept_.size() - most_kept);
    passed_on_ += static_cast<std::size_t>(size);
    changed_.notify_all();
    return true;
}

// By the relay's thread and no other, which blocks SIGPIPE: no other program ends because its standard
// error is not read.
void StderrRelay::end() {
    const std::lock_guard guard(mutex_);
    pipe_.reset();
    changed_.notify_all();
}

void StderrRelay::catch_up() {
    std::unique_lock lock(mutex_);
    if (!pipe_) return;
    platform::Waited pipe{.descriptor = pipe_.get()};
    platform::wait_for_any({&pipe, 1}, now);
    const std::size_t written = passed_on_ + platform::bytes_to_read(pipe_.get());
    // If no process is left that could write, the pipe comes to its end.
    changed_.wait(lock, [&] { return !pipe_ || (passed_on_ >= written && !pipe.hung_up); });
}

std::string StderrRelay::lines(std::size_t most) {
    const std::lock_guard guard(mutex_);
    std::string_view text = kept_;
    while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    std::size_t begin = text.size();
    for (std::size_t lines = 0; begin > 0; --begin) {
        if (text[begin - 1] == '\n' && ++lines == most) break;
    }
    return std::string(text.substr(begin));
}

}  // namespace chorus::inline v0::detail::pool

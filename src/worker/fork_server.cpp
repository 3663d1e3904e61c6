#include "worker/fork_server.hpp"

#include <memory>
#include <mutex>

#include <chorus/detail/message/outcome.hpp>
#include "memory/region.hpp"
#include "memory/segment.hpp"
#include "platform/credentials.hpp"
#include "platform/environment.hpp"
#include "platform/fork_mutex.hpp"
#include "platform/look.hpp"
#include "platform/os_thread.hpp"
#include "platform/process_exit.hpp"
#include "platform/process_handle.hpp"
#include "platform/signals.hpp"
#include "platform/surroundings.hpp"
#include "platform/syscall.hpp"
#include "sync/liveness.hpp"
#include "sync/process_names.hpp"
#include "trace/debug.hpp"
#include "trace/trace.hpp"
#include "worker/gate.hpp"
#include "worker/reexec.hpp"

namespace chorus::inline v0::detail::worker {
namespace {

/// Layout of the hand-over pages. The first is not for those who have been handed over: once it is through
/// the gate, a child unmaps it.
struct HandOver {
    /// Client: 0; kernel: the child's pid; server: -errno, or that it has threads.
    std::atomic<std::int32_t> born{0};
    /// Request number * 4 + a Turn. Client: asked → asleep; server: asked → answered. Whoever comes
    /// second finds what the first did.
    std::atomic<std::uint32_t> turn{0};
    Gate gate;
    alignas(page_size) ExitWords exit_words{};
};
static_assert(sizeof(HandOver) == 2 * page_size, "two pages: each more costs a child more");
enum Turn : std::uint32_t { asked, asleep, answered };

/// In place of an error: no errno is that large.
constexpr std::int32_t has_threads = -1'000'000;

// More than the time of a start on an unloaded machine, also on a slow one.
constexpr auto while_one_starts = std::chrono::microseconds(600);

// Sent ahead, and nothing more than a hint: the server wakes while the client still writes its request.
constexpr std::byte request_follows{1};

constexpr std::size_t longest_error = 64 * 1024;

struct Server {
    platform::ForkMutex mutex{platform::ForkMutex::Rank::outer};
    platform::FileDescriptor socket;
    platform::FileDescriptor process;
    std::shared_ptr<memory::Segment> hand_over;
    std::shared_ptr<ExitSlots> exits;  ///< in there
    std::uint32_t requests = 0;
    std::vector<std::string> environment;  ///< what the server has
    platform::ResourceLimits resource_limits;
    platform::Credentials credentials;
    std::vector<void (*)()> preloads;
    bool has_served = false;        ///< a child was made
    std::vector<std::byte> buffer;  ///< for its messages: a byte that calls the client, or an error
    std::size_t heard = 0;          ///< the size of the last message
    bool cannot_be_copied = false;  ///< it had threads: it was sent home, and no other is asked
};

constinit std::atomic<Server*> made{nullptr};  // so that a copy need not make one to forget it

Server& server() {
    static auto* const instance = [] {
        made = new Server;
        return made.load();
    }();
    return *instance;
}

void drop(Server& here) {
    here.socket.reset();
    if (!here.process) return;
    platform::wait_readable(here.process.get());
    platform::collect(here.process.get());
    here.process.reset();
}

// What kept the server from beginning, by its first message. Throws with that, under its own type where the
// caller can act on it.
[[noreturn]] void throw_beginning(std::span<const std::byte> message, const std::string& end) {
    const std::string what = "the fork server cannot begin (it " + end + "): ";
    message::Reader error(message);
    try {
        std::rethrow_exception(message::read_exception(error));
    } catch (const OsError& failure) {
        throw OsError(what + failure.what(), failure.code());
    } catch (const std::exception& failure) {
        throw Error(what + failure.what());
    }
}

// The server has died. Returns how, if it was killed and another one may fare better; otherwise throws.
std::string how_it_was_killed(Server& here) {
    platform::wait_readable(here.process.get());
    const auto ended = platform::collect(here.process.get());
    here.process.reset();
    const std::string end = !ended ? "has ended"
                            : ended->exitcode >= 0
                                ? "left with exit code " + std::to_string(ended->exitcode)
                                : "was killed by " + platform::signal_name(-ended->exitcode);
    // A receive may fail first because the server has not read what it was sent.
    for (int look = 0; look < 2 && here.heard <= 1; ++look)
        here.heard = platform::peek_at_message(here.socket.get(), here.buffer).size;
    here.socket.reset();  // whatever becomes of this start, the next one makes another server
    if (here.heard > 1) throw_beginning(std::span<const std::byte>(here.buffer).first(here.heard), end);
    if (ended && ended->exitcode >= 0 && !here.has_served) {
        throw Error("the fork server cannot begin: it " + end +
                    " before it could serve; what runs before main in this program, or a library of it, ends "
                    "the process. Its standard error may say why; spawn and fork do without a server "
                    "(set_start_method)");
    }
    return end;
}

void launch(Server& here) {
    drop(here);
    here.has_served = false;
    here.heard = 0;
    here.buffer.resize(longest_error);
    auto ends = platform::make_message_sockets();
    here.hand_over =
        std::make_shared<memory::Segment>(memory::Segment::create("chorus-hand-over", sizeof(HandOver)));
    auto* const page = new (here.hand_over->bytes().data()) HandOver;
    here.exits = std::make_shared<ExitSlots>(here.hand_over, page->exit_words);
    here.requests = 0;
    here.environment = platform::current_environment();
    here.resource_limits = platform::resource_limits();
    here.credentials = platform::credentials();
    // Signals stay blocked in the server: it has no business with the terminal's Ctrl-C.
    const platform::SignalsBlocked blocked;
    auto newborn = execute_image(here.preloads.empty() ? Role::fork_server : Role::preloading_fork_server,
                                 ends.second.get(), here.hand_over->descriptor(), here.environment,
                                 platform::signal_mask());
    here.process = std::move(newborn.process);
    here.socket = std::move(ends.first);
    sync::publish_process_name(newborn.pid, "fork server");
    ends.second.reset();
    if (here.preloads.empty()) return;
    message::Writer preloads;
    message::encode(preloads, here.preloads);
    platform::send_message(here.socket.get(), preloads.buffered());
    message::Reader failure(std::span<const std::byte>(here.buffer)
                                .first(platform::receive_message(here.socket.get(), here.buffer).size));
    if (failure.left() > 1) {  // the preload's own error, as it is
        drop(here);
        std::rethrow_exception(message::read_exception(failure));
    }
}

// The server's answer: a pid, or a negative errno; 0 if it died without. `to_the_end`: it has closed, too,
// what it was sent.
int ask(Server& here, std::span<const std::byte> message, std::span<const int> descriptors, bool to_the_end) {
    auto& page = here.hand_over->as<HandOver>();
    const std::uint32_t request = 4 * ++here.requests;
    page.born.store(0);
    page.turn.store(request + asked);
    page.gate.close(here.requests);
    if (!platform::send_message(here.socket.get(), message, descriptors)) return 0;
    platform::Look look(while_one_starts);
    do {
        if (const int answer = page.born.load();
            answer != 0 && (!to_the_end || page.turn.load() == request + answered))
            return answer;
    } while (look.again());
    std::uint32_t expected = request + asked;
    if (page.turn.compare_exchange_strong(expected, request + asleep)) {
        // From the server, or the end of the socket with it.
        here.heard = platform::receive_message(here.socket.get(), here.buffer).size;
    }
    return page.born.load();  // also if it was killed: the child may have been made all the same
}

// What a child is told that is spawned instead.
void tell_what_to_load(const Server& here, ChildRequest& told) {
    told.environment.reset();  // it has these already
    told.resource_limits.reset();
    told.preloads = here.preloads;
}

}  // namespace

std::optional<Newborn> start_by_fork_server(ChildRequest& told, const message::Call& call, int report) {
    Server& here = server();
    const std::lock_guard guard(here.mutex);
    if (here.cannot_be_copied || !platform::can_open_processes()) {
        tell_what_to_load(here, told);
        return std::nullopt;
    }
    // One that has more rights than its client has by now must not lend them to its children.
    if (!here.socket || here.credentials != platform::credentials()) launch(here);
    platform::send_message(here.socket.get(), std::span(&request_follows, 1));
    constexpr int tries = 3;  // killing it again and again must not keep a caller here for ever
    for (int attempt = 1;; ++attempt) {
        told.environment.reset();
        if (!platform::environment_is(here.environment)) told.environment = platform::current_environment();
        told.resource_limits.reset();
        if (auto resource_limits = platform::resource_limits(); resource_limits != here.resource_limits)
            told.resource_limits = std::move(resource_limits);
        ExitSlot exit(here.exits);
        told.exit_word = exit.number();
        Request request(told, call);
        RequestHeader header;
        const auto around = platform::surroundings();
        header.has_directory = static_cast<bool>(around.directory);
        header.streams = around.open;
        header.has_report = report >= 0;
        std::vector<int> descriptors;
        if (around.directory) descriptors.push_back(around.directory.get());
        descriptors.insert(descriptors.end(), around.streams.begin(), around.streams.end());
        if (report >= 0) descriptors.push_back(report);
        if (request.in_file()) descriptors.push_back(request.file());
        for (const int attached : request.attachments()) descriptors.push_back(attached);
        // The child must not begin while the server holds ends of its pipes too: nobody would hear it hang
        // up.
        const int answer = ask(here, request.message(header), descriptors, !request.attachments().empty());
        if (answer > 0) {
            here.has_served = true;
            if (told.environment) here.environment = *std::move(told.environment);  // the server keeps these
            if (told.resource_limits) here.resource_limits = *std::move(told.resource_limits);
            auto process = here.hand_over->as<HandOver>().gate.let_in(here.requests, answer);
            return Newborn{answer, std::move(process), std::move(exit)};
        }
        if (answer == has_threads) {
            here.cannot_be_copied = true;
            drop(here);
            trace::debug(
                "the fork server has threads, which a library has started before main or a preload since; "
                "its "
                "copies would lack them and might wait for ever: children are spawned instead");
            tell_what_to_load(here, told);
            return std::nullopt;
        }
        // Under limits of an earlier day it may not even be able to receive those of today.
        const bool may_be_its_limits = told.resource_limits.has_value() && attempt < tries;
        if (answer < 0 && !may_be_its_limits) throw platform::os_error("start a process", -answer);
        if (answer == 0) {
            const std::string end = how_it_was_killed(here);
            if (attempt == tries)
                throw Error(std::to_string(tries) +
                            " fork servers, one after the other, ended while they were asked to start a "
                            "process; the last one " +
                            end);
        }
        launch(here);
    }
}

void stop_fork_server() {
    const std::lock_guard guard(server().mutex);
    drop(server());
}

void forget_fork_server() {
    Server* const here = made;
    if (here == nullptr) return;
    const std::lock_guard guard(here->mutex);
    here->socket.reset();
    here->process.reset();
}

void preload_in_fork_server(void (*load)()) {
    const std::lock_guard guard(server().mutex);
    if (server().socket)
        throw UsageError("the fork server runs already: set what it preloads before the first start");
    server().preloads.push_back(load);
}

namespace {}  // namespace

void tell_what_prevents_it(int socket) noexcept {
    try {
        message::Writer error;
        message::write_exception(error, std::current_exception());
        platform::send_message(socket, error.buffered());
    } catch (...) {  // then the exit status must do
    }
}

namespace {

// What a preload throws goes to who asked for the server; an answer of one byte says that all went well.
void preload(int socket, message::Reader loads) {
    message::Writer outcome;
    try {
        for (auto* const load : message::decode<std::vector<void (*)()>>(loads)) load();
        outcome.write_raw('\0');
    } catch (...) {
        message::write_exception(outcome, std::current_exception());
    }
    platform::send_message(socket, outcome.buffered());
}

}  // namespace

[[gnu::hot]] std::unique_ptr<ChildSetup> serve(platform::FileDescriptor& socket,
                                               platform::FileDescriptor hand_over_file, int life_line,
                                               bool has_preloads) {
    static auto* const page =
        new memory::Segment(memory::Segment::attach(std::move(hand_over_file), sizeof(HandOver)));
    page->close_file();
    auto& hand_over = page->as<HandOver>();
    static std::array<std::byte, 128 * 1024> buffer;  // children read their call from their copy of it
    const auto receive = [&] {
        auto received = platform::receive_message(socket.get(), buffer);
        while (received.size == sizeof request_follows) {
            platform::Look look(while_one_starts);
            while (!platform::wait_readable(socket.get(), now) && look.again()) {
            }
            received = platform::receive_message(socket.get(), buffer);
        }
        if (received.size == 0) platform::leave_at_once(0);
        return received;
    };
    if (has_preloads)
        preload(socket.get(), message::Reader(std::span<const std::byte>(buffer).first(receive().size)));
    const platform::IdleStreams idle;
    idle.take_over();
    for (std::uint32_t request = 4;; request += 4) {
        try {
            auto received = receive();
            auto child = std::make_unique<ChildSetup>(std::span<const std::byte>(buffer).first(received.size),
                                                      std::move(received.descriptors));
            child->settle_in();
            // No other thread begins meanwhile, where this one is the only one.
            const int pid =
                platform::thread_count() > 1 ? has_threads : platform::clone_sibling(hand_over.born);
            if (pid == 0) {
                socket.reset();
                trace::begin_in_copy();
                sync::begin_as_copy();  // a preload may have begun a life, and made objects
                hand_over.gate.wait(request / 4, life_line);
                tell_end_at(hand_over.exit_words, child->birth().exit_word);
                page->unmap_beginning(page_size);
                return child;
            }
            if (pid < 0) {
                hand_over.born.store(pid);
            }
        } catch (const OsError& error) {
            hand_over.born.store(-error.code());
        } catch (const DecodeError&) {
            hand_over.born.store(-platform::bad_message);
        }
        idle.take_over();
        std::uint32_t expected = request + asked;
        if (!hand_over.turn.compare_exchange_strong(expected, request + answered) &&
            expected == request + asleep) {
            const std::byte call{1};
            platform::send_message(socket.get(), std::span(&call, 1));
        }
    }
}

}  // namespace chorus::inline v0::detail::worker

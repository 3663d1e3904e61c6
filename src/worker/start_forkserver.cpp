// The start method forkserver, the client's side: children are copies of a fresh image of the program,
// made by its server on request.
//
// The server (fork_server.cpp) is executed at the first start. hand_over.hpp describes the protocol of
// a start, and why a start happens once or not at all.
//
// Invariants:
// 1. One request at a time: the mutex is held from the request until the child is let in.
// 2. A server has the rights that its client has. If the client's credentials have changed, another
//    server is executed.
// 3. A request holds the client's environment and resource limits where they differ from what the
//    server has. The server keeps what it has received.
// 4. A server that was killed is replaced and asked again, three tries for each start. A server that
//    ended by itself before its first child has sent its error, which the caller gets.
// 5. Where the server cannot be copied, because it has threads, the child is spawned instead: this time
//    and from then on.
#include "worker/start_forkserver.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <chorus/detail/message/outcome.hpp>
#include <chorus/errors.hpp>
#include "memory/segment.hpp"
#include "platform/credentials.hpp"
#include "platform/environment.hpp"
#include "platform/fork_mutex.hpp"
#include "platform/look.hpp"
#include "platform/process_handle.hpp"
#include "platform/resource_limits.hpp"
#include "platform/signal_mask.hpp"
#include "platform/signals.hpp"
#include "platform/surroundings.hpp"
#include "platform/syscall.hpp"
#include "sync/process_names.hpp"
#include "trace/debug.hpp"
#include "worker/hand_over.hpp"
#include "worker/reexec.hpp"
#include "worker/start_child.hpp"

namespace chorus::inline v0::detail::worker {
namespace {

constexpr std::size_t longest_error = 64 * 1024;

/// The server as its client sees it.
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
    std::size_t received = 0;       ///< the size of the last message
    bool cannot_be_copied = false;  ///< it had threads: it was ended, and no other is asked
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

// Throws what kept the server from beginning, which its first message says. Keeps the error's type
// where the caller can act on it.
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

// Requires: the server has died. Returns how, if it was killed, so that another one may succeed. Throws
// otherwise.
std::string how_it_was_killed(Server& here) {
    platform::wait_readable(here.process.get());
    const auto ended = platform::collect(here.process.get());
    here.process.reset();
    const std::string end = !ended ? "has ended"
                            : ended->exitcode >= 0
                                ? "left with exit code " + std::to_string(ended->exitcode)
                                : "was killed by " + platform::signal_name(-ended->exitcode);
    // A receive may fail first, because the server has not read what it was sent.
    for (int look = 0; look < 2 && here.received <= 1; ++look)
        here.received = platform::peek_at_message(here.socket.get(), here.buffer).size;
    here.socket.reset();  // however this start ends, the next one makes another server
    if (here.received > 1) throw_beginning(std::span<const std::byte>(here.buffer).first(here.received), end);
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
    here.received = 0;
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
    // Signals stay blocked in the server: the terminal's Ctrl-C is not meant for it.
    const platform::SignalsBlocked blocked;
    auto image = execute_image(here.preloads.empty() ? Role::fork_server : Role::preloading_fork_server,
                               ends.second.get(), here.hand_over->descriptor(), here.environment,
                               platform::signal_mask());
    here.process = std::move(image.process);
    here.socket = std::move(ends.first);
    sync::publish_process_name(image.pid, "fork server");
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

// Sends a request. Returns the server's answer: a pid, or a negative errno, or 0 if the server died
// before it answered. With `to_the_end` the server has also closed the descriptors that it was sent.
int ask(Server& here, std::span<const std::byte> message, std::span<const int> descriptors, bool to_the_end) {
    auto& page = here.hand_over->as<HandOver>();
    const std::uint32_t number = 4 * ++here.requests;
    page.born.store(0);
    page.turn.store(number + asked);
    page.gate.close(here.requests);
    if (!platform::send_message(here.socket.get(), message, descriptors)) return 0;
    platform::Look look(while_one_starts);
    do {
        if (const int answer = page.born.load();
            answer != 0 && (!to_the_end || page.turn.load() == number + answered))
            return answer;
    } while (look.again());
    std::uint32_t expected = number + asked;
    if (page.turn.compare_exchange_strong(expected, number + asleep)) {
        // Woken by the server, or by the end of the socket, which closes with the server.
        here.received = platform::receive_message(here.socket.get(), here.buffer).size;
    }
    return page.born.load();  // also if it was killed: the child may exist all the same
}

// Changes the request into one for a child that is spawned instead.
void prepare_to_spawn(const Server& here, ChildRequest& request) {
    request.environment.reset();  // it inherits both
    request.resource_limits.reset();
    request.preloads = here.preloads;
}

// Returns nothing where the server cannot be copied: then the request is one for a child that is
// spawned.
// Throws: OsError when the system has no more processes.
std::optional<StartedChild> start_by_copy(ChildRequest& request, const message::Call& call, int report) {
    Server& here = server();
    const std::lock_guard guard(here.mutex);
    if (here.cannot_be_copied || !platform::can_open_processes()) {
        prepare_to_spawn(here, request);
        return std::nullopt;
    }
    // A server with more rights than its client has by now must not lend them to its children.
    if (!here.socket || here.credentials != platform::credentials()) launch(here);
    platform::send_message(here.socket.get(), std::span(&request_follows, 1));
    constexpr int tries = 3;  // killing the server again and again must not hold a caller here indefinitely
    for (int attempt = 1;; ++attempt) {
        request.environment.reset();
        if (!platform::environment_is(here.environment))
            request.environment = platform::current_environment();
        request.resource_limits.reset();
        if (auto resource_limits = platform::resource_limits(); resource_limits != here.resource_limits)
            request.resource_limits = std::move(resource_limits);
        ExitSlot exit(here.exits);
        request.exit_word = exit.number();
        EncodedRequest encoded(request, call);
        RequestHeader header;
        const auto around = platform::surroundings();
        header.has_directory = static_cast<bool>(around.directory);
        header.streams = around.open;
        header.has_report = report >= 0;
        std::vector<int> descriptors;
        if (around.directory) descriptors.push_back(around.directory.get());
        descriptors.insert(descriptors.end(), around.streams.begin(), around.streams.end());
        if (report >= 0) descriptors.push_back(report);
        if (encoded.in_file()) descriptors.push_back(encoded.file());
        for (const int attached : encoded.attachments()) descriptors.push_back(attached);
        // The child must not begin while the server holds ends of its pipes too: its peer would miss
        // that the child closes them.
        const int answer = ask(here, encoded.message(header), descriptors, !encoded.attachments().empty());
        if (answer > 0) {
            here.has_served = true;
            if (request.environment) here.environment = *std::move(request.environment);  // invariant 3
            if (request.resource_limits) here.resource_limits = *std::move(request.resource_limits);
            auto process = here.hand_over->as<HandOver>().gate.let_in(here.requests, answer);
            return StartedChild{answer, std::move(process), std::move(exit)};
        }
        if (answer == server_has_threads) {
            here.cannot_be_copied = true;
            drop(here);
            trace::debug(
                "the fork server has threads, which a library has started before main or a preload since; "
                "its copies would lack them and might wait indefinitely: children are spawned instead");
            prepare_to_spawn(here, request);
            return std::nullopt;
        }
        // Under its earlier limits the server may be unable to receive even the new ones.
        const bool may_be_its_limits = request.resource_limits.has_value() && attempt < tries;
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

}  // namespace

StartedChild start_by_forkserver(ChildRequest request, message::Call& call, int report) {
    if (auto child = start_by_copy(request, call, report)) return *std::move(child);
    return start_by_spawn(std::move(request), call, report);
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

}  // namespace chorus::inline v0::detail::worker

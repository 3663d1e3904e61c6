// The server of the start method forkserver: a fresh image of the program that copies itself on
// request.
//
// hand_over.hpp describes the protocol of a start; start_forkserver.cpp is the client.
//
// Invariants:
// 1. The server has one thread and is small: copying it is quick, and safe whatever its client does. A
//    library may start a thread before main or in a preload. Such a server is not copied: its copy would
//    lack the thread, and keep a lock that the thread holds locked indefinitely. (At-fork handlers, by
//    which fork() spares libraries that, cannot be run for a sibling.) The client is told, and spawns its
//    children.
// 2. The copies are siblings of the server: children of the client, which waits for them as for any
//    child.
// 3. The server reads and carries out the whole request before it copies itself. The code for that is
//    in the server's memory; in a copy each touched page has to be fetched anew.
// 4. Between two starts the server holds no stream and no directory of a child.
//
// Crash safety: the server ends when its socket closes, and the kernel kills it when its client dies
// (platform/life_line.hpp).
#include "worker/fork_server.hpp"

#include <array>
#include <cstddef>
#include <exception>
#include <span>
#include <utility>
#include <vector>

#include <chorus/detail/message/outcome.hpp>
#include <chorus/errors.hpp>
#include "memory/segment.hpp"
#include "platform/life_line.hpp"
#include "platform/look.hpp"
#include "platform/os_thread.hpp"
#include "platform/process_exit.hpp"
#include "platform/process_start.hpp"
#include "platform/surroundings.hpp"
#include "platform/syscall.hpp"
#include "sync/liveness.hpp"
#include "trace/trace.hpp"
#include "worker/hand_over.hpp"
#include "worker/lifetime.hpp"

namespace chorus::inline v0::detail::worker {

void tell_what_prevents_it(int socket) noexcept {
    try {
        message::Writer error;
        message::write_exception(error, std::current_exception());
        platform::send_message(socket, error.buffered());
    } catch (...) {  // then the exit status has to suffice
    }
}

namespace {

// The client that asked for the server gets what a preload throws. An answer of one byte reports
// success.
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

// Serves until the client is gone. Returns only in children, settled in.
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
            // No thread begins between the check and the clone, where this one is the only one.
            const int pid =
                platform::thread_count() > 1 ? server_has_threads : platform::clone_sibling(hand_over.born);
            if (pid == 0) {
                socket.reset();
                trace::begin_in_copy();
                sync::begin_as_copy();  // a preload may have made it a participant, and made objects
                hand_over.gate.wait(request / 4, life_line);
                tell_end_at(hand_over.exit_words, child->request().exit_word);
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

}  // namespace

[[gnu::hot]] std::unique_ptr<ChildSetup> become_fork_server(Inheritance& inheritance) {
    const auto knot = platform::tie_to(inheritance.life_line.get()).release();
    leave_statics_to_their_maker();  // here and not in each copy; the server itself never calls exit()
    auto child = serve(inheritance.first, std::move(inheritance.second), inheritance.life_line.get(),
                       inheritance.role == Role::preloading_fork_server);
    // The knot kills the server, whose number the kernel keeps in it, and not this copy.
    platform::FileDescriptor untied(knot);
    return child;
}

}  // namespace chorus::inline v0::detail::worker

// The pages shared by a fork server and its client, and the protocol between the two.
//
// Client (start_forkserver.cpp): clears `born`, closes the gate, sends a request over the socket, reads
// `born`. Server (fork_server.cpp): receives the request, becomes what the child is to be, clones
// itself.
//
// Invariants:
// 1. A start happens once or not at all. `born` commits it: the client clears it before a request, and
//    the kernel stores the child's pid there while it makes the child and before the child runs.
// 2. The child waits at the gate until the client holds its handle.
// 3. `turn` decides by one compare-and-swap whether the server has to wake the client. The second of
//    the two to change it finds what the first did.
//
// Crash safety: if the server is killed before it makes the child, the client finds 0 in `born`,
// executes another server and asks again. If the server is killed afterwards, the client finds the pid,
// and has its child. The socket closes with the server, so a sleeping client wakes. If the client dies,
// the child finds its life line cut at the gate.
//
// Waking a process takes nearly as long as a start. Therefore the client sends a byte ahead, which
// wakes the server while the request is still being written. The client then polls `born` for about as
// long as a start takes, with short pauses, before it sleeps on the socket.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "worker/exit_words.hpp"
#include "worker/gate.hpp"

namespace chorus::inline v0::detail::worker {

/// Layout. The first page is the one of a start; a child unmaps it once it is through the gate.
struct HandOver {
    /// Client: 0; kernel: the child's pid; server: -errno, or server_has_threads.
    std::atomic<std::int32_t> born{0};
    /// Request number * 4 + a Turn. Client: asked → asleep; server: asked → answered.
    std::atomic<std::uint32_t> turn{0};
    Gate gate;
    alignas(page_size) ExitWords exit_words{};
};
static_assert(sizeof(HandOver) == 2 * page_size, "two pages: each more costs a child more");
enum Turn : std::uint32_t { asked, asleep, answered };

/// In place of an error: no errno is that large.
inline constexpr std::int32_t server_has_threads = -1'000'000;

/// More than the time of a start on an unloaded machine, also on a slow one.
inline constexpr auto while_one_starts = std::chrono::microseconds(600);

/// The byte sent ahead: only a hint that a request follows.
inline constexpr std::byte request_follows{1};

}  // namespace chorus::inline v0::detail::worker

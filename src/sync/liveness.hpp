// Liveness table. Only the kernel decides that a participant has died.
//
// A participant is one thread of one process. Its ParticipantId is never used again while it could be
// confused: when its place in the table is given to another thread the id changes (it repeats after 16,384
// participants in that place). As a value in a shared word it cannot be taken for a kernel thread id, which
// is smaller.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <chorus/detail/sync/lock_word.hpp>
#include "platform/futex.hpp"
#include "sync/shared_runtime.hpp"

namespace chorus::inline v0::detail::sync {

using ParticipantId = std::uint32_t;
inline constexpr ParticipantId no_participant = 0;

/// The calling thread's. Its first call gives it one; it ends with the thread.
/// Throws: OsError when there is no memory for it, Error when 32,768 threads have one.
ParticipantId claim_this_participant();
inline ParticipantId this_participant() {
    return participant_of_this_thread != no_participant ? participant_of_this_thread
                                                        : claim_this_participant();
}

/// Whether it can be one's that lives or has lived.
bool is_participant(ParticipantId id) noexcept;
bool is_dead(ParticipantId id) noexcept;
/// What to sleep on to be woken when that thread ends; nothing if it has. The system wakes one sleeper for
/// each of the two: waiters that watch an owner wake each other, waiters for the same object watch each
/// other.
enum class As { holder, waiter };
std::optional<platform::WordHolds> watch(ParticipantId id, As as) noexcept;

const Participant& participant_at(std::uint32_t place) noexcept;
const Participant& participant_of(ParticipantId id) noexcept;
/// The calling thread's, to be written to.
Participant& own_participant();
/// What tells that thread that its wait is over.
std::atomic<std::uint32_t>& signal_of(ParticipantId id) noexcept;
/// Places in use lie below this.
std::uint32_t participants_in_sight() noexcept;
/// The id of the participant at this place.
ParticipantId id_at(std::uint32_t place) noexcept;

/// "Process-1 (pid 12)", as long as no other has its place.
std::string describe(ParticipantId id);

/// Says how the calling thread is called; told once, by the room that knows.
void name_participants_by(void (*write_name)(char* buffer, std::size_t size));

/// With another shared runtime: this thread has no life there yet.
void leave_participants_behind();
/// In a copy of this process: what its original had in hand is the original's.
void begin_as_copy() noexcept;
/// From now on that is done in each copy that fork() makes. Done with the first participant at the
/// latest: in a host that was not linked with Chorus's entry (a plug-in's, an interpreter) nothing else
/// does it.
void forget_in_copies();

}  // namespace chorus::inline v0::detail::sync

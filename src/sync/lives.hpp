// Who takes part, and whether it still lives: only the system says who is dead.
//
// A LifeId names one thread of one process for ever: when its place is given to another thread the id is
// not used again (until 16,384 lives later). As a value in a shared word it can never be taken for the
// system's own thread numbers, which are smaller.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <chorus/detail/sync/lock_word.hpp>
#include "platform/futex.hpp"
#include "sync/commons.hpp"

namespace chorus::sync {

using LifeId = std::uint32_t;
inline constexpr LifeId nobody = 0;

/// The calling thread's. Its first call gives it one; it ends with the thread.
/// Throws: OsError when there is no memory for it, Error when 32,768 threads have one.
LifeId claim_my_life();
inline LifeId my_life() { return life_of_this_thread != nobody ? life_of_this_thread : claim_my_life(); }

/// Whether it can be one's that lives or has lived.
bool is_a_life(LifeId id) noexcept;
bool is_dead(LifeId id) noexcept;
/// What to sleep on to be woken when that thread ends; nothing if it has. The system wakes one sleeper for
/// each of the two: those who watch a holder wake each other, those who wait together watch each other.
enum class As { holder, waiter };
std::optional<platform::WordHolds> watch(LifeId id, As as) noexcept;

const Life& life_at(std::uint32_t place) noexcept;
const Life& life_of(LifeId id) noexcept;
/// The calling thread's, to be written to.
Life& own_life();
/// What tells that thread that its wait is over.
std::atomic<std::uint32_t>& signal_of(LifeId id) noexcept;
/// Places in use lie below this.
std::uint32_t lives_in_sight() noexcept;
/// The id of who has this place.
LifeId id_at(std::uint32_t place) noexcept;

/// "Process-1 (pid 12)", as long as no other has its place.
std::string describe(LifeId id);

/// Says how the calling thread is called; told once, by the room that knows.
void name_lives_by(void (*write_name)(char* buffer, std::size_t size));

/// With other commons: this thread has no life there yet.
void leave_lives_behind();
/// In a copy of this process: what its original had in hand is the original's.
void begin_as_copy() noexcept;
/// From now on that is done in each copy which somebody makes by fork(). Done with the first life at the
/// latest: in a host that was not linked with Chorus's entry (a plug-in's, an interpreter) nobody else does
/// it.
void forget_in_copies();

}  // namespace chorus::sync

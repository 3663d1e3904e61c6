// The threads of this process, as the program's end and fork see them.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <chorus/thread.hpp>
#include "platform/copy_mutex.hpp"

namespace chorus::inline v0::detail::worker {

struct ThreadState {
    enum Phase : std::uint32_t { initial, started, stopped };
    enum class Kind { made, main, foreign };

    Kind kind = Kind::made;
    std::string type_name = "Thread";
    int number = 0;                       ///< N of Thread-N; 0 if a name was given
    std::unique_ptr<message::Call> call;  ///< until it has run

    /// initial → started (its starter), → stopped (itself, last of all). Joiners set `awaited` before
    /// they sleep on it: a thread that no joiner awaits ends without a system call.
    std::atomic<std::uint32_t> phase{initial};
    std::atomic<bool> awaited{false};
    /// 0 → its id (itself). A caller that needs it earlier stores `wanted` there and sleeps.
    std::atomic<std::uint32_t> native_id{0};
    static constexpr std::uint32_t wanted = ~0U;
    std::atomic<std::uintptr_t> ident{0};
    std::atomic<bool> daemon{false};
    std::atomic<bool> halted{false};  ///< at the program's end

    mutable platform::CopyMutex mutex;        ///< guards name and call
    mutable std::optional<std::string> name;  ///< made from number and function when first asked for

    std::string full_name() const;
    void end() noexcept;
    /// Sleeps until it has ended or the deadline passed. Returns whether it has ended.
    bool wait_ended(Deadline deadline);
    int wait_native_id();
};

/// Joins all threads that are not daemons, except the caller.
/// Returns false if there was nothing to wait for.
bool join_threads();
/// The main thread's code has ended: its joiners are woken.
void main_thread_has_ended();
/// The calling thread counts as ended: it is about to end the process.
void current_thread_will_leave();
/// Halts the daemons. Returns false if one could not be halted.
bool halt_daemon_threads();

/// The calling thread's values of threading::local; null if it has none. They are destroyed at the
/// thread's end, after all its thread_locals.
void* table_of_locals() noexcept;
void keep_table_of_locals(void* table, void (*destroy)(void*));

/// "" for the main thread and for a thread that Chorus did not make.
std::string name_of_made_thread();

/// In a copy made by fork: only the calling thread is left, and is the main one.
void forget_other_threads();

/// Makes the calling thread the main one. Called first of all.
void adopt_main_thread();

}  // namespace chorus::inline v0::detail::worker

#include "sync/liveness.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include <chorus/errors.hpp>
#include "memory/region.hpp"
#include "platform/death_word.hpp"
#include "platform/fork_mutex.hpp"
#include "platform/os_thread.hpp"
#include "platform/process_id.hpp"
#include "platform/process_start.hpp"
#include "platform/robust_mutex.hpp"
#include "sync/wait_list.hpp"
#include "sync/waiting.hpp"

namespace chorus::inline v0::detail::sync {
namespace {

constexpr std::uint32_t place_bits = 15;
constexpr std::uint32_t epoch_bits = 14;
constexpr std::uint32_t mark = 1U << (place_bits + epoch_bits);  // above any thread number of the system
static_assert(SharedRuntime::most_participants == 1U << place_bits);

constexpr std::uint32_t place_of(ParticipantId id) { return id & ((1U << place_bits) - 1); }
constexpr std::uint32_t epoch_of(ParticipantId id) { return (id >> place_bits) & ((1U << epoch_bits) - 1); }
constexpr ParticipantId make_id(std::uint32_t place, std::uint32_t epoch) {
    return mark | (epoch & ((1U << epoch_bits) - 1)) << place_bits | place;
}

bool is_epoch(const Participant& life, ParticipantId id) noexcept {
    return (life.epoch & ((1U << epoch_bits) - 1)) == epoch_of(id);
}

constinit std::atomic<void (*)(char*, std::size_t)> write_name{nullptr};

// The pages of this process's threads that live, and of some that are dead: a place is used again by the
// process that had it, so that others' lives are seldom mapped to be written to.
struct OwnPages {
    struct Own {
        std::uint32_t place;
        platform::ParticipantPage page;
        Participant& life() const noexcept {
            return *std::launder(reinterpret_cast<Participant*>(page.data()));
        }
    };
    platform::ForkMutex mutex;
    std::vector<Own> pages;
    std::vector<Own> in_other_runtimes;  ///< mapped as long as this process is: their threads may live
};
OwnPages& own_pages() {
    static auto* const instance = new OwnPages;
    return *instance;
}
// Before main: a fork while another thread makes it would leave a copy that waits indefinitely.
[[maybe_unused]] auto& own_pages_made = own_pages();

constinit thread_local Participant* participant_page_of_this_thread = nullptr;

// Requires: as_waiter is held. The kernel goes through what a thread holds from the last to the first:
// so a watcher of a waiter is woken when is_dead() says so already, and until as_holder is held no
// thread takes this participant for the one before.
ParticipantId begin_participant(std::uint32_t place, Participant& life) {
    life.tid.exchange(0);  // what the one before has written comes before what follows
    hand_on_what_was_told(life, shared_runtime().signals()[place]);
    const std::uint32_t epoch = life.epoch.fetch_add(1) + 1;
    life.as_holder.try_hold();
    // A watcher of an earlier participant at this place must not sleep on: it looks again and finds
    // another epoch.
    if (epoch != 1) {
        life.as_holder.dismiss_watchers();
        life.as_waiter.dismiss_watchers();
    }
    life.pid = platform::process_id();
    life.name[0] = '\0';
    life.tasks = 0;
    if (auto* const write = write_name.load()) write(life.name, sizeof life.name);
    life.tid = platform::thread_id();  // last: the rest is there
    participant_page_of_this_thread = &life;
    return make_id(place, epoch);
}

// Of a thread that is dead.
std::optional<OwnPages::Own> take_free_page() {
    auto& own = own_pages();
    const std::lock_guard guard(own.mutex);
    const auto found =
        std::ranges::find_if(own.pages, [](const auto& each) { return !each.life().as_waiter.is_held(); });
    if (found == own.pages.end()) return std::nullopt;
    auto free = std::move(*found);
    own.pages.erase(found);
    return free;
}

std::optional<ParticipantId> try_to_live_at(OwnPages::Own candidate) {
    Participant& life = candidate.life();
    const std::uint32_t place = candidate.place;
    auto& own = own_pages();
    {
        const std::lock_guard guard(own.mutex);
        own.pages.reserve(own.pages.size() + 1);  // before it is held: from then on the page must stay
        if (!life.as_waiter.try_hold()) return std::nullopt;
        own.pages.push_back(std::move(candidate));
    }
    return begin_participant(place, life);
}

ParticipantId claim_participant() {
    while (auto free = take_free_page()) {
        if (const auto id = try_to_live_at(std::move(*free))) return *id;
    }
    SharedRuntime& here = shared_runtime();
    for (;;) {
        const std::uint32_t ready = participants_in_sight();
        const std::uint32_t first = here.hints().next_participant;
        for (std::uint32_t i = 0; i < ready; ++i) {
            const std::uint32_t place = (first + i) % ready;
            if (participant_at(place).as_waiter.is_held()) continue;
            const auto id =
                try_to_live_at({place, platform::ParticipantPage(shared_runtime_descriptor(),
                                                                 SharedRuntime::participants_offset +
                                                                     place * sizeof(Participant))});
            if (!id) continue;
            here.hints().next_participant = place + 1;
            return *id;
        }
        make_participants_ready(ready);
    }
}

}  // namespace

constinit thread_local ParticipantId participant_of_this_thread = no_participant;

void forget_in_copies() {
    static constinit std::atomic<bool> is_registered{false};
    if (is_registered.load(std::memory_order_relaxed) || is_registered.exchange(true)) return;
    platform::after_fork_in_child(begin_as_copy);
}

ParticipantId claim_this_participant() {
    platform::require_robust_list();
    forget_in_copies();
    participant_of_this_thread =
        claim_participant();  // never given back: the system does that when the thread ends
    return participant_of_this_thread;
}

void leave_participants_behind() {
    auto& own = own_pages();
    const std::lock_guard guard(own.mutex);
    std::ranges::move(own.pages, std::back_inserter(own.in_other_runtimes));
    own.pages.clear();
    participant_of_this_thread = no_participant;
    participant_page_of_this_thread = nullptr;
}

void begin_as_copy() noexcept {
    platform::hold_nothing();
    own_pages().pages.clear();
    participant_of_this_thread = no_participant;
    participant_page_of_this_thread = nullptr;
    free_print_lock();
    allow_endless_waits();
    memory::leave_arena_to_its_maker();
}

Participant& own_participant() {
    this_participant();
    return *participant_page_of_this_thread;
}

const Participant& participant_at(std::uint32_t place) noexcept { return shared_runtime().lives()[place]; }
const Participant& participant_of(ParticipantId id) noexcept { return participant_at(place_of(id)); }
std::atomic<std::uint32_t>& signal_of(ParticipantId id) noexcept {
    return shared_runtime().signals()[place_of(id)];
}
std::uint32_t participants_in_sight() noexcept {
    return std::min(shared_runtime().participants_ready.load(), SharedRuntime::most_participants);
}
ParticipantId id_at(std::uint32_t place) noexcept { return make_id(place, participant_at(place).epoch); }

bool is_participant(ParticipantId id) noexcept {
    return (id & mark) != 0 && place_of(id) < participants_in_sight();
}

bool is_dead(ParticipantId id) noexcept {
    if (place_of(id) >= participants_in_sight()) return true;
    const Participant& life = participant_of(id);
    return !life.as_holder.is_held() || !is_epoch(life, id);
}

std::optional<platform::WordHolds> watch(ParticipantId id, As as) noexcept {
    if (place_of(id) >= participants_in_sight()) return std::nullopt;
    const Participant& life = participant_of(id);
    const auto& watched = as == As::holder ? life.as_holder : life.as_waiter;
    const auto value = watched.watch();
    // After watch(), not before: a participant that takes the place meanwhile sees the watcher, or is
    // seen here.
    if (!value || !is_epoch(life, id)) return std::nullopt;
    return platform::WordHolds{&watched.word(), *value};
}

std::string describe(ParticipantId id) {
    if (place_of(id) >= participants_in_sight())
        return "a participant that cannot be known: its id is damaged";
    const Participant& life = participant_of(id);
    if (!is_epoch(life, id))
        return "a participant whose name is no longer known";  // another one has its place by now
    const std::string name(life.name, ::strnlen(life.name, sizeof life.name));
    return (name.empty() ? "" : name + " ") + "(pid " + std::to_string(life.pid) + ")";
}

void name_participants_by(void (*write)(char* buffer, std::size_t size)) { write_name = write; }

}  // namespace chorus::inline v0::detail::sync

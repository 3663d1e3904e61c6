#include <chorus/sync/internal/lives.hpp>

#include <cstring>

#include <chorus/errors.hpp>
#include <chorus/memory/internal/region.hpp>
#include <chorus/platform/mapping.hpp>
#include <chorus/platform/os_process.hpp>
#include <chorus/platform/os_thread.hpp>
#include <chorus/sync/internal/wait_list.hpp>
#include <chorus/sync/internal/waiting.hpp>

namespace chorus::sync {
namespace {

constexpr std::uint32_t place_bits = 15;
constexpr std::uint32_t epoch_bits = 14;
constexpr std::uint32_t mark = 1U << (place_bits + epoch_bits);  // above any thread number of the system
static_assert(Commons::most_lives == 1U << place_bits);

constexpr std::uint32_t place_of(LifeId id) { return id & ((1U << place_bits) - 1); }
constexpr std::uint32_t epoch_of(LifeId id) { return (id >> place_bits) & ((1U << epoch_bits) - 1); }
constexpr LifeId make_id(std::uint32_t place, std::uint32_t epoch) {
    return mark | (epoch & ((1U << epoch_bits) - 1)) << place_bits | place;
}

bool is_epoch(const Life& life, LifeId id) noexcept {
    return (life.epoch & ((1U << epoch_bits) - 1)) == epoch_of(id);
}

constinit std::atomic<void (*)(char*, std::size_t)> write_name{nullptr};

// Requires: as_waiter is held. The system takes back last what was locked first: so who watches a waiter is
// woken when is_dead() says so already, and until as_holder is locked nobody takes this life for the one
// before.
LifeId begin_life(std::uint32_t place) {
    Life& life = life_at(place);
    hand_on_what_was_told(life);
    const std::uint32_t epoch = life.epoch.fetch_add(1) + 1;
    life.as_holder.lock();
    // Whoever watches an earlier life at this place must not sleep on: it looks again and finds another
    // epoch.
    life.as_holder.dismiss_watchers();
    life.as_waiter.dismiss_watchers();
    life.pid = platform::process_id();
    life.tid = platform::thread_id();
    life.name[0] = '\0';
    life.tasks = 0;
    if (auto* const write = write_name.load()) write(life.name, sizeof life.name);
    return make_id(place, epoch);
}

void make_room_for_more(Commons& here) {
    here.growth_lock.lock();
    const std::uint32_t ready = here.lives_ready;
    bool full = ready == Commons::most_lives;
    try {
        if (!full) {
            const auto offset = static_cast<std::size_t>(reinterpret_cast<std::byte*>(here.lives() + ready) -
                                                         reinterpret_cast<std::byte*>(&here));
            platform::reserve(commons_descriptor(), offset, Commons::lives_at_a_time * sizeof(Life));
            for (std::uint32_t i = 0; i < Commons::lives_at_a_time; ++i) {
                auto* const life = new (here.lives() + ready + i) Life;
                life->as_holder.initialise();
                life->as_waiter.initialise();
            }
            here.lives_ready = ready + Commons::lives_at_a_time;
        }
    } catch (...) {
        here.growth_lock.unlock();
        throw;
    }
    here.growth_lock.unlock();
    if (full)
        throw Error("32768 threads of this program's processes use shared objects already: end some of them");
}

LifeId claim_life() {
    Commons& here = commons();
    for (;;) {
        const std::uint32_t ready = here.lives_ready;
        const std::uint32_t first = here.next_life;
        for (std::uint32_t i = 0; i < ready; ++i) {
            const std::uint32_t place = (first + i) % ready;
            Life& life = life_at(place);
            if (life.as_waiter.is_held() || !life.as_waiter.try_lock()) continue;
            here.next_life = place + 1;
            return begin_life(place);
        }
        make_room_for_more(here);
    }
}

}  // namespace

constinit thread_local LifeId life_of_this_thread = nobody;

void forget_in_copies() {
    static constinit std::atomic<bool> is_registered{false};
    if (is_registered.load(std::memory_order_relaxed) || is_registered.exchange(true)) return;
    platform::after_fork_in_child([] {
        forget_my_life();
        allow_endless_waits();
        memory::leave_arena_to_its_maker();
    });
}

LifeId claim_my_life() {
    forget_in_copies();
    life_of_this_thread = claim_life();  // never given back: the system does that when the thread ends
    return life_of_this_thread;
}

void forget_my_life() noexcept { life_of_this_thread = nobody; }

Life& life_at(std::uint32_t place) noexcept { return commons().lives()[place]; }
Life& life_of(LifeId id) noexcept { return life_at(place_of(id)); }
std::uint32_t lives_in_sight() noexcept { return commons().lives_ready; }
LifeId id_at(std::uint32_t place) noexcept { return make_id(place, life_at(place).epoch); }

bool is_dead(LifeId id) noexcept {
    if (place_of(id) >= lives_in_sight()) return true;
    Life& life = life_of(id);
    return !life.as_holder.is_held() || !is_epoch(life, id);
}

std::optional<platform::WordHolds> watch(LifeId id, As as) noexcept {
    if (place_of(id) >= lives_in_sight()) return std::nullopt;
    Life& life = life_of(id);
    auto& watched = as == As::holder ? life.as_holder : life.as_waiter;
    const auto value = watched.watch();
    // After watch(), not before: who takes the place meanwhile sees the watcher, or is seen here.
    if (!value || !is_epoch(life, id)) return std::nullopt;
    return platform::WordHolds{&watched.word(), *value};
}

std::string describe(LifeId id) {
    const Life& life = life_of(id);
    if (!is_epoch(life, id))
        return "somebody whose name is not known any more";  // another one is called that by now
    const std::string name(life.name, ::strnlen(life.name, sizeof life.name));
    return (name.empty() ? "" : name + " ") + "(pid " + std::to_string(life.pid) + ")";
}

void name_lives_by(void (*write)(char* buffer, std::size_t size)) { write_name = write; }

}  // namespace chorus::sync

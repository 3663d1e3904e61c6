#include "sync/wait_list.hpp"

#include <algorithm>
#include <vector>

namespace chorus::inline v0::detail::sync {
namespace {

bool tell(Sharing sharing, Word& signal) {
    const TellsInDeath pending(sharing, signal);
    std::uint32_t expected = waiting;
    if (!signal.compare_exchange_strong(expected, notified)) return false;
    if (sharing == Sharing::processes) {
        platform::shared_futex_wake(signal, 1);
    } else {
        platform::futex_wake(signal, 1);
    }
    return true;
}

struct Found {
    std::uint32_t ticket = 0;
    ParticipantId id = no_participant;
};

// Lives that say they wait for this, the oldest first; dead ones too.
std::vector<Found> find_waiters(std::uint64_t name) {
    std::vector<Found> found;
    const std::uint32_t end = participants_in_sight();
    for (std::uint32_t place = 0; place < end; ++place) {
        const Participant& life = participant_at(place);
        if (life.waits_for.load() == name) found.push_back({life.ticket, id_at(place)});
    }
    // Tickets start again at 0 when they have run out.
    std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
        return static_cast<std::int32_t>(a.ticket - b.ticket) < 0;
    });
    return found;
}

void notify_processes(WaitList& list, std::uint32_t most) {
    if (list.waiters == 0) return;
    bool anybody = false;
    for (const Found& waiter : find_waiters(list.name)) {
        if (is_dead(waiter.id)) continue;
        anybody = true;
        if (most == 0) break;
        if (tell(Sharing::processes, signal_of(waiter.id))) --most;
    }
    if (!anybody) list.waiters = 0;  // what the dead have left
}

void tell_first(const std::vector<Found>& found) {
    for (const Found& waiter : found) {
        if (!is_dead(waiter.id) && tell(Sharing::processes, signal_of(waiter.id))) return;
    }
}

// One that was told and died before it could act on it: the next in line is told instead. First that, then
// the mark that it was done: if this thread is killed in between it is done twice, not never.
void pass_on(const std::vector<Found>& found) {
    for (const Found& waiter : found) {
        Word& signal = signal_of(waiter.id);
        std::uint32_t told = signal.load();
        if (told != notified || !is_dead(waiter.id)) continue;
        tell_first(found);
        signal.compare_exchange_strong(told, none);
    }
}

Word& signal_of_this_thread(Sharing sharing, WaitingThread& thread) {
    return sharing == Sharing::threads ? thread.signal : signal_of(this_participant());
}

}  // namespace

void hand_on_what_was_told(Participant& life, Word& signal) {
    std::uint32_t told = signal.load();
    do {
        const std::uint64_t name = life.waits_for;
        if (told == notified && name != 0) tell_first(find_waiters(name));
        // Fails if it was told just now, by a caller that had not seen it die.
    } while (!signal.compare_exchange_weak(told, none));
    life.waits_for = 0;
}

void WaitList::notify(std::uint32_t most) {
    if (sharing.get("the condition") == Sharing::processes) return notify_processes(*this, most);
    for (WaitingThread* thread = first; thread != nullptr && most > 0;) {
        WaitingThread* const next = thread->next;  // a thread that was told may be gone
        if (thread->signal.load() == waiting && tell(Sharing::threads, thread->signal)) --most;
        thread = next;
    }
}

std::uint32_t WaitList::count() const noexcept {
    std::uint32_t waiters_now = 0;
    if (sharing.get_or(Sharing::processes) == Sharing::processes) {
        for (const Found& waiter : find_waiters(name)) waiters_now += is_dead(waiter.id) ? 0U : 1U;
    } else {
        for (const WaitingThread* thread = first; thread != nullptr; thread = thread->next) ++waiters_now;
    }
    return waiters_now;
}

Waiter::Waiter(WaitList& list)
    : list_(list),
      sharing_(list.sharing.get("the condition")),
      signal_(signal_of_this_thread(sharing_, thread_)) {
    if (sharing_ == Sharing::processes) {
        Participant& life = own_participant();
        signal_ = waiting;
        life.ticket = list.next_ticket++;
        ++list.waiters;
        life.waits_for = list.name;
        return;
    }
    thread_.previous = list.last;
    (list.last != nullptr ? list.last->next : list.first) = &thread_;
    list.last = &thread_;
}

// The lock is held again.
Waiter::~Waiter() {
    if (sharing_ == Sharing::processes) {
        own_participant().waits_for = 0;
        std::uint32_t left = list_.waiters;
        if (left > 0) list_.waiters = left - 1;
        return;
    }
    (thread_.previous != nullptr ? thread_.previous->next : list_.first) = thread_.next;
    (thread_.next != nullptr ? thread_.next->previous : list_.last) = thread_.previous;
}

bool Waiter::sleep(Deadline deadline) {
    if (spin_until([&] { return told(); })) return true;
    trace::Wait wait("Condition.wait");
    while (!told() && !deadline.has_passed()) {
        wait.begins();
        if (sharing_ == Sharing::threads) {
            platform::futex_wait(signal_, waiting, deadline);
        } else {
            sleep_among_processes(deadline);
        }
    }
    std::uint32_t expected = waiting;
    return !signal_.compare_exchange_strong(expected, none);  // told at the last moment counts
}

// Watches those before it: one of them may be told, and killed before it acts on it.
void Waiter::sleep_among_processes(Deadline deadline) {
    std::vector<platform::WordHolds> words{{&signal_, waiting}};
    const auto found = find_waiters(list_.name);
    const ParticipantId self = this_participant();
    for (const Found& older : found) {
        if (older.id == self || words.size() == platform::most_words_to_wait_on) break;
        const auto life = watch(older.id, As::waiter);
        if (life) words.push_back(*life);
    }
    pass_on(found);
    if (told()) return;
    platform::shared_futex_wait_on_all(words, deadline);
    for (std::size_t i = 1; i < words.size(); ++i) {
        if (words[i].word->load() != words[i].value) platform::shared_futex_wake_all(*words[i].word);
    }
}

}  // namespace chorus::inline v0::detail::sync

#include "pool/result_reader.hpp"

#include <array>
#include <cstdio>
#include <exception>
#include <utility>

#include "channel/queue_core.hpp"
#include "sync/waiting.hpp"

namespace chorus::inline v0::detail::pool {
namespace {

// Names the calling thread as long as it lives.
const void* this_thread() noexcept {
    static thread_local char here;
    return &here;
}

}  // namespace

// ---- leadership ---------------------------------------------------------------------------------

bool ResultReader::leads_here() const noexcept { return leader_.load() == this_thread(); }

bool ResultReader::lead() noexcept {
    const void* none = nullptr;
    return leader_.compare_exchange_strong(none, this_thread());
}

void ResultReader::stop_leading() {
    leader_waits_ = false;
    const bool some_left = has_some();
    leader_ = nullptr;
    const auto channels = channels_.current();
    try {
        const bool has_older = generation_ != channels_.generation();
        if (some_left || channel::is_ready_or_will_ring(*channels->answers) || has_older) state_.bell.ring();
    } catch (const Damaged& damage) {
        channels_.lose(channels, damage.what());
    }
}

void ResultReader::leave_ringing_to_the_leader() {
    const auto channels = channels_.current();
    try {
        channel::stop_ringing(*channels->answers);  // the leader blocks in the queue itself
    } catch (const Damaged& damage) {
        channels_.lose(channels, damage.what());
    }
}

bool ResultReader::wait_for(const worker::FutureState& future, Deadline deadline) {
    if (leads_here()) return lead_until(future, deadline);  // in a callback: rule 3
    while (!future.is_done()) {
        if (!lead()) return future.sleep_until_done(deadline);
        bool done = false;
        try {
            leave_ringing_to_the_leader();
            done = lead_until(future, deadline);
        } catch (...) {
            stop_leading();
            throw;
        }
        stop_leading();
        if (!done) return false;
    }
    return true;
}

bool ResultReader::lead_until(const worker::FutureState& future, Deadline deadline) {
    for (;;) {
        if (!has_some())
            leader_waits_ = true;  // before it looks: a thread that ends the future afterwards sees this
        if (future.is_done()) return true;
        if (!receive_one(deadline) && deadline.has_passed()) return future.is_done();
    }
}

void ResultReader::wake_waiting() noexcept {
    if (!leader_waits_.load() || leads_here() || state_.is_a_copy()) return;
    try {
        if (leader_waits_.exchange(false)) channels_.post(channels_.current(), {0, 0, AnswerHeader::wake_up});
    } catch (const std::exception& error) {  // no memory; the leader looks again when anything comes
        std::fprintf(stderr, "chorus: in a pool: %s\n", error.what());
    }
}

void ResultReader::receive_all(bool has_come) {
    if (lead()) {
        do {
            while (receive_one(now)) {
            }
        } while (sync::spin_until([&] { return channel::has_some(*channels_.current()->answers); }));
        stop_leading();
    } else if (has_come) {
        leave_ringing_to_the_leader();
        // Unless it has stopped leading meanwhile: then it had asked for the ringing that was just
        // stopped.
        if (!has_leader()) state_.bell.ring();
    }
}

// ---- the leader ---------------------------------------------------------------------------------

// Returns false when nothing came in time, or the channels were replaced.
bool ResultReader::receive_one(Deadline deadline) {
    if (generation_ != channels_.generation()) open_current();
    try {
        if (!has_some() && !drain(deadline)) return false;
    } catch (const ShutDown& error) {
        channels_.lose_answers(source_, error);
        return false;
    } catch (const Damaged& damage) {
        channels_.lose(source_, damage.what());
        return false;
    }
    auto result = std::move(taken_[next_++]);
    received_.fetch_add(1, std::memory_order_relaxed);
    // Rule 2: a callback that drains the queue fills other memory. It does so when nothing is left in
    // taken_, so the messages that are there afterwards lie in bytes_ again.
    std::vector<std::byte> held = std::exchange(bytes_, {});
    const Finally give_back([&] {
        if (bytes_.empty()) bytes_ = std::move(held);
    });
    try {
        handle_(result);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "chorus: in a pool: %s\n", error.what());
    }
    return true;
}

void ResultReader::open_current() {
    source_ = channels_.current();
    if (generation_.exchange(source_->generation) != 0)
        state_.bell.ring();  // from now on the backend's thread reads the older ones
}

// Requires: everything that was taken is handled, or being handled.
bool ResultReader::drain(Deadline deadline) {
    taken_.clear();
    next_ = 0;
    bytes_.clear();
    channel::Getting getting(*source_->answers, deadline);
    if (!getting.begun()) return false;
    try {
        take_all(getting);
    } catch (...) {  // they are still in the queue
        taken_.clear();
        throw;
    }
    return true;
}

void ResultReader::take_all(channel::Getting& getting) {
    constexpr std::size_t most = 64;
    struct Place {
        std::uint32_t block;
        bool is_long;
        std::size_t size;
    };
    std::array<Place, most> places;
    do {
        auto& place = places[taken_.size()];
        auto& result = taken_.emplace_back();
        result.header = read_header<AnswerHeader>(getting.bytes());
        result.rest = getting.bytes().subspan(sizeof result.header);
        try {
            result.attachments = getting.attachments();
        } catch (...) {
            result.error = std::current_exception();
        }
        place = {getting.block(), getting.is_long(), result.rest.size()};
        if (!place.is_long) bytes_.insert(bytes_.end(), result.rest.begin(), result.rest.end());
    } while (taken_.size() < most && getting.next());
    getting.commit();
    std::size_t begin = 0;
    for (std::size_t i = 0; i < taken_.size(); ++i) {
        const auto& place = places[i];
        if (place.is_long) {
            taken_[i].block.emplace(source_->answers, place.block);
        } else {
            taken_[i].rest = std::span<const std::byte>(bytes_).subspan(begin, place.size);
            begin += place.size;
        }
    }
}

}  // namespace chorus::inline v0::detail::pool

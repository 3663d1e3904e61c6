#include "pool/deadlines.hpp"

#include <utility>

namespace chorus::inline v0::detail::pool {

void Deadlines::remove(std::uint64_t id) noexcept {
    for (auto* const some : {&due_, &fresh_})
        std::erase_if(*some, [&](const Due& due) { return due.id == id; });
}

std::optional<std::uint64_t> Deadlines::take_late(TimePoint time) noexcept {
    while (!fresh_.empty()) {
        auto fresh = fresh_.extract(fresh_.begin());
        if (fresh.value().when != Watchdog::never) fresh.value().when += time;
        due_.insert(std::move(fresh));
    }
    if (due_.empty() || due_.begin()->when > time) return std::nullopt;
    const auto id = due_.begin()->id;
    due_.erase(due_.begin());
    return id;
}

bool StallWatch::has_stalled(Progress progress, TimePoint time) noexcept {
    if (waiting_ == 0) {
        since_.reset();
        return false;
    }
    const bool has_progressed = !since_ || progress != seen_;
    if (!has_progressed && time < next()) return false;
    seen_ = progress;
    since_ = time;
    return !has_progressed;
}

}  // namespace chorus::inline v0::detail::pool

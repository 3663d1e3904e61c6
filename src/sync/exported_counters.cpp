#include "sync/exported_counters.hpp"

#include <algorithm>

#include "platform/process_id.hpp"
#include "sync/shared_runtime.hpp"

namespace chorus::inline v0::detail::sync {
namespace {

bool is_gone(std::int32_t owner) noexcept {
    return owner != 0 && !platform::process_exists(owner < 0 ? -owner : owner);
}

CounterBlock* take_place(std::int32_t me) noexcept {
    try {
        for (auto& sign : shared_runtime().signs()) {
            std::int32_t owner = sign.pid;
            if ((owner == 0 || is_gone(owner)) && sign.pid.compare_exchange_strong(owner, -me)) return &sign;
        }
    } catch (const std::exception&) {  // no memory for the shared runtime: no observer can look at it either
    }
    return nullptr;
}

}  // namespace

ExportedCounters::ExportedCounters(std::string_view name) noexcept
    : sign_(&unseen_), maker_(platform::process_id()) {
    CounterBlock* const place = take_place(maker_);
    if (place == nullptr) return;
    sign_ = place;
    for (auto& number : place->numbers) number = 0;
    const auto end = std::copy_n(name.data(), std::min(name.size(), sizeof place->name - 1), place->name);
    std::fill(end, std::end(place->name), '\0');
    place->pid = maker_;
}

ExportedCounters::~ExportedCounters() {
    const bool is_ours = maker_ == platform::process_id();  // not in a copy of the process, where another
                                                            // object may have this place by now
    if (sign_ != &unseen_ && is_ours) sign_->pid = 0;
}

}  // namespace chorus::inline v0::detail::sync

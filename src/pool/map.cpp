#include <chorus/detail/pool/map.hpp>

#include <algorithm>
#include <cstring>

namespace chorus::inline v0::detail::pool {

std::size_t chunk_size(std::size_t wanted, std::size_t items, std::size_t workers) noexcept {
    if (wanted != 0 || items == 0) return wanted;
    const std::size_t parts = 4 * std::max<std::size_t>(workers, 1);
    return (items + parts - 1) / parts;
}

void RowTask::take_value(message::Reader& in) {
    const std::size_t count = in.read_count();
    const auto made = in.take(count * size_of_each_);
    if (made.size() != places_.size()) {
        throw DecodeError("message damaged: " + std::to_string(places_.size() / size_of_each_) +
                          " results expected, " + std::to_string(count) + " came");
    }
    if (!made.empty()) std::memcpy(places_.data(), made.data(), made.size());
    TypedTask<void>::take_value(in);
}

Chunks::Chunks(std::size_t items, std::size_t chunk, std::shared_ptr<ProgressMeter> meter)
    : meter_(std::move(meter)),
      chunk_(chunk),
      futures_(chunk == 0 ? 0 : (items + chunk - 1) / chunk),
      left_(futures_.size()) {}

void Chunks::add(std::size_t number, const std::shared_ptr<worker::FutureState>& chunk) {
    {
        const std::lock_guard guard(mutex_);
        futures_[number] = chunk;
    }
    // The callback owns the future's state only until it has run.
    chunk->add_callback([job = shared_from_this(), number, chunk] { job->take(number, *chunk); });
}

void Chunks::give_up_and_wait() {
    for (const auto& each : not_ended()) {
        if (!each->cancel()) each->wait_until_done({});
    }
    if (meter_) meter_->close();
}

void Chunks::cancel_all() {
    for (const auto& each : not_ended()) each->cancel();
    if (meter_) meter_->hide();
}

std::vector<std::shared_ptr<worker::FutureState>> Chunks::not_ended() {
    const std::lock_guard guard(mutex_);
    std::vector<std::shared_ptr<worker::FutureState>> those;
    std::ranges::copy_if(futures_, std::back_inserter(those),
                         [](const auto& each) { return each != nullptr; });
    return those;
}

void Chunks::take(std::size_t number, worker::FutureState& chunk) {
    const auto error = chunk.error();
    {
        const std::lock_guard guard(mutex_);
        futures_[number] = nullptr;
        if (error && (!error_ || number < failed_)) {
            error_ = error;
            failed_ = number;
        }
    }
    if (!error) take_part(number, chunk);  // without the lock: no other thread writes this part
    if (left_.fetch_sub(1) != 1) return;
    if (meter_) {
        meter_->when_quiet([job = shared_from_this()] { job->give_value(job->error_); });
    } else {
        give_value(error_);
    }
}

}  // namespace chorus::inline v0::detail::pool

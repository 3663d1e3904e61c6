#include "pool/result_reader.hpp"

#include <cstdio>
#include <cstring>
#include <exception>
#include <utility>

#include <chorus/errors.hpp>
#include "memory/damage.hpp"

namespace chorus::inline v0::detail::pool {

bool ResultReader::receive(Deadline deadline, const std::function<void(ReceivedResult&)>& handle) {
    if (taken_.empty() && !take_what_came(deadline)) return false;
    std::list<Taken> one;
    one.splice(one.begin(), taken_, taken_.begin());
    auto& [result, begin, size, block] = one.front();
    if (!block) result.rest = std::span<const std::byte>(memory_).subspan(begin, size);
    ++depth_;
    try {
        handle(result);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "chorus: in a pool: %s\n", error.what());
    }
    if (--depth_ == 0) older_memory_.clear();
    return true;
}

bool ResultReader::take_what_came(Deadline deadline) {
    constexpr std::size_t most = 64;
    if (depth_ > 0) older_memory_.push_back(std::exchange(memory_, {}));
    memory_.clear();
    std::list<Taken> came;
    std::vector<std::uint32_t> blocks;
    {
        channel::Getting getting(*answers_, deadline);
        if (!getting.begun()) return false;
        do {
            auto& [result, begin, size, block] = came.emplace_back();
            const auto bytes = getting.bytes();
            if (bytes.size() < sizeof result.header)
                memory::throw_damaged("a pool's queue of answers", "a message is shorter than its header");
            std::memcpy(&result.header, bytes.data(), sizeof result.header);
            if (!result.header.is_whole())
                memory::throw_damaged("a pool's queue of answers", "a header was written over");
            const auto rest = bytes.subspan(sizeof result.header);
            try {
                result.attachments = getting.attachments();
            } catch (...) {
                result.error = std::current_exception();
            }
            blocks.push_back(getting.block());
            if (getting.is_long()) {
                result.rest = rest;
            } else {
                begin = memory_.size();
                size = rest.size();
                memory_.insert(memory_.end(), rest.begin(), rest.end());
            }
        } while (came.size() < most && getting.next());
        getting.commit();
    }
    std::size_t i = 0;
    for (auto& each : came) {
        if (!each.result.rest.empty()) each.block.emplace(answers_, blocks[i]);
        ++i;
    }
    taken_.splice(taken_.end(), came);
    return true;
}

}  // namespace chorus::inline v0::detail::pool

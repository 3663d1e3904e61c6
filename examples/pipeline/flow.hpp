// The flow of blocks through the stages, and what is done when a worker dies.
//
//              ranges            blocks             packed
//     Flow ──▶ ═══════ ─▶ read ─▶ ═══════ ─▶ pack ─▶ ═══════ ──▶ Flow ──▶ output, in order
//                        readers  bounded   workers  bounded
//
// Back-pressure: a stage whose successor is slow waits in put(). What is given out and not written is bounded
// too, so that a slow block does not make those behind it pile up.
//
// Thread safety: used by one thread, the caller's. Workers take part through the queues only.
// Crash safety: a worker that dies is replaced, and all that it may have held is given out again: every
//               block that is given out and has not come back. So a block may come back twice; the
//               second one is dropped. No block is lost, and none is written twice.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <chorus/chorus.hpp>

#include "interrupt.hpp"
#include "output.hpp"
#include "plan.hpp"
#include "stages.hpp"

namespace pipeline {

struct Shape {
    int readers = 1;
    int workers = 1;
    int level = 6;
    std::uint64_t block_size = 0;
};

template <class Kind>
class Flow {
public:
    Flow(const std::vector<Input>& inputs, const std::vector<Range>& plan, const Shape& shape, Output& output)
        : plan_(plan),
          shape_(shape),
          output_(output),
          window_(4 * static_cast<std::size_t>(shape.readers + shape.workers)) {
        for (const auto& input : inputs) paths_.push_back(input.path);
        for (int i = 1; i <= shape.readers; ++i)
            add([this, name = "read-" + std::to_string(i)] {
                return Worker(Options{name, true}, read_blocks<Kind>, ranges_, blocks_, paths_);
            });
        for (int i = 1; i <= shape.workers; ++i)
            add([this, name = "pack-" + std::to_string(i)] {
                return Worker(Options{name, true}, pack_blocks<Kind>, blocks_, packed_, shape_.level);
            });
    }
    Flow(const Flow&) = delete;
    Flow& operator=(const Flow&) = delete;
    ~Flow() {
        ranges_.shutdown({.immediate = true});
        blocks_.shutdown({.immediate = true});
        packed_.shutdown({.immediate = true});
        for (auto& member : members_) member.worker.join();
    }

    /// To the end of the plan; or, once `is_stopped` says so, to the end of what was given out. `look_on` is
    /// called now and then.
    /// Throws: std::runtime_error for a block that cannot be had, with its place; std::system_error if the
    /// output cannot be written.
    void run(const std::function<bool()>& is_stopped, const std::function<void()>& look_on) {
        while (written_ < given_ || (given_ < plan_.size() && !is_stopped())) {
            while (given_ < plan_.size() && given_ - written_ < window_ && !is_stopped())
                ranges_.put(plan_[given_++]);
            hear();
            replace_the_dead();
            look_on();
        }
    }

    /// Blocks: given out, and written. They are equal when run() has returned.
    std::size_t given() const noexcept { return given_; }
    std::size_t written() const noexcept { return written_; }
    std::uint64_t deaths() const noexcept { return deaths_; }

private:
    using Worker = typename Kind::Worker;
    using Options = typename Kind::Options;
    struct Member {
        std::function<Worker()> make;
        Worker worker;
    };

    void add(std::function<Worker()> make) {
        members_.push_back({make, make()});
        start(members_.back().worker);
    }

    static void start(Worker& worker) {
        const InterruptsBlocked
            here;  // a terminal sends Ctrl-C to all; what it means is the first process's business
        worker.start();
    }

    void hear() {
        using namespace std::chrono_literals;
        try {
            Block block = packed_.get(100ms);
            if (block.number >= written_) arrived_.try_emplace(block.number, std::move(block));
        } catch (const chorus::Empty&) {
            return;
        }
        for (auto next = arrived_.find(written_); next != arrived_.end(); next = arrived_.find(written_)) {
            if (!next->second.error.empty())
                throw std::runtime_error(place_of(written_) + ": " + next->second.error);
            output_.append(next->second.bytes);
            arrived_.erase(next);
            ++written_;
            rounds_of_death_ = 0;
        }
    }

    void replace_the_dead() {
        bool some_died = false;
        for (auto& member : members_) {
            if (member.worker.is_alive()) continue;
            member.worker.join();
            member.worker = member.make();
            start(member.worker);
            ++deaths_;
            some_died = true;
        }
        if (!some_died) return;
        if (++rounds_of_death_ > 5)
            throw std::runtime_error(place_of(written_) +
                                     ": workers died again and again and this was not done");
        for (std::size_t number = written_; number < given_; ++number) {
            if (!arrived_.contains(number)) ranges_.put(plan_[number]);
        }
    }

    std::string place_of(std::size_t number) const {
        return paths_[plan_[number].file] + ": at byte " + std::to_string(plan_[number].offset);
    }

    const std::vector<Range>& plan_;
    const Shape shape_;
    Output& output_;
    const std::size_t window_;
    std::vector<std::string> paths_;
    typename Kind::template Queue<Range>
        ranges_;  // never holds more than the window, and what is given out again
    typename Kind::template Queue<Block> blocks_ =
        Kind::template bounded<Block>(2 * static_cast<std::size_t>(shape_.workers), 4 * shape_.block_size);
    typename Kind::template Queue<Block> packed_ =
        Kind::template bounded<Block>(2 * static_cast<std::size_t>(shape_.workers), 4 * shape_.block_size);
    std::deque<Member> members_;
    std::map<std::uint64_t, Block> arrived_;  // and not written: one before them is still in flight
    std::size_t given_ = 0;
    std::size_t written_ = 0;
    std::uint64_t deaths_ = 0;
    int rounds_of_death_ = 0;  // since something was written
};

}  // namespace pipeline

#include "timeline/rows.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

namespace command::timeline {
namespace {

struct Thread {
    Row row;
    std::vector<std::size_t> open;  ///< spans that have begun, by their index, the innermost last
    double last = 0;
    double started = 0;
};

struct Process {
    std::int64_t number = 0;
    std::string name{};
    std::int64_t parent = 0;
    std::vector<std::size_t> threads{};
    std::optional<double> died{};
    std::optional<double> ended{};  ///< as its parent reports it
    std::string story{};
    std::optional<double> started{};  ///< as its parent says
    bool is_placed = false;
};

class Builder {
public:
    explicit Builder(const Trace& trace) : start_(trace.events.front().time), torn_(trace.torn) {
        for (const auto& event : trace.events) take(event);
        length_ = trace.events.back().time - start_;
    }

    Timeline build() {
        Timeline timeline;
        timeline.program = program_;
        timeline.length = timeline.scale = length_;
        timeline.torn = torn_;
        for (auto& process : processes_) end(process);
        for (std::size_t i = 0; i < processes_.size(); ++i) {
            if (!has_parent_here(processes_[i])) add(timeline, i, 0);
        }
        for (std::size_t i = 0; i < processes_.size(); ++i)
            add(timeline, i, 0);  // whose numbers, used twice, make them each other's parents
        for (const auto& each : arrows_) {
            if (each.to_thread == none || !places_.contains(each.from_thread) ||
                !places_.contains(each.to_thread))
                continue;
            timeline.arrows.push_back(
                {places_[each.from_thread], each.from, places_[each.to_thread], each.to, each.kind});
        }
        return timeline;
    }

private:
    static constexpr std::size_t none = ~std::size_t{0};
    static constexpr std::int64_t most_arrows_of_one = 1000;  ///< of the items that were put or got at once

    struct Flight {
        std::size_t from_thread = none;
        double from = 0;
        std::size_t to_thread = none;
        double to = 0;
        std::string kind{};
    };

    void take(const Event& event) {
        const double at = event.time - start_;
        if (event.what == 'M') return take_name(event);
        const std::size_t index = thread_of(event);
        Thread& thread = threads_[index];
        if (event.kind == "life") return take_life(event, at, thread);
        thread.last = at;
        switch (event.what) {
            case 'B':
                thread.open.push_back(thread.row.spans.size());
                thread.row.spans.push_back(
                    {at, at, event.name, event.kind, thread.open.size() - 1, event.number("task", 0)});
                break;
            case 'E':
                if (thread.open.empty()) break;
                thread.row.spans[thread.open.back()].to = at;
                thread.open.pop_back();
                if (const auto code = event.number("exitcode", 0); code != 0) leave(thread, at, code);
                break;
            case 's':
                arrow_places_[event.arrow] = arrows_.size();
                arrows_.push_back({index, at, none, 0, "task"});
                break;
            case 'f': arrive(arrow_places_, event.arrow, index, at); break;
            case 'i':
                if (event.kind == "message") take_message(event, at, index);
                break;
            default: break;
        }
    }

    void take_name(const Event& event) {
        if (event.name == "chorus_trace" && program_.empty())
            program_ = std::filesystem::path(event.text("program")).filename();
        if (event.name == "process_name") {
            // The number may be that of one that has ended: this is another one.
            processes_.push_back(
                {.number = event.process, .name = event.text("name"), .parent = event.number("parent", 0)});
            if (const auto start = to_come_.extract(event.process))
                processes_.back().started = start.mapped();
            by_number_[event.process] = processes_.size() - 1;
            std::erase_if(by_thread_, [&](const auto& each) { return each.first.first == event.process; });
        }
        if (event.name == "thread_name") {
            // So with threads.
            const auto known = by_thread_.find({event.process, event.thread});
            if (known != by_thread_.end() && !threads_[known->second].row.spans.empty() &&
                threads_[known->second].open.empty())
                by_thread_.erase(known);
            Thread& thread = threads_[thread_of(event)];
            thread.row.name = event.text("name");
            if (const auto start = thread_starts_.extract({event.process, thread.row.name}))
                thread.started = start.mapped();
        }
    }

    // Told by the parent.
    void take_life(const Event& event, double at, Thread& thread) {
        if (event.name.starts_with("start ")) {
            thread.last = at;
            if (const auto child = event.number("pid", 0); child != 0) {
                take_start(child, at);
            } else {
                thread_starts_[{event.process, event.name.substr(6)}] = at;
            }
            return;
        }
        Process& process = processes_[by_number_.at(event.process)];
        if (event.name == "died") {
            process.died = at;
            process.story = event.text("story");
            thread.row.marks.push_back({at, Mark::Kind::died, process.story});
        } else if (event.name == "ended") {
            process.ended = at;
            const bool said_so = std::ranges::any_of(
                thread.row.marks, [](const Mark& mark) { return mark.kind == Mark::Kind::left; });
            if (const auto code = event.number("exitcode", 0); code != 0 && !said_so) leave(thread, at, code);
        }
    }

    // Events of the child itself may come before its start or after it.
    void take_start(std::int64_t child, double at) {
        const auto known = by_number_.find(child);
        if (known != by_number_.end() && !processes_[known->second].started) {
            processes_[known->second].started = at;
        } else {
            to_come_[child] = at;
        }
    }

    static void leave(Thread& thread, double at, std::int64_t code) {
        thread.row.marks.push_back({at, Mark::Kind::left, "exit code " + std::to_string(code)});
    }

    void take_message(const Event& event, double at, std::size_t thread) {
        const std::int64_t items = event.number("items", 1);
        std::string text = event.name + " " + std::to_string(items) + (items == 1 ? " item" : " items");
        if (const auto bytes = event.number("bytes", -1); bytes >= 0)
            text += ", " + std::to_string(bytes) + " bytes";
        const bool is_put = event.name == "put";
        threads_[thread].row.marks.push_back({at, is_put ? Mark::Kind::put : Mark::Kind::got, text});
        for (std::int64_t i = 0; i < std::min(items, most_arrows_of_one); ++i) {
            const std::pair item{event.number("queue", 0), event.number("first", 0) + i};
            if (is_put) {
                message_places_[item] = arrows_.size();
                arrows_.push_back({thread, at, none, 0, "message"});
            } else {
                arrive(message_places_, item, thread, at);
            }
        }
    }

    template <class Places, class Key>
    void arrive(const Places& places, const Key& key, std::size_t thread, double at) {
        const auto found = places.find(key);
        if (found == places.end()) return;
        arrows_[found->second].to_thread = thread;
        arrows_[found->second].to = at;
    }

    std::size_t process_of(std::int64_t number) {
        const auto [place, is_new] = by_number_.try_emplace(number, processes_.size());
        if (is_new) processes_.push_back({.number = number, .name = "a copy of a process"});
        return place->second;
    }

    std::size_t thread_of(const Event& event) {
        const auto [place, is_new] = by_thread_.try_emplace({event.process, event.thread}, threads_.size());
        if (is_new) {
            Thread thread;
            thread.row.process = event.process;
            thread.row.thread = event.thread;
            thread.row.is_main = event.process == event.thread;
            thread.started = event.time - start_;
            thread.row.name = thread.row.is_main ? "MainThread" : "thread " + std::to_string(event.thread);
            processes_[process_of(event.process)].threads.push_back(threads_.size());
            threads_.push_back(std::move(thread));
        }
        return place->second;
    }

    // What is still open then: ended by the process's death, by its end, or by nothing that the trace tells
    // of.
    void end(const Process& process) {
        bool main_has_ended = false;
        double last = 0;
        for (const auto index : process.threads) {
            const Thread& thread = threads_[index];
            last = std::max(last, thread.last);
            if (thread.row.is_main && !thread.row.spans.empty() && thread.open.empty()) main_has_ended = true;
        }
        for (const auto index : process.threads) {
            Thread& thread = threads_[index];
            for (const auto open : thread.open) {
                Span& span = thread.row.spans[open];
                if (process.died) {
                    span.to = *process.died;
                    span.ending = process.story;
                } else if (main_has_ended) {
                    span.to = std::max(span.from, last);
                    span.ending = "ended with its process";
                } else if (process.ended) {
                    span.to = *process.ended;
                    span.ending = "ended with its process";
                } else {
                    span.to = length_;
                    span.ending = "not ended when the trace ends";
                }
            }
        }
    }

    bool has_parent_here(const Process& process) const {
        return by_number_.contains(process.parent) && process.parent != process.number;
    }

    void add(Timeline& timeline, std::size_t index, std::size_t depth) {
        Process& process = processes_[index];
        if (std::exchange(process.is_placed, true)) return;
        std::ranges::stable_sort(process.threads, {}, [&](std::size_t each) {
            return std::pair(!threads_[each].row.is_main, threads_[each].started);
        });
        for (const auto each : process.threads) {
            Row& row = threads_[each].row;
            const bool says_something = row.is_main || !row.spans.empty() || !row.marks.empty();
            if (!says_something) continue;
            row.depth = row.is_main ? depth : depth + 1;
            if (row.is_main) row.name = process.name;
            places_[each] = timeline.rows.size();
            timeline.rows.push_back(std::move(row));
        }
        if (by_number_.at(process.number) != index)
            return;  // an older one of the same number: children are the newer one's
        std::vector<std::size_t> children;
        for (std::size_t each = 0; each < processes_.size(); ++each) {
            if (processes_[each].parent == process.number && each != index) children.push_back(each);
        }
        std::ranges::stable_sort(
            children, {}, [&](std::size_t each) { return processes_[each].started.value_or(length_); });
        for (const auto each : children) add(timeline, each, depth + 1);
    }

    const double start_;
    const std::size_t torn_;
    double length_ = 0;
    std::string program_;
    std::vector<Process> processes_;
    std::vector<Thread> threads_;
    std::map<std::int64_t, std::size_t> by_number_;
    std::map<std::pair<std::int64_t, std::string>, double> thread_starts_;
    std::map<std::int64_t, double> to_come_;  ///< starts of processes without an event of their own yet
    std::map<std::pair<std::int64_t, std::int64_t>, std::size_t> by_thread_;
    std::vector<Flight> arrows_;
    std::map<std::int64_t, std::size_t> arrow_places_;
    std::map<std::pair<std::int64_t, std::int64_t>, std::size_t> message_places_;
    std::map<std::size_t, std::size_t> places_;  ///< of threads, among the rows
};

}  // namespace

std::size_t Row::levels() const noexcept {
    std::size_t most = 0;
    for (const auto& span : spans) most = std::max(most, span.level + 1);
    return most;
}

bool Row::has(Mark::Kind kind) const noexcept {
    return std::ranges::any_of(marks, [kind](const Mark& mark) { return mark.kind == kind; });
}

Timeline put_in_order(const Trace& trace) { return Builder(trace).build(); }

}  // namespace command::timeline

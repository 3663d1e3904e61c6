// Model checker for small protocols on a weakly ordered machine: runs all executions, one after the other.
//
// A thread is a coroutine. Each operation on memory is awaited, and another thread may run there. A word
// keeps all values that were stored into it, in modification order. Each thread has a view: for each word the
// oldest value that it can still read. A load may return any value from there on, as store buffers and caches
// allow. An acquire load that reads from a release store joins the view of the storing thread. Sequentially
// consistent operations and the kernel's barriers share one more view. A plain variable must be accessed in
// the view of its last write: anything else is a data race.
//
// Every choice (which thread runs, which value a load returns) is taken in every way, by running the threads
// again from the beginning. A failure is reported with the steps of its execution.
//
// Limits:
//   1. stores to a word are ordered as they execute, so an older store never becomes the last one;
//   2. loads do not execute before the operations in front of them in program order;
//   3. a sequentially consistent load is ordered after a release store in front of it, as on ARMv8 and x86;
//      C++ alone does not promise it;
//   4. a compare-exchange does not fail spuriously;
//   5. at most one thread is killed, between any two of its operations. The kernel then does what robust
//      lists ask of it: it marks the thread's life, and wakes one sleeper on the word that the innermost
//      WakesAtDeath names. Tests that kill real processes are in tests/storm.
#pragma once

#include <algorithm>
#include <atomic>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace model {

using View = std::vector<std::size_t>;

inline void take_over(View& view, const View& other) {
    if (view.size() < other.size()) view.resize(other.size());
    for (std::size_t i = 0; i < other.size(); ++i) view[i] = std::max(view[i], other[i]);
}

/// What is wrong with an execution.
struct Failure {
    std::string what;
};

/// A coroutine of a thread, or one that it awaits.
template <class T>
class Task;

namespace internal {

struct PromiseBase {
    std::coroutine_handle<> caller;
    std::suspend_always initial_suspend() noexcept { return {}; }
    struct Final {
        bool await_ready() noexcept { return false; }
        template <class Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
            return self.promise().caller ? self.promise().caller : std::noop_coroutine();
        }
        void await_resume() noexcept {}
    };
    Final final_suspend() noexcept { return {}; }
    std::exception_ptr error;
    void unhandled_exception() { error = std::current_exception(); }
};

template <class T>
struct Promise : PromiseBase {
    T value{};
    Task<T> get_return_object();
    void return_value(T result) { value = result; }
    T result() { return value; }
};
template <>
struct Promise<void> : PromiseBase {
    Task<void> get_return_object();
    void return_void() {}
    void result() {}
};

}  // namespace internal

template <class T = void>
class Task {
public:
    using promise_type = internal::Promise<T>;
    explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
    Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Task& operator=(Task&&) = delete;
    ~Task() {
        if (handle_) handle_.destroy();
    }

    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) noexcept {
        handle_.promise().caller = caller;
        return handle_;
    }
    T await_resume() {
        if (handle_.promise().error) std::rethrow_exception(handle_.promise().error);
        return handle_.promise().result();
    }

    std::coroutine_handle<promise_type> handle() const noexcept { return handle_; }

private:
    std::coroutine_handle<promise_type> handle_;
};

template <class T>
Task<T> internal::Promise<T>::get_return_object() {
    return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
inline Task<void> internal::Promise<void>::get_return_object() {
    return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

class Machine;

/// One of the machine's 32-bit words, with the operations of std::atomic, to be awaited.
class Word {
public:
    Word(Machine& machine, std::string name, std::uint32_t value = 0);

    struct Operation;
    Operation load(std::memory_order order = std::memory_order_seq_cst);
    Operation store(std::uint32_t value, std::memory_order order = std::memory_order_seq_cst);
    Operation exchange(std::uint32_t value, std::memory_order order = std::memory_order_seq_cst);
    /// Returns the value that was found: it was exchanged if that is the expected one.
    Operation compare_exchange(std::uint32_t expected, std::uint32_t value,
                               std::memory_order order = std::memory_order_seq_cst,
                               std::memory_order failure = std::memory_order_seq_cst);

    /// What it holds when all threads have ended or sleep.
    std::uint32_t last() const;

private:
    friend class Machine;
    friend class WakesAtDeath;
    Machine& machine_;
    std::size_t number_;
};

/// While one lives in a thread, the kernel wakes one sleeper on the word should that thread be killed, unless
/// the low 30 bits say that the word belongs to a thread.
class WakesAtDeath {
public:
    WakesAtDeath(Machine& machine, Word& word);
    ~WakesAtDeath();
    WakesAtDeath(const WakesAtDeath&) = delete;
    WakesAtDeath& operator=(const WakesAtDeath&) = delete;

private:
    Machine& machine_;
    std::size_t thread_;
};

/// What the kernel does to a word that says whose life it is.
constexpr std::uint32_t died = 1U << 30;
constexpr std::uint32_t watched = 1U << 31;

/// A variable that is no atomic.
class Plain {
public:
    Plain(Machine& machine, std::string name);
    /// Throws: Failure for a data race.
    std::uint32_t read() const;
    void write(std::uint32_t value);

private:
    Machine& machine_;
    std::size_t number_;
};

class Machine {
public:
    /// What a word holds before it lets a thread sleep on it.
    struct Expected {
        Word* word;
        std::uint32_t value;
    };

    /// Makes the words and threads of one execution, by add().
    using Setup = std::function<void(Machine&)>;
    struct Result {
        std::uint64_t executions = 0;
        std::string failure;  ///< "" if none fails
    };
    /// `preemptions`: how often a thread that could go on is kept from it, at most. Few suffice for most
    /// faults, and all executions may be too many.
    static Result explore(const Setup& setup, std::size_t preemptions = unlimited) {
        Result result;
        std::vector<Choice> choices;
        do {
            Machine machine(choices, preemptions);
            setup(machine);
            ++result.executions;
            try {
                machine.run();
            } catch (const Failure& failure) {
                result.failure = failure.what + "\n" + machine.history();
                return result;
            }
            choices.resize(machine.depth_);
            while (!choices.empty() && choices.back().taken + 1 == choices.back().of) choices.pop_back();
            if (!choices.empty()) ++choices.back().taken;
        } while (!choices.empty());
        return result;
    }

    ~Machine() { is_over_ = true; }
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    void add(Task<void> thread) {
        threads_.push_back({std::move(thread), {}, {}, {}, false, false, nullptr, nullptr, {}, alive});
    }
    /// A thread that may be killed. The kernel marks this word when it is.
    void add_mortal(Task<void> thread, Word& life) {
        add(std::move(thread));
        threads_.back().life = &life;
    }
    /// Threads may sleep to the end if this says so, by the words' last values.
    void may_sleep_if(std::function<bool()> excuse) { excuse_ = std::move(excuse); }
    /// Kept until the execution is over.
    template <class T, class... Args>
    T& make(Args&&... args) {
        auto made = std::make_shared<T>(std::forward<Args>(args)...);
        kept_.push_back(made);
        return *made;
    }

    /// futex_waitv: begins to wait on each word as it goes, and returns at once if one holds something else.
    Task<void> sleep(std::vector<Expected> words);
    /// futex_wake. Returns how many were woken.
    Word::Operation wake(Word& word, std::uint32_t most);

private:
    friend class Word;
    friend class Plain;
    friend struct Word::Operation;
    friend class WakesAtDeath;

    struct Choice {
        std::size_t taken;
        std::size_t of;
    };
    struct Store {
        std::uint32_t value;
        View view;
    };
    struct Location {
        std::string name;
        std::vector<Store> stores;
        std::deque<std::size_t> sleepers;
    };
    struct Thread {
        Task<void> task;
        std::coroutine_handle<> next;
        View view;
        View shown;  ///< what it had seen and done at its last release
        bool asleep;
        bool woken;
        Word::Operation* pending;
        Word* life;                ///< null: it cannot be killed
        std::vector<Word*> wakes;  ///< of WakesAtDeath
        std::size_t death;         ///< alive, or how far the kernel has come with it
    };
    static constexpr std::size_t alive = 0;
    static constexpr std::size_t gone = 4;

    static constexpr std::size_t unlimited = static_cast<std::size_t>(-1);

    Machine(std::vector<Choice>& choices, std::size_t preemptions)
        : choices_(choices), preemptions_(preemptions) {}

    using Operation = Word::Operation;
    std::uint32_t do_load(const Operation& what);
    std::uint32_t do_store(const Operation& what);
    std::uint32_t do_exchange(const Operation& what);
    std::uint32_t do_compare_exchange(const Operation& what);
    std::uint32_t do_line_up(const Operation& what);
    std::uint32_t do_fall_asleep(const Operation& what);
    std::uint32_t do_leave_lists(const Operation& what);
    std::uint32_t do_wake(const Operation& what);

    void run_pending(Thread& thread);

    std::size_t choose(std::size_t of) {
        if (of == 1) return 0;
        if (depth_ == choices_.size()) choices_.push_back({0, of});
        return choices_[depth_++].taken;
    }

    std::size_t add_location(std::string name, std::uint32_t value) {
        locations_.push_back({std::move(name), {{value, {}}}, {}});
        return locations_.size() - 1;
    }

    void run() {
        for (auto& thread : threads_) thread.next = thread.task.handle();
        for (;;) {
            std::vector<std::size_t> ready;
            std::vector<std::size_t> mortal;
            for (std::size_t i = 0; i < threads_.size(); ++i) {
                const auto& thread = threads_[i];
                const bool is_done = thread.death == gone || thread.task.handle().done();
                if (!is_done && (!thread.asleep || thread.death != alive)) ready.push_back(i);
                if (!is_done && thread.life != nullptr && !one_was_killed_) mortal.push_back(i);
            }
            if (ready.empty() && mortal.empty()) break;
            const auto now = std::find(ready.begin(), ready.end(), current_);
            const bool can_go_on = now != ready.end();
            if (can_go_on) std::iter_swap(ready.begin(), now);
            const std::size_t of_them = can_go_on && preemptions_ == 0 ? 1 : ready.size();
            // If all sleep, the last choice is that none is killed.
            const std::size_t chosen = choose(of_them + mortal.size() + (ready.empty() ? 1 : 0));
            if (chosen >= of_them) {
                if (chosen == of_them + mortal.size()) break;
                kill(mortal[chosen - of_them]);
                continue;
            }
            if (can_go_on && chosen != 0 && preemptions_ != unlimited) --preemptions_;
            current_ = ready[chosen];
            auto& thread = threads_[current_];
            if (thread.death != alive) {
                bury(thread);
                continue;
            }
            run_pending(thread);
            thread.next.resume();
            if (thread.task.handle().done() && thread.task.handle().promise().error)
                std::rethrow_exception(thread.task.handle().promise().error);
        }
        if (excuse_ && excuse_()) return;
        for (std::size_t i = 0; i < threads_.size(); ++i) {
            if (threads_[i].asleep && threads_[i].death == alive)
                throw Failure{"thread " + std::to_string(i) + " sleeps, and no thread is left to wake it"};
        }
    }

    void kill(std::size_t number) {
        one_was_killed_ = true;
        threads_[number].death = 1;
        history_.push_back("thread " + std::to_string(number) + " is killed");
    }
    // The kernel, step by step. Others run in between.
    void bury(Thread& thread) {
        switch (thread.death++) {
            case 1:
                for (auto& each : locations_) std::erase(each.sleepers, current_);
                thread.asleep = false;
                return;
            case 2: {
                const std::size_t life = thread.life->number_;
                barrier();
                const auto before = locations_[life].stores.back().value;
                exchange(life, (before & watched) | died, std::memory_order_seq_cst);
                if ((before & watched) != 0) wake_at(life, 1);
                return;
            }
            default:
                thread.death = gone;
                if (thread.wakes.empty()) return;
                const std::size_t word = thread.wakes.back()->number_;
                barrier();
                if ((locations_[word].stores.back().value & (died - 1)) == 0) wake_at(word, 1);
        }
    }
    std::uint32_t wake_at(std::size_t number, std::uint32_t most) {
        barrier();
        auto& sleepers = locations_[number].sleepers;
        std::uint32_t woken = 0;
        for (; woken < most && !sleepers.empty(); ++woken) {
            auto& thread = threads_[sleepers.front()];
            sleepers.pop_front();
            thread.woken = true;
            thread.asleep = false;
        }
        note("wakes " + std::to_string(woken) + " on " + locations_[number].name);
        return woken;
    }

    void note(const std::string& step) {
        history_.push_back("thread " + std::to_string(current_) + ": " + step);
    }
    std::string history() const {
        std::string text;
        for (const auto& step : history_) text += "    " + step + "\n";
        return text;
    }

    View& view() {
        auto& view = threads_[current_].view;
        view.resize(locations_.size());
        return view;
    }
    static bool acquires(std::memory_order order) {
        return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
               order == std::memory_order_seq_cst;
    }
    static bool releases(std::memory_order order) {
        return order == std::memory_order_release || order == std::memory_order_acq_rel ||
               order == std::memory_order_seq_cst;
    }
    // A release: the next sequentially consistent load of this thread publishes what precedes it.
    void show() { threads_[current_].shown = view(); }
    void publish_and_join() {
        take_over(together_, threads_[current_].shown);
        take_over(view(), together_);
    }
    void barrier() {
        show();
        publish_and_join();
    }

    std::uint32_t read(std::size_t number, std::size_t which, std::memory_order order) {
        const Store& store = locations_[number].stores[which];
        view()[number] = which;
        if (acquires(order)) take_over(view(), store.view);
        return store.value;
    }
    std::uint32_t load(std::size_t number, std::memory_order order) {
        if (order == std::memory_order_seq_cst) publish_and_join();
        const std::size_t oldest = view()[number];
        const std::size_t count = locations_[number].stores.size() - oldest;
        const std::size_t which = locations_[number].stores.size() - 1 - choose(count);
        const auto value = read(number, which, order);
        note(locations_[number].name + " is " + std::to_string(value) +
             (which + 1 == locations_[number].stores.size() ? "" : " (an older value)"));
        return value;
    }
    void append(std::size_t number, std::uint32_t value, std::memory_order order, bool continues) {
        auto& stores = locations_[number].stores;
        View released = continues ? stores.back().view : View{};
        view()[number] = stores.size();
        if (releases(order)) take_over(released, view());
        stores.push_back({value, std::move(released)});
        if (releases(order)) show();
        note(locations_[number].name + " = " + std::to_string(value));
    }
    std::uint32_t exchange(std::size_t number, std::uint32_t value, std::memory_order order) {
        if (order == std::memory_order_seq_cst) publish_and_join();
        const auto found = read(number, locations_[number].stores.size() - 1, order);
        append(number, value, order, true);
        return found;
    }
    std::uint32_t compare_exchange(std::size_t number, std::uint32_t expected, std::uint32_t value,
                                   std::memory_order order, std::memory_order failure) {
        if (order == std::memory_order_seq_cst) publish_and_join();
        // The last value, or an older one that is not the expected one.
        const auto& stores = locations_[number].stores;
        std::vector<std::size_t> readable{stores.size() - 1};
        for (std::size_t i = view()[number]; i + 1 < stores.size(); ++i) {
            if (stores[i].value != expected) readable.push_back(i);
        }
        const std::size_t which = readable[choose(readable.size())];
        const bool is_exchanged = stores[which].value == expected;
        const auto found = read(number, which, is_exchanged ? order : failure);
        if (is_exchanged) {
            append(number, value, order, true);
        } else {
            note(locations_[number].name + " is " + std::to_string(found) + ", not " +
                 std::to_string(expected));
        }
        return found;
    }

    bool is_over_ = false;  ///< outlives the threads
    std::vector<Choice>& choices_;
    std::size_t preemptions_;
    std::size_t depth_ = 0;
    std::size_t current_ = 0;
    std::vector<std::shared_ptr<void>> kept_;
    std::vector<Location> locations_;
    std::vector<Thread> threads_;
    View together_;
    std::vector<std::string> history_;
    std::function<bool()> excuse_;
    bool one_was_killed_ = false;
};

/// Awaited: happens when the thread is chosen to go on. Without a destructor, which g++ 12 calls at the wrong
/// time.
struct Word::Operation {
    Machine& machine;
    std::uint32_t (Machine::*act)(const Operation&);
    std::size_t number;
    std::uint32_t value = 0;
    std::uint32_t other = 0;
    std::memory_order order = std::memory_order_seq_cst;
    std::memory_order failure = std::memory_order_seq_cst;
    std::uint32_t result = 0;

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> here) {
        auto& thread = machine.threads_[machine.current_];
        thread.next = here;
        thread.pending = this;
    }
    std::uint32_t await_resume() const noexcept { return result; }
};

inline Word::Word(Machine& machine, std::string name, std::uint32_t value)
    : machine_(machine), number_(machine.add_location(std::move(name), value)) {}
inline Word::Operation Word::load(std::memory_order order) {
    return {machine_, &Machine::do_load, number_, 0, 0, order};
}
inline Word::Operation Word::store(std::uint32_t value, std::memory_order order) {
    return {machine_, &Machine::do_store, number_, value, 0, order};
}
inline Word::Operation Word::exchange(std::uint32_t value, std::memory_order order) {
    return {machine_, &Machine::do_exchange, number_, value, 0, order};
}
inline Word::Operation Word::compare_exchange(std::uint32_t expected, std::uint32_t value,
                                              std::memory_order order, std::memory_order failure) {
    return {machine_, &Machine::do_compare_exchange, number_, value, expected, order, failure};
}
inline Word::Operation Machine::wake(Word& word, std::uint32_t most) {
    return {*this, &Machine::do_wake, word.number_, most};
}

inline std::uint32_t Machine::do_load(const Operation& what) { return load(what.number, what.order); }
inline std::uint32_t Machine::do_store(const Operation& what) {
    append(what.number, what.value, what.order, false);
    return 0;
}
inline std::uint32_t Machine::do_exchange(const Operation& what) {
    return exchange(what.number, what.value, what.order);
}
inline std::uint32_t Machine::do_compare_exchange(const Operation& what) {
    return compare_exchange(what.number, what.other, what.value, what.order, what.failure);
}
inline std::uint32_t Machine::do_line_up(const Operation& what) {
    locations_[what.number].sleepers.push_back(current_);
    barrier();
    return 0;
}
inline std::uint32_t Machine::do_fall_asleep(const Operation&) {
    auto& thread = threads_[current_];
    thread.asleep = !thread.woken;
    if (thread.asleep) note("sleeps");
    return 0;
}
inline std::uint32_t Machine::do_leave_lists(const Operation&) {
    for (auto& each : locations_) std::erase(each.sleepers, current_);
    threads_[current_].woken = false;
    return 0;
}
// A thread stays in the queues of its other words until it runs, and a wake there counts it as well.
inline std::uint32_t Machine::do_wake(const Operation& what) { return wake_at(what.number, what.value); }
inline void Machine::run_pending(Thread& thread) {
    if (auto* const operation = std::exchange(thread.pending, nullptr))
        operation->result = (this->*operation->act)(*operation);
}

inline std::uint32_t Word::last() const { return machine_.locations_[number_].stores.back().value; }

inline WakesAtDeath::WakesAtDeath(Machine& machine, Word& word)
    : machine_(machine), thread_(machine.current_) {
    machine_.threads_[thread_].wakes.push_back(&word);
}
inline WakesAtDeath::~WakesAtDeath() {
    if (!machine_.is_over_ && machine_.threads_[thread_].death == Machine::alive)
        machine_.threads_[thread_].wakes.pop_back();
}

inline Plain::Plain(Machine& machine, std::string name)
    : machine_(machine), number_(machine.add_location(std::move(name), 0)) {}
inline std::uint32_t Plain::read() const {
    const auto& stores = machine_.locations_[number_].stores;
    if (machine_.view()[number_] + 1 != stores.size())
        throw Failure{"data race: thread " + std::to_string(machine_.current_) + " reads " +
                      machine_.locations_[number_].name + ", and may not see what was written last"};
    return stores.back().value;
}
inline void Plain::write(std::uint32_t value) {
    read();
    machine_.append(number_, value, std::memory_order_relaxed, false);
}

inline Task<void> Machine::sleep(std::vector<Expected> words) {
    const std::size_t self = current_;
    bool is_as_expected = true;
    for (std::size_t i = 0; i < words.size() && is_as_expected; ++i) {
        // The kernel enqueues the thread at the word, executes a barrier, and loads the word.
        co_await Operation{*this, &Machine::do_line_up, words[i].word->number_};
        const auto found = co_await words[i].word->load(std::memory_order_relaxed);
        is_as_expected = found == words[i].value;
    }
    if (is_as_expected) {
        co_await Operation{*this, &Machine::do_fall_asleep, 0};
        if (threads_[self].asleep) co_await std::suspend_always{};  // until it is woken
    }
    co_await Operation{*this, &Machine::do_leave_lists, 0};
}

}  // namespace model

// A worker writes where nothing of its own lies: what it was not given is untouched, what it was given says
// that it is damaged, and a pool goes on. At random places: tests/storm/memory_storm.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <support/start_methods.hpp>
#include <support/until_asleep.hpp>
#include "channel/queue_core.hpp"
#include "pool/worker_status.hpp"
#include "sync/lock_state.hpp"

using namespace std::chrono_literals;

namespace {

constexpr auto too_long = 20s;

class Damage : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override { mp::set_start_method(GetParam(), true); }
};
// A copy by fork() has all that its parent had.
INSTANTIATE_TEST_SUITE_P(by, Damage, testing::Values("forkserver", "spawn"),
                         [](const auto& tested) { return std::string(tested.param); });

int square(int x) { return x * x; }

// ---- what is beyond an array ----

void write_beyond(mp::RawArray<int> array, int before, int behind) {
    int* const first = array.data();
    for (int i = -before; i < static_cast<int>(array.size()) + behind; ++i) first[i] = -1;
}

TEST_P(Damage, a_little_beyond_an_array_meets_nothing_else) {
    for (const std::size_t size : {1UL, 7UL, 8UL, 24UL, 100UL, 896UL, 1000UL, 1024UL, 100'000UL, 131'072UL}) {
        mp::Lock before;
        mp::RawArray<int> array(size);
        mp::Lock behind;
        mp::RawArray<int> another{1, 2, 3};
        mp::Process process(write_beyond, array, 16, 32);
        process.start();
        process.join();
        EXPECT_EQ(process.exitcode(), 0) << size;
        for (mp::Lock* lock : {&before, &behind}) {
            EXPECT_TRUE(lock->acquire(too_long)) << size;
            lock->release();
        }
        EXPECT_EQ(std::vector<int>(another.begin(), another.end()), (std::vector<int>{1, 2, 3})) << size;
        EXPECT_EQ(array[size - 1], -1);
    }
}

// ---- what a worker can write to ----

using Mappings = std::map<std::string, std::set<std::string>>;  // inode: where in it

Mappings writable_mappings() {
    Mappings found;
    std::ifstream maps("/proc/self/maps");
    std::string range, access, offset, device, inode, name;
    for (std::string line; std::getline(maps, line);) {
        std::istringstream(line) >> range >> access >> offset >> device >> inode >> name;
        if (access == "rw-s" && name.starts_with("/memfd:chorus-objects")) found[inode].insert(offset);
    }
    return found;
}

int count_objects_that_can_be_written() {
    int count = 0;
    for (const auto& [inode, offsets] : writable_mappings()) count += static_cast<int>(offsets.size());
    return count;
}

TEST_P(Damage, a_worker_maps_what_it_was_given_and_nothing_beside) {
    std::vector<mp::Lock> locks(20);
    EXPECT_EQ(
        mp::run([](mp::Lock, mp::Lock) { return count_objects_that_can_be_written(); }, locks[3], locks[17]),
        2);
}

// ---- files ----

TEST(DamageOfFiles, memory_cannot_be_cut_off) {
    mp::Lock lock;
    mp::Queue<int> queue;
    mp::RawArray<int> array(100'000);
    int files = 0;
    for (int descriptor = 3; descriptor < 200; ++descriptor) {
        const int seals = ::fcntl(descriptor, F_GET_SEALS);
        if (seals < 0) continue;
        ++files;
        EXPECT_NE(::ftruncate(descriptor, 0), 0) << descriptor;
        EXPECT_NE(seals & F_SEAL_SEAL, 0) << descriptor;
    }
    EXPECT_GE(files, 4);
}

// ---- objects that were given ----

// The object's own memory, each of its words in turn.
template <class Object>
std::span<std::atomic<std::uint32_t>> words_of(const Object& state, std::size_t bytes) {
    return {reinterpret_cast<std::atomic<std::uint32_t>*>(const_cast<std::remove_const_t<Object>*>(&state)),
            bytes / 4};
}

TEST(DamageOfLocks, is_told_of_within_the_deadline_or_does_no_harm) {
    int damaged = 0;
    for (std::size_t at = 0; at < sizeof(chorus::detail::sync::LockState) / 4; ++at) {
        for (const std::uint32_t value : {0xdeadbeefU, 0x12345678U, 0xffffffffU, 1U, 0x20000005U}) {
            mp::RLock lock;
            words_of(*chorus::detail::Access::state(lock), sizeof(chorus::detail::sync::LockState))[at] =
                value;
            try {
                if (lock.acquire(1ms)) {
                    // Another thread meets it too.
                    std::thread([&] {
                        try {
                            EXPECT_FALSE(lock.acquire(1ms));
                        } catch (const chorus::Damaged&) {
                        }
                    }).join();
                    lock.release();
                }
            } catch (const chorus::Damaged&) {
                ++damaged;
                EXPECT_THROW(lock.acquire(1ms), chorus::Damaged) << "it stays marked";
            } catch (const chorus::OwnerDied&) {
            } catch (const chorus::UsageError&) {
            }
        }
    }
    EXPECT_GT(damaged, 15);
}

TEST(DamageOfQueues, is_told_of_within_the_deadline_or_does_no_harm) {
    int damaged = 0;
    constexpr std::size_t words_of_state = 256;
    for (std::size_t at = 16; at < words_of_state; ++at) {
        for (const std::uint32_t value : {0xdeadbeefU, 0xffffffffU, 0xfff00000U, 1U, 0U}) {
            mp::Queue<std::string> queue;
            queue.put("one");
            queue.put(std::string(300'000, 'x'));
            queue.put("three");
            words_of(*chorus::detail::Access::state(queue)->region()->data(), 4096)[at] = value;
            for (int i = 0; i < 24; ++i) {
                try {
                    if (i >= 4) {
                        queue.put(std::string(1000, 'x'), 1ms);
                    } else if (queue.put("more", 1ms); true) {
                        queue.get(1ms);
                    }
                } catch (const chorus::Damaged&) {
                    ++damaged;
                } catch (const chorus::Error&) {
                }
            }
            struct stat file {};
            ::fstat(chorus::detail::Access::state(queue)->region()->descriptor(), &file);
            EXPECT_LT(file.st_size, 8 << 20) << "word " << at << " was " << value;
        }
    }
    EXPECT_GT(damaged, 50);
}

// ---- marks of sleepers ----

// A waker makes no system call unless it finds a mark that there are sleepers: alone in a word, beside a
// thread's number, or in a lock's own word, which comes first.
void clear_marks(std::span<std::atomic<std::uint32_t>> words) {
    constexpr std::uint32_t mark = 1U << 31;
    constexpr std::uint32_t most_threads = 1U << 22;
    for (auto& word : words) {
        if (&word == &words[0] || (word & ~mark) < most_threads) word &= ~mark;
    }
}

template <class Object, class Wait, class Wake>
void expect_to_wake_without_marks(const char* what, const Object& state, std::size_t bytes, Wait wait,
                                  Wake wake) {
    bool woken = false;
    chorus::threading::Thread sleeper([&] { woken = wait(); });
    sleeper.start();
    until_asleep(sleeper);
    clear_marks(words_of(state, bytes));
    wake();
    EXPECT_TRUE(sleeper.join(too_long)) << what;
    EXPECT_TRUE(woken) << what;
}

TEST(DamageOfMarks, delays_a_sleeper_and_no_more) {
    mp::Lock lock;
    lock.acquire();
    expect_to_wake_without_marks(
        "Lock", *chorus::detail::Access::state(lock), sizeof(chorus::detail::sync::LockState),
        [&] { return lock.acquire(too_long / 2); }, [&] { lock.release(); });
    mp::Event event;
    expect_to_wake_without_marks(
        "Event", *chorus::detail::Access::state(event), 64, [&] { return event.wait(too_long / 2); },
        [&] { event.set(); });
    mp::Queue<int> queue;
    expect_to_wake_without_marks(
        "Queue", *chorus::detail::Access::state(queue)->region()->data(), 1024,
        [&] { return queue.get(too_long / 2) == 1; }, [&] { queue.put(1); });
}

// ---- pools ----

std::vector<std::span<std::atomic<std::uint32_t>>> shared_words(const std::string& label,
                                                                const std::string& access = "rw-s") {
    std::vector<std::span<std::atomic<std::uint32_t>>> all;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        unsigned long from = 0, to = 0;
        if (line.find(label) == std::string::npos || line.find(access) == std::string::npos) continue;
        if (std::sscanf(line.c_str(), "%lx-%lx", &from, &to) == 2)
            all.emplace_back(reinterpret_cast<std::atomic<std::uint32_t>*>(from), (to - from) / 4);
    }
    return all;
}

// Of one of its queues.
int write_to_the_first_page(std::uint32_t value, int signal) {
    const auto words = shared_words("chorus-queue", "rw-s 00000000").at(0);  // where the file begins
    for (std::size_t at = 16; at < 1024; ++at) words[at] = value;
    if (signal != 0) ::raise(signal);
    return 0;
}

TEST_P(Damage, a_pool_replaces_its_channels_and_goes_on) {
    for (const int signal : {0, SIGSEGV, SIGABRT}) {
        mp::Pool pool(2);
        auto task = pool.submit(write_to_the_first_page, 0xdeadbeefU, signal);
        EXPECT_ANY_THROW(task.get(too_long));
        bool works = false;
        for (int tries = 0; tries < 5 && !works; ++tries) {
            try {
                works = pool.submit(square, 6).get(too_long) == 36;
            } catch (const chorus::Damaged&) {  // it was in flight when the damage was found
            }
        }
        EXPECT_TRUE(works) << signal;
        EXPECT_EQ(pool.map(square, std::vector<int>{1, 2, 3}), (std::vector<int>{1, 4, 9}));
    }
}

// The note in which a worker of a pool keeps what it does; null if it cannot be told from other memory.
std::atomic<std::uint64_t>* note_of_this_worker() {
    constexpr auto looks_like_a_running_task = [](std::uint64_t doing) {
        const auto task = chorus::detail::pool::WorkerStatus::task_of(doing);
        return chorus::detail::pool::WorkerStatus::step_of(doing) ==
                   chorus::detail::pool::WorkerStatus::running &&
               task >> 32 < 100 && (task & 0xffffffff) - 1 < 1000;
    };
    for (const auto words : shared_words("chorus-objects")) {
        for (std::size_t at = 0; at < words.size(); at += sizeof(chorus::detail::pool::WorkerStatus) / 4) {
            auto* const doing = reinterpret_cast<std::atomic<std::uint64_t>*>(&words[at]);
            if (looks_like_a_running_task(*doing)) return doing;
        }
    }
    return nullptr;
}

int change_own_note(std::uint64_t bits) {
    auto* const doing = note_of_this_worker();
    if (doing == nullptr) return -1;
    *doing ^= bits;
    return 0;
}

// The step: also into what only the pool's process writes there before it kills the worker.
TEST_P(Damage, a_worker_whose_note_was_changed_ends) {
    for (const std::uint64_t bits : {1U, 2U, 3U, 4U, 5U, 6U, 7U}) {
        mp::Pool pool(1);
        EXPECT_THROW(pool.submit(change_own_note, bits).get(too_long), chorus::WorkerDied) << bits;
        EXPECT_EQ(pool.submit(square, 6).get(too_long), 36) << bits;
    }
}

int wait_for(const mp::Event& event) {
    event.wait();
    return 1;
}

TEST_P(Damage, a_note_that_names_another_task_does_that_one_no_harm) {
    constexpr std::uint64_t first_or_second = 1ULL << 35;
    for (const std::uint64_t bits : {std::uint64_t{8}, first_or_second, first_or_second | 1}) {
        mp::Pool pool(2);
        mp::Event event;
        auto of_the_other_worker = pool.submit(wait_for, event);
        auto failing = pool.submit(change_own_note, bits);
        EXPECT_THROW(failing.get(too_long), chorus::Damaged) << bits;
        event.set();
        EXPECT_EQ(of_the_other_worker.get(too_long), 1) << bits;
    }
}

int count_and_maybe_crash(mp::RawArray<int> runs, int task) {
    std::atomic_ref(runs[static_cast<std::size_t>(task)]).fetch_add(1);
    if (task % 10 == 5) ::raise(task % 20 == 5 ? SIGSEGV : SIGBUS);
    if (task % 7 == 0) std::this_thread::sleep_for(5ms);  // some are held while others crash
    return task;
}

TEST_P(Damage, after_a_crash_no_task_of_others_is_lost_or_done_twice) {
    constexpr int tasks = 120;
    mp::Pool pool(3);
    mp::RawArray<int> runs(tasks);
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < tasks; ++i) futures.push_back(pool.submit(count_and_maybe_crash, runs, i));
    for (int i = 0; i < tasks; ++i) {
        auto& future = futures[static_cast<std::size_t>(i)];
        if (i % 10 == 5) {
            EXPECT_THROW(future.get(too_long), chorus::WorkerDied) << i;
        } else {
            EXPECT_EQ(future.get(too_long), i);
        }
        EXPECT_EQ(runs[static_cast<std::size_t>(i)], 1) << "task " << i;
    }
}

// Six descriptors for each generation, if one were kept.
TEST_P(Damage, replaced_channels_are_let_go) {
    mp::Pool pool(1);
    const auto crash = [&] {
        EXPECT_THROW(pool.submit([] { ::raise(SIGSEGV); }).get(too_long), chorus::WorkerDied);
        EXPECT_EQ(pool.submit(square, 2).get(too_long), 4);
    };
    const auto open_files = [] {
        return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
    };
    for (int i = 0; i < 3; ++i) crash();
    const auto before = open_files();
    for (int i = 0; i < 6; ++i) crash();
    EXPECT_LE(open_files(), before + 6);
}

}  // namespace

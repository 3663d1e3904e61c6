// Workers write random values to memory that they share, and some crash after it: their program goes on.
//
//     memory_storm [SECONDS [SEED [METHOD]]]
//
// Each round is a program of its own, so that its death is seen. In it workers of a pool write to words in
// use of any mapping that they share. Allowed are errors of Chorus's, and wrong bytes in what the worker was
// given. What may never be: that the program dies or hangs, that an object which was not given to the worker
// has changed, that the pool does not come back, or that a new one does not work. Exit status 1 if there was
// any of that.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chorus/chorus.hpp>

extern char** environ;

namespace mp = chorus::multiprocessing;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto deadline = 3s;
constexpr int writes_in_a_round = 12;

int square(int x) { return x * x; }

// For looking at one round.
const bool tells = std::getenv("MEMORY_STORM_TELLS") != nullptr;

// ---- in a worker ----

struct Word {
    volatile std::uint32_t* address;
    std::string mapping;
};

// Those of a mapping's pages that have memory, and mostly those of them that hold something.
void add_words(char* begin, char* end, const std::string& mapping, bool only_used, std::vector<Word>& words) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const auto most = std::min<std::size_t>(static_cast<std::size_t>(end - begin) / page, 256);
    std::vector<unsigned char> resident(most);
    if (::mincore(begin, most * page, resident.data()) != 0) return;
    for (std::size_t i = 0; i < most; ++i) {
        if ((resident[i] & 1) == 0) continue;
        auto* const word = reinterpret_cast<volatile std::uint32_t*>(begin + i * page);
        for (std::size_t at = 0; at < page / 4; ++at) {
            if (!only_used || word[at] != 0) words.push_back({word + at, mapping});
        }
    }
}

std::vector<Word> shared_words(bool only_used) {
    std::vector<Word> words;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t from = 0;
        std::uintptr_t to = 0;
        char access[8];
        char name[256] = "";
        if (std::sscanf(line.c_str(), "%lx-%lx %7s %*s %*s %*s %255s", &from, &to, access, name) < 3)
            continue;
        if (std::string(access) == "rw-s")
            add_words(reinterpret_cast<char*>(from), reinterpret_cast<char*>(to), name, only_used, words);
    }
    return words;
}

std::uint32_t any_value(std::mt19937& random, std::uint32_t before) {
    switch (random() % 6) {
        case 0: return 0;
        case 1: return ~0U;
        case 2: return before ^ 1U << random() % 32;
        case 3: return before + static_cast<std::uint32_t>(random() % 16) - 8;
        case 4: return static_cast<std::uint32_t>(random() % 4096);
        default: return static_cast<std::uint32_t>(random());
    }
}

// Each mapping equally often, however large.
std::string write_somewhere(unsigned seed, const mp::RawArray<int>&, const mp::Lock&,
                            const mp::Queue<std::string>&) {
    std::mt19937 random(seed);
    auto words = shared_words(random() % 4 != 0);
    std::vector<std::string> mappings;
    for (const auto& word : words) {
        if (std::ranges::find(mappings, word.mapping) == mappings.end()) mappings.push_back(word.mapping);
    }
    if (mappings.empty()) return "nothing";
    const auto mapping = mappings[random() % mappings.size()];
    std::erase_if(words, [&](const Word& word) { return word.mapping != mapping; });
    const auto& [address, name] = words[random() % words.size()];
    const std::uint32_t value = any_value(random, *address);
    const bool crashes = random() % 3 == 0;
    if (tells)
        std::fprintf(stderr, "  seed %u: %s at %zu was 0x%x, now 0x%x%s\n", seed, name.c_str(),
                     reinterpret_cast<std::uintptr_t>(address) % 4096, *address, value,
                     crashes ? ", and crashes" : "");
    *address = value;
    if (crashes) ::raise(random() % 2 == 0 ? SIGSEGV : SIGABRT);
    return name;
}

// ---- in its program ----

int wrong = 0;

void expect(bool holds, unsigned seed, const char* what) {
    if (holds) return;
    ++wrong;
    std::fprintf(stderr, "memory_storm: seed %u: %s\n", seed, what);
}

// What no worker was given.
struct Bystanders {
    mp::Lock free;
    mp::Lock held;
    mp::RLock recursive;
    mp::Semaphore semaphore{3};
    mp::Event event;
    mp::Array<int> array{std::vector<int>{1, 2, 3, 4, 5}};
    mp::Queue<std::string> queue;

    Bystanders() {
        held.acquire();
        event.set();
        for (int i = 0; i < 10; ++i) queue.put("item " + std::to_string(i));
    }

    void check(unsigned seed) {
        try {
            expect(free.acquire(deadline), seed, "a lock that nobody holds is not free");
            free.release();
            bool taken = true;
            std::thread([&] { taken = held.acquire(1ms); }).join();
            expect(!taken, seed, "a lock that the program holds was given to another one");
            expect(recursive.acquire(deadline) && recursive.acquire(deadline), seed,
                   "an RLock cannot be acquired");
            recursive.release();
            recursive.release();
            expect(semaphore.get_value() == 3, seed, "a semaphore has changed");
            expect(event.is_set(), seed, "an event has changed");
            for (int i = 0; i < 5; ++i)
                expect(array[static_cast<std::size_t>(i)] == i + 1, seed, "an array has changed");
            const auto first = queue.get(deadline);
            queue.put(first);
            expect(queue.qsize() == 10 && first.starts_with("item "), seed, "a queue has changed");
        } catch (const std::exception& error) {
            expect(false, seed, error.what());
        }
    }
};

template <class Function>
bool works(Function function) {
    const auto begin = Clock::now();
    try {
        return function();
    } catch (const chorus::Error& error) {  // a crash, damage, a deadline
        if (tells)
            std::fprintf(stderr, "    after %4d ms: %.200s\n",
                         static_cast<int>((Clock::now() - begin) / std::chrono::milliseconds(1)),
                         error.what());
        return false;
    }
}

int round_of(unsigned seed) {
    Bystanders bystanders;
    mp::Pool pool(2);
    const auto pool_works = [&] { return pool.submit(square, 6).get(deadline) == 36; };
    expect(works(pool_works), seed, "a new pool does not work");
    for (unsigned i = 0; i < writes_in_a_round; ++i) {
        const unsigned own_seed = seed * 100 + i;
        const mp::RawArray<int> given(10);
        mp::Lock given_lock;
        mp::Queue<std::string> given_queue;
        given_queue.put("something");
        std::vector<chorus::Future<int>> beside;
        auto task = pool.submit(write_somewhere, own_seed, given, given_lock, given_queue);
        for (int n = 0; n < 4; ++n) beside.push_back(pool.submit(square, n));
        works([&] { return !task.get(deadline).empty(); });
        for (auto& future : beside) works([&] { return future.get(deadline) >= 0; });
        bool back = false;
        for (int tries = 0; tries < 4 && !back; ++tries) back = works(pool_works);
        expect(back, own_seed, "the pool does not come back");
        bystanders.check(own_seed);
        works([&] { return given_lock.acquire(1ms); });
        works([&] { return !given_queue.get(1ms).empty(); });
    }
    expect(works([] { return mp::Pool(1).submit(square, 7).get(deadline) == 49; }), seed,
           "a new pool does not work");
    expect(works([] { return mp::run(square, 8) == 64; }), seed, "run() does not work");
    chorus::print("seed", seed, "is through");
    return wrong == 0 ? 0 : 1;
}

// ---- above them all ----

class Rounds {
public:
    Rounds(const char* program, std::string method) : program_(program), method_(std::move(method)) {}

    bool run(unsigned seed) {
        const std::string number = std::to_string(seed);
        const char* arguments[] = {program_, "round", number.c_str(), method_.c_str(), nullptr};
        posix_spawn_file_actions_t quiet;
        ::posix_spawn_file_actions_init(&quiet);
        ::posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        pid_t pid = 0;
        if (::posix_spawn(&pid, program_, &quiet, nullptr, const_cast<char**>(arguments), environ) != 0)
            std::abort();
        ::posix_spawn_file_actions_destroy(&quiet);
        const int process = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
        pollfd ended{process, POLLIN, 0};
        const bool hangs = ::poll(&ended, 1, 60'000) == 0;
        ::close(process);
        if (hangs) ::kill(pid, SIGKILL);
        int status = 0;
        ::waitpid(pid, &status, 0);
        ++rounds;
        if (hangs) return tell(seed, "hangs");
        if (WIFSIGNALED(status)) return tell(seed, strsignal(WTERMSIG(status)));
        return WEXITSTATUS(status) == 0 || tell(seed, "went wrong");
    }

    int rounds = 0;
    int bad = 0;

private:
    bool tell(unsigned seed, const char* what) {
        ++bad;
        std::fprintf(stderr, "memory_storm: the program of seed %u %s: memory_storm round %u %s\n", seed,
                     what, seed, method_.c_str());
        return false;
    }

    const char* program_;
    const std::string method_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc == 4 && std::string(argv[1]) == "round") {
        mp::set_start_method(argv[3]);
        return round_of(static_cast<unsigned>(std::atoi(argv[2])));
    }
    const auto seconds = std::chrono::seconds(argc > 1 ? std::atoi(argv[1]) : 20);
    const unsigned first =
        argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : std::random_device()() % 1'000'000;
    Rounds rounds("/proc/self/exe", argc > 3 ? argv[3] : "forkserver");
    const auto end = Clock::now() + seconds;
    for (unsigned seed = first; Clock::now() < end; ++seed) rounds.run(seed);
    std::printf("%d programs from seed %u on, %d writes: %d went wrong\n", rounds.rounds, first,
                rounds.rounds * writes_in_a_round, rounds.bad);
    return rounds.bad == 0 ? 0 : 1;
}

// pools CASE KIND: programs that end while they have a pool. KIND is "threads" or a start method.
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

namespace {

int square(int x) { return x * x; }
void say_when_main_has_ended(mp::Event ended) {
    ended.wait();
    chorus::print("apple");
}

// Set as the last thing that main does, when the pool is not waited for yet.
mp::Event& ending() {
    static mp::Event event;
    return event;
}

// Pools that are never destroyed.
template <class Pool>
Pool*& used() {
    static Pool* pool = nullptr;
    return pool;
}
template <class Pool>
Pool*& unused() {
    static Pool* pool = nullptr;
    return pool;
}

template <class Pool>
int running_task() {
    auto& pool = *(used<Pool>() = new Pool(2));
    pool.submit(say_when_main_has_ended, ending());
    chorus::print("main ends");
    ending().set();
    return 0;
}

template <class Pool>
int shutdown_without_waiting() {
    auto& pool = *(used<Pool>() = new Pool(3));
    pool.submit(say_when_main_has_ended, ending());
    pool.shutdown({.wait = false});
    chorus::print("main ends");
    ending().set();
    return 0;
}

template <class Pool>
void expect_refusal(const char* which, Pool& pool) {
    try {
        chorus::print(which, pool.submit(square, 4).get());
    } catch (const chorus::Error& error) {
        chorus::print(std::string(which) + ": refused:", error.what());
    }
}

template <class Pool>
int submit_at_the_end() {
    used<Pool>() = new Pool(2);
    unused<Pool>() = new Pool(2);
    std::atexit([] {
        expect_refusal("used", *used<Pool>());
        expect_refusal("unused", *unused<Pool>());
    });
    chorus::print("done:", used<Pool>()->apply(square, 3));
    return 0;
}

// Where the system allows no thread, and then where it does again.
template <class Pool>
int no_threads() {
    // The limit does not hold for root. User 65534 has no other process here that could count.
    if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) return 77;
    rlimit limit{};
    ::getrlimit(RLIMIT_NPROC, &limit);
    const rlimit none{0, limit.rlim_max};
    Pool pool(2);
    ::setrlimit(RLIMIT_NPROC, &none);
    for (const char* which : {"the first", "the second"}) expect_refusal(which, pool);
    ::setrlimit(RLIMIT_NPROC, &limit);
    chorus::print("and then:", pool.apply(square, 3));
    return 0;
}

// Destroyed after main, in whatever order statics are.
mp::Pool processes(2);
mt::Pool threads(2);

int use(auto& pool) {
    const auto squares = pool.map(square, std::vector<int>{1, 2, 3});
    chorus::print(squares[0], squares[1], squares[2]);
    return 0;
}
template <class Pool>
int global_pool() {
    if constexpr (std::is_same_v<Pool, mt::Pool>) {
        return use(threads);
    } else {
        return use(processes);
    }
}

template <class Pool>
std::map<std::string, std::function<int()>> cases() {
    return {
        {"running_task", running_task<Pool>},
        {"shutdown_without_waiting", shutdown_without_waiting<Pool>},
        {"submit_at_the_end", submit_at_the_end<Pool>},
        {"no_threads", no_threads<Pool>},
        {"global_pool", global_pool<Pool>},
    };
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    const std::string kind = argv[2];
    if (kind == "threads") return cases<mt::Pool>().at(argv[1])();
    mp::set_start_method(kind);
    return cases<mp::Pool>().at(argv[1])();
}

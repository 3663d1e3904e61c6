// One test text for threads and for processes by each start method.
//
// The text is compiled once for threads and once for processes; the start method is chosen when a test is
// run. So
//     EACH_WAY_SUITE(Fixture, ThreadsAndProcesses);
//     EACH_WAY_TEST(Fixture, name) { typename TypeParam::Pool pool(2); … }
// adds the tests Fixture/threads.name, Fixture/forkserver.name, Fixture/spawn.name and Fixture/fork.name.
#pragma once

#include <string>

#include <gtest/gtest.h>

#include <support/start_methods.hpp>

struct threads {
    using Worker = mt::Thread;
    using Lock = mt::Lock;
    using RLock = mt::RLock;
    using Semaphore = mt::Semaphore;
    using BoundedSemaphore = mt::BoundedSemaphore;
    using Event = mt::Event;
    using Condition = mt::Condition;
    using Barrier = mt::Barrier;
    using Pool = mt::Pool;
    using TaskGroup = mt::TaskGroup;
    static constexpr bool are_processes = false;
};

struct processes {
    using Worker = mp::Process;
    using Lock = mp::Lock;
    using RLock = mp::RLock;
    using Semaphore = mp::Semaphore;
    using BoundedSemaphore = mp::BoundedSemaphore;
    using Event = mp::Event;
    using Condition = mp::Condition;
    using Barrier = mp::Barrier;
    using Pool = mp::Pool;
    using TaskGroup = mp::TaskGroup;
    static constexpr bool are_processes = true;
};

template <class Par>
class EachWay : public testing::Test {
protected:
    /// "threads", or the start method under test.
    static std::string way() { return Par::are_processes ? mp::get_start_method() : "threads"; }
};

namespace each_way {

// One type for all tests of a fixture: RegisterTest is a template over it.
template <class Fixture>
struct Factory {
    const char* method;  ///< null: threads
    Fixture* (*make)();

    Fixture* operator()() const {
        if (method != nullptr) mp::set_start_method(method, true);
        return make();
    }
};

template <class Fixture>
void add_made(const std::string& suite, const char* method, const char* name, const char* file, int line,
              Fixture* (*make)()) {
    const std::string full = suite + "/" + (method == nullptr ? "threads" : method);
    testing::RegisterTest(full.c_str(), name, nullptr, nullptr, file, line, Factory<Fixture>{method, make});
}

template <template <class> class Fixture, template <class> class Test, class Par>
Fixture<Par>* make() {
    return new Test<Par>;
}

template <template <class> class Fixture, template <class> class Test, class Par>
void add(const std::string& suite, const char* name, const char* file, int line) {
    Fixture<Par>* (*const made)() = make<Fixture, Test, Par>;
    if constexpr (Par::are_processes) {
        for (const char* method : start_methods)
            add_made<Fixture<Par>>(suite, method, name, file, line, made);
    } else {
        add_made<Fixture<Par>>(suite, nullptr, name, file, line, made);
    }
}

}  // namespace each_way

struct ProcessesOnly {
    template <template <class> class Fixture, template <class> class Test>
    static bool add(const char* suite, const char* name, const char* file, int line) {
        each_way::add<Fixture, Test, processes>(suite, name, file, line);
        return true;
    }
};
struct ThreadsAndProcesses {
    template <template <class> class Fixture, template <class> class Test>
    static bool add(const char* suite, const char* name, const char* file, int line) {
        each_way::add<Fixture, Test, threads>(suite, name, file, line);
        return ProcessesOnly::add<Fixture, Test>(suite, name, file, line);
    }
};

/// For several kinds of objects, each a template over `threads` and `processes` with a `name`.
template <template <class> class... Kinds>
struct EachOf {
    template <template <class> class Fixture, template <class> class Test>
    static bool add(const char* suite, const char* name, const char* file, int line) {
        (add_kind<Fixture, Test, Kinds>(suite, name, file, line), ...);
        return true;
    }

private:
    template <template <class> class Fixture, template <class> class Test, template <class> class Kind>
    static void add_kind(const std::string& suite, const char* name, const char* file, int line) {
        each_way::add<Fixture, Test, Kind<threads>>(suite + "/" + Kind<threads>::name, name, file, line);
        each_way::add<Fixture, Test, Kind<processes>>(suite + "/" + Kind<processes>::name, name, file, line);
    }
};

#define EACH_WAY_SUITE(Fixture, Ways) using WaysOf##Fixture = Ways
#define EACH_WAY_TEST(Fixture, test_name)                                                               \
    template <class TypeParam>                                                                          \
    class Fixture##_##test_name : public Fixture<TypeParam> {                                           \
        void TestBody() override;                                                                       \
    };                                                                                                  \
    [[maybe_unused]] const bool Fixture##_##test_name##_added =                                         \
        WaysOf##Fixture::add<Fixture, Fixture##_##test_name>(#Fixture, #test_name, __FILE__, __LINE__); \
    template <class TypeParam>                                                                          \
    void Fixture##_##test_name<TypeParam>::TestBody()

// One test text, run with threads and with processes however they are started.
#pragma once

#include <support/start_methods.hpp>

struct WithThreads {
    using Pool = mt::Pool;
    using TaskGroup = mt::TaskGroup;
    static constexpr const char* method = nullptr;
};
template <int which>
struct WithProcesses {
    using Pool = mp::Pool;
    using TaskGroup = mp::TaskGroup;
    static constexpr const char* method = which == 0 ? "forkserver" : which == 1 ? "spawn" : "fork";
};

/// TYPED_TEST(Fixture, name), where TypeParam is one of the kinds.
template <class Kind>
class WithEachKind : public testing::Test {
protected:
    using Pool = typename Kind::Pool;
    static constexpr bool is_process = Kind::method != nullptr;
    void SetUp() override {
        if constexpr (is_process) mp::set_start_method(Kind::method, true);
    }
};

struct KindNames {
    template <class Kind>
    static std::string GetName(int) {
        return Kind::method == nullptr ? "threads" : Kind::method;
    }
};
using Kinds = testing::Types<WithThreads, WithProcesses<0>, WithProcesses<1>, WithProcesses<2>>;

// One test text, run for every start method.
#pragma once

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

/// TEST_P(EachStartMethod, name): `context()` makes processes by the method under test, which is also
/// the one that mp::Process and mp::run use.
class EachStartMethod : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override { mp::set_start_method(GetParam(), true); }
    static std::string method() { return GetParam(); }
    static mp::Context context() { return mp::get_context(GetParam()); }
};

inline constexpr const char* start_methods[] = {"forkserver", "spawn", "fork"};

inline std::string method_name(const testing::TestParamInfo<const char*>& info) { return info.param; }

#define FOR_EACH_START_METHOD(Fixture) \
    INSTANTIATE_TEST_SUITE_P(by, Fixture, testing::ValuesIn(start_methods), method_name)

// A task that calls nothing, and sends nothing: for tests of what a pool keeps of its tasks.
#pragma once

#include <string>

#include <chorus/pool.hpp>

class IdleTask final : public chorus::detail::worker::TypedFutureState<int>,
                       public chorus::detail::pool::Task {
public:
    chorus::detail::worker::FutureState& future() noexcept override { return *this; }
    void take_value(chorus::detail::message::Reader&) override {}
    void encode(chorus::detail::message::Writer&) const override {}
    void drop_call() noexcept override {}
    std::string function_name() const override { return ""; }

private:
    void call() override {}
};

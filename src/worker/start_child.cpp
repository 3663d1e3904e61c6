#include "worker/start_child.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "platform/process_handle.hpp"

namespace chorus::inline v0::detail::worker {
namespace {

struct Starter {
    StartMethod method;
    StartedChild (*start)(ChildRequest, message::Call&, int report);
};
constexpr std::array<Starter, 3> starters{{
    {StartMethod::forkserver, start_by_forkserver},  // the default
    {StartMethod::spawn, start_by_spawn},
    {StartMethod::fork, start_by_fork},
}};

}  // namespace

StartedChild start_child(StartMethod method, ChildRequest request, message::Call& call, int report) {
    platform::require_process_calls();
    const auto* const found = std::find_if(starters.begin(), starters.end(),
                                           [&](const Starter& each) { return each.method == method; });
    const auto& starter = found != starters.end() ? *found : starters.front();
    return starter.start(std::move(request), call, report);
}

}  // namespace chorus::inline v0::detail::worker

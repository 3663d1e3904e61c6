#include <chorus/worker/internal/start_child.hpp>

#include <cstdio>
#include <iostream>
#include <mutex>
#include <optional>
#include <utility>

#include <chorus/memory/internal/segment.hpp>
#include <chorus/sync/internal/commons.hpp>
#include <chorus/trace/trace.hpp>
#include <chorus/worker/internal/birth.hpp>
#include <chorus/worker/internal/child_main.hpp>
#include <chorus/worker/internal/fork_server.hpp>
#include <chorus/worker/internal/gate.hpp>
#include <chorus/worker/internal/images.hpp>
#include <chorus/worker/internal/lifetime.hpp>

namespace chorus::worker {

Birth birth_of(const ProcessState& state, StartMethod method) {
    Birth birth;
    auto& told = birth.identity;
    told.name = state.name;
    told.path = state.path;
    told.daemon = state.daemon;
    told.tied = state.daemon || state.dies_with_parent || identity().tied;
    told.parent_name = identity().name;
    told.parent_pid = platform::process_id();
    told.type_name = state.type_name;
    told.method = state.method.value_or(method);
    told.method_fixed = true;
    told.authkey = authkey();
    birth.mask = platform::signal_mask();
    birth.memory_limit = state.memory_limit;
    birth.wants_result = state.wants_result;
    if (trace::is_on() && state.call) birth.function = state.call->function_name();
    return birth;
}

namespace {

platform::Newborn spawn(const Birth& birth, const message::Call& call, int report) {
    Request request(birth, call);
    request.move_to_file();
    return execute_image(Role::spawned_child, request.file(), report, platform::current_environment(),
                         birth.mask, request.attachments());
}

// Where children by fork wait; one birth at a time.
struct ForkGate {
    std::mutex mutex;
    std::optional<memory::Segment> page;
    std::optional<memory::Segment> birthplace;  ///< the parent's page, at which this process waits itself
    std::uint32_t births = 0;
};
ForkGate& fork_gate() {
    static auto* const instance = new ForkGate;
    return *instance;
}
// Before main: a fork while another thread makes it would leave a copy that waits for ever.
[[maybe_unused]] auto& fork_gate_made = fork_gate();

platform::Newborn fork(Birth birth, message::Call& call, int report) {
    // What is buffered would be written twice, by the parent and by its copy.
    std::cout.flush();
    std::clog.flush();
    std::fflush(nullptr);
    sync::commons();
    const auto life_line = platform::duplicate(life_line_descriptor());
    auto& place = fork_gate();
    const std::lock_guard guard(place.mutex);
    if (!place.page)
        new (place.page.emplace(memory::Segment::create("chorus-gate", sizeof(Gate))).bytes().data()) Gate;
    auto& gate = place.page->as<Gate>();
    const std::uint32_t birth_number = ++place.births;
    gate.close(birth_number);
    const int pid = platform::fork_process();
    if (pid == 0) {
        gate.wait(birth_number, life_line.get());
        identity() = std::move(birth.identity);
        leave_statics_to_their_maker();
        child_main(birth, call, report, life_line.get());
    }
    return {pid, gate.let_in(birth_number, pid)};
}

}  // namespace

void forget_fork_gate() {
    new (&fork_gate().mutex) std::mutex;  // held by this thread, or by one that is not here
    auto& here = fork_gate();
    here.birthplace = std::exchange(here.page, std::nullopt);
    if (here.birthplace) here.birthplace->close_file();
}

platform::Newborn start_child(StartMethod method, Birth birth, message::Call& call, int report) {
    switch (method) {
        case StartMethod::fork: return fork(std::move(birth), call, report);
        case StartMethod::spawn: return spawn(birth, call, report);
        case StartMethod::forkserver: break;
    }
    if (auto newborn = start_by_fork_server(birth, call, report)) return *std::move(newborn);
    return spawn(birth, call, report);
}

}  // namespace chorus::worker

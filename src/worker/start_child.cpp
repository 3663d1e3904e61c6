#include "worker/start_child.hpp"

#include <cstdio>
#include <iostream>
#include <mutex>
#include <optional>
#include <utility>

#include "memory/segment.hpp"
#include "platform/environment.hpp"
#include "platform/process_handle.hpp"
#include "platform/process_id.hpp"
#include "sync/shared_runtime.hpp"
#include "trace/trace.hpp"
#include "worker/child_main.hpp"
#include "worker/child_request.hpp"
#include "worker/fork_server.hpp"
#include "worker/gate.hpp"
#include "worker/lifetime.hpp"
#include "worker/reexec.hpp"

namespace chorus::inline v0::detail::worker {

ChildRequest birth_of(const ProcessState& state, StartMethod method) {
    ChildRequest birth;
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

/// Layout of what this process shares with its children by fork and spawn. A child keeps the second page
/// alone.
struct ChildPages {
    Gate gate;  ///< of fork
    alignas(page_size) ExitWords exit_words{};
};
static_assert(sizeof(ChildPages) == 2 * page_size);

// Where children by fork wait; one birth at a time.
struct ForkGate {
    std::mutex mutex;
    std::shared_ptr<memory::Segment> page;
    std::shared_ptr<ExitSlots> exits;  ///< in there
    // The parent's page, at which this process waits itself, and where it tells of its end.
    std::shared_ptr<memory::Segment> birthplace;
    std::uint32_t births = 0;
};
ForkGate& fork_gate() {
    static auto* const instance = new ForkGate;
    return *instance;
}
// Before main: a fork while another thread makes it would leave a copy that waits for ever.
[[maybe_unused]] auto& fork_gate_made = fork_gate();

// Requires: the gate's mutex.
ChildPages& birth_pages(ForkGate& place) {
    if (place.page) return place.page->as<ChildPages>();
    place.page =
        std::make_shared<memory::Segment>(memory::Segment::create("chorus-gate", sizeof(ChildPages)));
    auto* const page = new (place.page->bytes().data()) ChildPages;
    place.exits = std::make_shared<ExitSlots>(place.page, page->exit_words);
    return *page;
}

Newborn spawn(ChildRequest birth, const message::Call& call, int report) {
    auto& place = fork_gate();
    ExitSlot exit;
    int page = -1;
    {
        const std::lock_guard guard(place.mutex);
        birth_pages(place);
        exit = ExitSlot(place.exits);
        page = place.page->descriptor();
    }
    birth.exit_word = exit.number();
    Request request(birth, call);
    request.move_to_file();
    auto newborn = execute_image(Role::spawned_child, request.file(), report, platform::current_environment(),
                                 birth.mask, page, request.attachments());
    return {newborn.pid, std::move(newborn.process), std::move(exit)};
}

Newborn fork(ChildRequest birth, message::Call& call, int report) {
    if (!platform::can_open_processes()) {
        throw UsageError(
            "this valgrind does not know the system call pidfd_open, without which a copy of this process "
            "cannot be watched: take a newer valgrind, or choose set_start_method(\"spawn\")");
    }
    // What is buffered would be written twice, by the parent and by its copy.
    std::cout.flush();
    std::clog.flush();
    std::fflush(nullptr);
    sync::shared_runtime();
    const auto life_line = platform::duplicate(life_line_descriptor());
    auto& place = fork_gate();
    const std::lock_guard guard(place.mutex);
    auto& page = birth_pages(place);
    auto& gate = page.gate;
    ExitSlot exit(place.exits);
    const std::uint32_t birth_number = ++place.births;
    gate.close(birth_number);
    const int pid = platform::fork_process();
    if (pid == 0) {
        gate.wait(birth_number, life_line.get());
        tell_end_at(page.exit_words, exit.number());
        if (place.birthplace) place.birthplace->unmap_beginning(page_size);
        identity() = std::move(birth.identity);
        leave_statics_to_their_maker();
        child_main(birth, call, report, life_line.get());
    }
    auto process = gate.let_in(birth_number, pid);
    return {pid, std::move(process), std::move(exit)};
}

}  // namespace

void forget_fork_gate() {
    new (&fork_gate().mutex) std::mutex;  // held by this thread, or by one that is not here
    auto& here = fork_gate();
    here.birthplace = std::exchange(here.page, nullptr);
    here.exits = nullptr;
    if (here.birthplace) here.birthplace->close_file();
}

void tell_end_in_birth_page(platform::FileDescriptor page, std::uint32_t exit_word) {
    if (!page) return;
    // Never unmapped: this process tells of its end there.
    static auto* const kept =
        new memory::Segment(memory::Segment::attach(std::move(page), sizeof(ChildPages)));
    kept->close_file();
    auto& words = kept->as<ChildPages>().exit_words;
    kept->unmap_beginning(page_size);
    tell_end_at(words, exit_word);
}

Newborn start_child(StartMethod method, ChildRequest birth, message::Call& call, int report) {
    platform::require_process_calls();
    switch (method) {
        case StartMethod::fork: return fork(std::move(birth), call, report);
        case StartMethod::spawn: return spawn(std::move(birth), call, report);
        case StartMethod::forkserver: break;
    }
    if (auto newborn = start_by_fork_server(birth, call, report)) return *std::move(newborn);
    return spawn(std::move(birth), call, report);
}

}  // namespace chorus::inline v0::detail::worker

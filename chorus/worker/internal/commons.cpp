#include <chorus/worker/internal/commons.hpp>

#include <mutex>

#include <chorus/memory/internal/segment.hpp>
#include <chorus/platform/fork_mutex.hpp>

namespace chorus::worker {
namespace {

struct Page {
    platform::ForkMutex mutex;
    memory::Segment segment;
    Commons* commons = nullptr;
};

Page& page() {
    static auto* const instance = new Page;
    return *instance;
}

Page& ready_page() {
    auto& here = page();
    const std::lock_guard guard(here.mutex);
    if (here.commons == nullptr) {
        here.segment = memory::Segment::create("chorus-commons", sizeof(Commons));
        here.commons = new (here.segment.bytes().data()) Commons;
        here.commons->print_lock.initialise();
    }
    return here;
}

}  // namespace

Commons& commons() { return *ready_page().commons; }
int commons_descriptor() { return ready_page().segment.descriptor(); }

void take_commons(platform::FileDescriptor file) {
    page().segment = memory::Segment::attach(std::move(file), sizeof(Commons));
    page().commons = &page().segment.as<Commons>();
}

}  // namespace chorus::worker

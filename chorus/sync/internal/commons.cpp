#include <chorus/sync/internal/commons.hpp>

#include <mutex>
#include <new>

#include <chorus/memory/internal/segment.hpp>
#include <chorus/platform/fork_mutex.hpp>
#include <chorus/sync/internal/lives.hpp>

namespace chorus::sync {
namespace {

constexpr std::size_t page_size = 4096;  // lives get memory page by page
static_assert(sizeof(Commons) <= Commons::signs_offset && Commons::lives_offset % page_size == 0);
constexpr std::size_t size_with_all_lives = Commons::lives_offset + Commons::most_lives * sizeof(Life);

struct Page {
    platform::ForkMutex mutex;
    memory::Segment* segment = nullptr;  ///< never unmapped: threads point into it
    memory::Segment* before_main = nullptr;
    std::atomic<Commons*> commons{nullptr};
};

Page& page() {
    static auto* const instance = new Page;
    return *instance;
}

Page& ready_page() {
    auto& here = page();
    if (here.commons.load() != nullptr) return here;
    const std::lock_guard guard(here.mutex);
    if (here.commons.load() != nullptr) return here;
    // As large as it may become, but only what is used gets memory.
    here.segment = new memory::Segment(
        memory::Segment::create_sparse(commons_label, size_with_all_lives, Commons::lives_offset));
    auto* const made = new (here.segment->bytes().data()) Commons;
    for (auto& sign : made->signs()) new (&sign) Sign;
    // The name tags are what memory is at first, zeros; and where no process has one they need none.
    made->print_lock.initialise();
    made->growth_lock.initialise();
    here.commons = made;
    return here;
}

}  // namespace

Commons& commons() { return *ready_page().commons; }
int commons_descriptor() { return ready_page().segment->descriptor(); }

void take_commons(platform::FileDescriptor file) {
    // Static objects may have used shared ones before: this thread's life there is none here.
    page().before_main = page().segment;
    forget_my_life();
    page().segment = new memory::Segment(memory::Segment::attach(std::move(file), size_with_all_lives));
    page().commons = &page().segment->as<Commons>();
}

}  // namespace chorus::sync

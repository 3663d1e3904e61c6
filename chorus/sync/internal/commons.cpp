#include <chorus/sync/internal/commons.hpp>

#include <mutex>
#include <new>

#include <chorus/memory/internal/segment.hpp>
#include <chorus/platform/fork_mutex.hpp>
#include <chorus/sync/internal/lives.hpp>

namespace chorus::sync {
namespace {

constexpr std::size_t page_size = 4096;
constexpr std::size_t size_with_all_lives = page_size + Commons::most_lives * sizeof(Life);
static_assert(sizeof(Commons) <= page_size);

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
    here.segment = new memory::Segment(memory::Segment::create_sparse("chorus-commons", size_with_all_lives, page_size));
    auto* const made = new (here.segment->bytes().data()) Commons;
    made->print_lock.initialise();
    made->growth_lock.initialise();
    here.commons = made;
    return here;
}

}  // namespace

Life* Commons::lives() noexcept { return std::launder(reinterpret_cast<Life*>(reinterpret_cast<std::byte*>(this) + page_size)); }

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

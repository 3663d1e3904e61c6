#include "worker/parent_pages.hpp"

#include <new>
#include <utility>

namespace chorus::inline v0::detail::worker {

ParentPages& parent_pages() {
    static auto* const instance = new ParentPages;
    return *instance;
}
namespace {
// Before main: a fork while another thread makes it would leave a copy that waits indefinitely.
[[maybe_unused]] auto& parent_pages_made = parent_pages();
}  // namespace

ParentPages::Layout& ParentPages::ready() {
    if (segment) return segment->as<Layout>();
    segment = std::make_shared<memory::Segment>(memory::Segment::create("chorus-gate", sizeof(Layout)));
    auto* const layout = new (segment->bytes().data()) Layout;
    exits = std::make_shared<ExitSlots>(segment, layout->exit_words);
    return *layout;
}

void forget_parent_pages() {
    auto& here = parent_pages();
    // This thread holds it, or a thread that the copy lacks does.
    new (&here.mutex) std::mutex;
    here.inherited = std::exchange(here.segment, nullptr);
    here.exits = nullptr;
    if (here.inherited) here.inherited->close_file();
}

void tell_end_in_parent_pages(platform::FileDescriptor pages, std::uint32_t exit_word) {
    if (!pages) return;
    // Never unmapped: this process writes its exit word there.
    static auto* const kept =
        new memory::Segment(memory::Segment::attach(std::move(pages), sizeof(ParentPages::Layout)));
    kept->close_file();
    auto& words = kept->as<ParentPages::Layout>().exit_words;
    kept->unmap_beginning(page_size);
    tell_end_at(words, exit_word);
}

}  // namespace chorus::inline v0::detail::worker

#include "platform/linux/robust_list.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace chorus::inline v0::detail::platform {
namespace {

// A member's next pointer. Its lowest bit marks the C library's priority inheritance. Written as an
// atomic: a page may have belonged to a dead thread, whose last writes the kernel orders before its
// mark on the word.
using Next = void*;

void set(Next* next, void* member) noexcept {
    std::atomic_ref(*reinterpret_cast<std::uintptr_t*>(next))
        .store(reinterpret_cast<std::uintptr_t>(member), std::memory_order_relaxed);
}

Next* next_of(const std::atomic<std::uint32_t>& word) noexcept {
    return reinterpret_cast<Next*>(reinterpret_cast<std::uintptr_t>(&word) + next_offset);
}
void* unmarked(void* member) noexcept {
    return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(member) & ~std::uintptr_t{1});
}
void set_back(void* member, void* before) noexcept {
    set(reinterpret_cast<Next*>(static_cast<std::byte*>(unmarked(member)) - (next_offset - back_offset)),
        before);
}

// The kernel reads the list after the death of this thread: only the compiler could reorder.
void in_this_order() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

struct List {
    robust_list_head* head = nullptr;
    Next* last_private = nullptr;  ///< behind which the shared ones come
    void* tail = nullptr;          ///< what follows the shared ones: the head, or a foreign member
    std::array<void*, 8> shared{};
    std::size_t count = 0;

    Next* before_shared() noexcept {
        return last_private != nullptr ? last_private : reinterpret_cast<Next*>(&head->list.next);
    }
    std::span<void*> listed() noexcept { return std::span(shared).first(count); }
};

// constinit: used where allocation is not allowed.
constinit thread_local List list_of_this_thread;

List& list() noexcept {
    List& list = list_of_this_thread;
    if (list.head == nullptr) [[unlikely]] {
        std::size_t size = 0;
        ::syscall(SYS_get_robust_list, 0, &list.head, &size);
    }
    return list;
}

}  // namespace

void list_as_private(const std::atomic<std::uint32_t>& word) noexcept {
    List& all = list();
    if (all.head == nullptr) return;  // refused: see require_robust_list()
    Next* const next = next_of(word);
    void* const first = all.head->list.next;
    set(next, first);
    set_back(next, &all.head->list.next);
    in_this_order();
    if (unmarked(first) != &all.head->list) set_back(first, next);
    set(reinterpret_cast<Next*>(&all.head->list.next), next);
    in_this_order();
    if (all.last_private == nullptr) all.last_private = next;
}

void list_as_shared(const std::atomic<std::uint32_t>& word) noexcept {
    List& all = list();
    if (all.head == nullptr) return;
    if (all.count == all.shared.size()) return;  // deeper than anything nests: waiters detect the death
    Next* const next = next_of(word);
    Next* const before = all.before_shared();
    if (all.count == 0) all.tail = *before;
    set(next, all.count == 0 ? all.tail : all.shared[all.count - 1]);
    in_this_order();
    set(before, next);
    in_this_order();
    all.shared[all.count++] = next;
}

void unlist_shared(const std::atomic<std::uint32_t>& word) noexcept {
    List& all = list();
    const auto listed = all.listed();
    const auto found = std::find(listed.begin(), listed.end(), static_cast<void*>(next_of(word)));
    if (found == listed.end()) return;
    const auto i = static_cast<std::size_t>(found - listed.begin());
    void* const after = i == 0 ? all.tail : all.shared[i - 1];
    Next* const before = i + 1 == all.count ? all.before_shared() : static_cast<Next*>(all.shared[i + 1]);
    in_this_order();
    set(before, after);
    in_this_order();
    std::copy(found + 1, listed.end(), found);
    --all.count;
}

void forget_list() noexcept {
    List& all = list_of_this_thread;
    // fork() has emptied it already, a bare clone has not.
    if (all.last_private != nullptr && all.head != nullptr)
        set(reinterpret_cast<Next*>(&all.head->list.next), &all.head->list);
    all = {};
}

}  // namespace chorus::inline v0::detail::platform

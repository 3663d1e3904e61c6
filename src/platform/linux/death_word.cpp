#include "platform/death_word.hpp"

#include "platform/futex.hpp"
#include "platform/linux/robust_list.hpp"
#include "platform/os_thread.hpp"
#include "platform/robust_mutex.hpp"
#include "platform/syscall.hpp"

#include <linux/futex.h>
#include <sys/mman.h>

namespace chorus::inline v0::detail::platform {

static_assert(first_death_word + next_offset + sizeof(void*) <= second_death_word + next_offset &&
                  first_death_word + back_offset >= page_size,
              "what the system needs of both words lies behind the page");

// The flag for sleepers is always set. Therefore a watcher need not write here, and may be unable to.
bool DeathWord::try_hold() noexcept {
    const WakesAtDeath under_way(word_);
    const auto mine = static_cast<std::uint32_t>(thread_id()) | FUTEX_WAITERS;
    std::uint32_t seen = word_.load();
    do {
        if ((seen & FUTEX_TID_MASK) != 0) return false;
    } while (!word_.compare_exchange_weak(seen, mine));
    list_as_private(word_);
    return true;
}

bool DeathWord::is_held() const noexcept { return (word_.load() & FUTEX_TID_MASK) != 0; }

std::optional<std::uint32_t> DeathWord::watch() const noexcept {
    const std::uint32_t value = word_.load();
    if ((value & FUTEX_TID_MASK) == 0) return std::nullopt;
    return value;
}

void DeathWord::dismiss_watchers() const noexcept { shared_futex_wake_all(word_); }

ParticipantPage::ParticipantPage(int descriptor, std::size_t offset) {
    void* const both =
        ::mmap(nullptr, 2 * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (both == MAP_FAILED) throw os_error("map memory for a thread that uses shared objects", errno);
    page_ = static_cast<std::byte*>(both);
    if (::mmap(both, page_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor,
               static_cast<off_t>(offset)) == MAP_FAILED) {
        const int code = errno;
        ::munmap(both, 2 * page_size);
        throw os_error("map shared memory for a thread that uses shared objects", code);
    }
}

ParticipantPage::~ParticipantPage() {
    if (page_ != nullptr) ::munmap(page_, 2 * page_size);
}

void hold_nothing() noexcept { forget_list(); }

}  // namespace chorus::inline v0::detail::platform

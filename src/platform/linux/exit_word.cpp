#include "platform/exit_word.hpp"

#include <csignal>

#include "platform/linux/sanitizer.hpp"

#include <unistd.h>

namespace chorus::inline v0::detail::platform {
namespace {

// Layout of the word: see exit_word.hpp.
constexpr int bits_of_value = 8;
constexpr std::uint32_t value_mask = (1U << bits_of_value) - 1;
constexpr std::uint32_t by_signal = 1U << bits_of_value;
constexpr std::uint32_t is_told = 2U << bits_of_value;
constexpr int bits_below_pid = bits_of_value + 2;  // Linux has no more than 4,194,304 processes

constinit std::atomic<std::uint32_t>* end_word = nullptr;
constinit pid_t end_word_of = 0;

}  // namespace

[[gnu::hot]] void tell_end_at(std::atomic<std::uint32_t>& word) noexcept {
    end_word_of = ::getpid();
    end_word = &word;
}

[[gnu::hot]] bool tells_end() noexcept { return end_word != nullptr && ::getpid() == end_word_of; }

namespace {

// Two threads may end the process at once, each in another way. The order of the two is not known here,
// so the word becomes invalid.
[[gnu::hot]] void tell_end(std::uint32_t how) noexcept {
    if (!tells_end()) return;
    const std::uint32_t undecided = static_cast<std::uint32_t>(end_word_of) << bits_below_pid;
    const std::uint32_t told = undecided | is_told | how;
    std::uint32_t before = 0;
    if (!end_word->compare_exchange_strong(before, told) && before != told) *end_word = undecided;
}

}  // namespace

[[gnu::hot]] void tell_exit(int code) noexcept {
    if (!under_sanitizer) tell_end(static_cast<std::uint32_t>(code) & value_mask);
}
void tell_killed_by(int signal) noexcept { tell_end(by_signal | static_cast<std::uint32_t>(signal)); }

std::optional<int> end_told_by(std::uint32_t word, int pid) noexcept {
    const auto value = static_cast<int>(word & value_mask);
    if (word >> bits_below_pid != static_cast<std::uint32_t>(pid) || (word & is_told) == 0)
        return std::nullopt;
    if ((word & by_signal) == 0) return value;
    return value > 0 && value < NSIG ? std::optional(-value) : std::nullopt;
}

}  // namespace chorus::inline v0::detail::platform

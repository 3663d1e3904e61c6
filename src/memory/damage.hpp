// What was written over in memory that processes share, by one that wrote where nothing of its own lies.
//
// Nothing read from there is used as an index, an offset, a size or a limit before it is checked against what
// this process knows itself. What never changes is kept twice.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <type_traits>

#include <chorus/errors.hpp>

namespace chorus::inline v0::detail::memory {

/// "the queue", "its ring says that …".
[[noreturn]] void throw_damaged(const std::string& object, const std::string& found);

/// Written once, before any other process sees it.
template <class T>
    requires((std::is_enum_v<T> || std::integral<T>) && sizeof(T) <= sizeof(std::uint32_t))
class Fixed {
public:
    explicit Fixed(T value = T{}) noexcept
        : value_(static_cast<std::uint32_t>(value)), again_(value_ ^ other_form) {}

    /// Throws: Damaged.
    T get(const char* object) const {
        const std::uint32_t value = value_;
        if ((again_ ^ other_form) != value) [[unlikely]]
            throw_damaged(object, "what it is was written over with " + std::to_string(value));
        return static_cast<T>(value);
    }
    bool is_whole() const noexcept { return (again_ ^ other_form) == value_; }
    /// This where it cannot be known any more.
    T get_or(T otherwise) const noexcept { return is_whole() ? static_cast<T>(value_) : otherwise; }

private:
    static constexpr std::uint32_t other_form = 0x9e3779b9;
    std::uint32_t value_;
    std::uint32_t again_;
};

}  // namespace chorus::inline v0::detail::memory

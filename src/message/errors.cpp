#include <chorus/errors.hpp>

#include <array>

namespace chorus::inline v0 {
namespace {

struct Kind {
    const char* text;
    std::errc condition{};  ///< none: 0
};

// By their numbers.
constexpr std::array kinds{
    Kind{"no error"},
    Kind{"error"},
    Kind{"wrong use", std::errc::invalid_argument},
    Kind{"a time limit has passed", std::errc::timed_out},
    Kind{"cancelled", std::errc::operation_canceled},
    Kind{"out of memory", std::errc::not_enough_memory},
    Kind{"the worker died"},
    Kind{"the pool is broken"},
    Kind{"an exception in another process"},
    Kind{"the owner of the lock died", std::errc::owner_dead},
    Kind{"shared memory is damaged", std::errc::state_not_recoverable},
    Kind{"the barrier is broken"},
    Kind{"empty", std::errc::resource_unavailable_try_again},
    Kind{"full", std::errc::resource_unavailable_try_again},
    Kind{"shut down"},
    Kind{"the other end is gone, and all was received"},
    Kind{"the other end is gone", std::errc::broken_pipe},
    Kind{"a message of another type"},
    Kind{"a message longer than its buffer", std::errc::message_size},
    Kind{"bytes that are no such value", std::errc::bad_message},
    Kind{"a function of another binary"},
};
static_assert(kinds.size() == static_cast<std::size_t>(errc::binary_mismatch) + 1);

const Kind& kind_of(int code) noexcept {
    const auto number = static_cast<std::size_t>(code);
    return kinds[number < kinds.size() ? number : static_cast<std::size_t>(errc::error)];
}

class Category final : public std::error_category {
public:
    const char* name() const noexcept override { return "chorus"; }
    std::string message(int code) const override { return kind_of(code).text; }
    std::error_condition default_error_condition(int code) const noexcept override {
        const auto condition = kind_of(code).condition;
        if (condition == std::errc{}) return {code, *this};
        return std::make_error_condition(condition);
    }
};

// Never destroyed: errors are compared while the program ends too.
constinit const union Kept {
    Category category;
    constexpr Kept() noexcept : category() {}
    ~Kept() {}
} kept;

}  // namespace

const std::error_category& error_category() noexcept { return kept.category; }

}  // namespace chorus::inline v0

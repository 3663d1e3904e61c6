// Calls that are kept, and calls that are written to be made elsewhere.
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chorus/detail/message/callable.hpp>

namespace message = chorus::detail::message;

/// Its type says all: its codec writes no byte.
struct NothingToWrite {
    bool was_read = false;
};
template <>
struct chorus::codec<NothingToWrite> {
    static void write(message::Writer&, const NothingToWrite&) {}
    static NothingToWrite read(message::Reader&) { return {true}; }
};

namespace {

/// Writes the call, runs what was written, and reads its value.
template <class Result, class... Parts>
Result by_message(Parts&&... parts) {
    const auto call = message::make_travelling_call(std::forward<Parts>(parts)...);
    message::Writer out;
    call->encode(out);
    const auto bytes = out.take();
    message::Reader in(bytes);
    message::Writer result;
    message::WrittenCall(in).invoke(&result);
    const auto answer = result.take();
    message::Reader value(answer);
    return message::decode<Result>(value);
}

int add(int a, int b) { return a + b; }
template <class T>
T doubled(T value) {
    return value + value;
}
std::size_t length(const std::string& text) { return text.size(); }
std::string c_text(const char* text) { return std::string(text) + "!"; }
std::string view(std::string_view text) { return std::string(text) + "?"; }
std::string owned(std::string text) { return text + "."; }
int grown(std::vector<int>& list) {
    list.push_back(1);
    return static_cast<int>(list.size());
}
int taken(std::unique_ptr<int> owner) { return *owner; }
int taken_by_rvalue(std::vector<int>&& list) {
    return static_cast<int>(std::vector<int>(std::move(list)).size());
}
const std::string& a_reference() {
    static const std::string text = "referred to";
    return text;
}
int apply(int (*function)(int, int), int a, int b) { return function(a, b); }

struct Multiplier {
    int factor = 1;
    int operator()(int n) const { return factor * n; }
};
class Accumulator {
public:
    Accumulator() = default;
    explicit Accumulator(std::vector<int> values) : values_(std::move(values)) {}
    int operator()(int more) {
        values_.push_back(more);
        int sum = 0;
        for (const int value : values_) sum += value;
        return sum;
    }
    template <class Archive>
    void serialize(Archive& archive) {
        archive(values_);
    }

private:
    std::vector<int> values_;
};
struct Stateless {
    template <class T>
    T operator()(T value) const {
        return value * T(2);
    }
};

TEST(Callable, functions_travel) {
    EXPECT_EQ(by_message<int>(add, 2, 3), 5);
    EXPECT_EQ(by_message<int>(&add, 2, 3), 5);
    EXPECT_EQ(by_message<double>(doubled<double>, 2.5), 5.0);
    EXPECT_EQ(by_message<std::string>(doubled<std::string>, "ab"), "abab");
}

TEST(Callable, lambdas_and_functors_travel) {
    EXPECT_EQ(by_message<int>([](int a, int b) { return a * b; }, 2, 3), 6);
    EXPECT_EQ(by_message<int>([](auto a) { return a + 1; }, 2), 3);
    EXPECT_EQ(by_message<int>(Stateless{}, 4), 8);
    EXPECT_EQ(by_message<int>(std::plus<>{}, 4, 5), 9);
    EXPECT_EQ(by_message<int>(Multiplier{3}, 4), 12) << "a functor's state goes with it";
    EXPECT_EQ(by_message<int>(Accumulator({1, 2}), 3), 6);
}

TEST(Callable, two_lambdas_of_one_shape_stay_two) {
    EXPECT_EQ(by_message<int>([](int n) { return n + 1; }, 1), 2);
    EXPECT_EQ(by_message<int>([](int n) { return n + 2; }, 1), 3);
}

TEST(Callable, named_functions_travel_with_their_keywords) {
    constexpr auto named = chorus::named<"a", "b">(add);
    EXPECT_EQ(by_message<int>(named, chorus::kw<"b"> = 3, chorus::kw<"a"> = 2), 5);
    constexpr auto lambda = chorus::named<"a", "b">([](int a, int b) { return a - b; });
    EXPECT_EQ(by_message<int>(lambda, chorus::kw<"b"> = 3, chorus::kw<"a"> = 2), -1);
}

TEST(Callable, text_may_be_taken_in_each_way) {
    EXPECT_EQ(by_message<std::size_t>(length, "four"), 4U);
    EXPECT_EQ(by_message<std::size_t>(length, std::string("four")), 4U);
    EXPECT_EQ(by_message<std::string>(c_text, "four"), "four!");
    EXPECT_EQ(by_message<std::string>(view, "four"), "four?");
    EXPECT_EQ(by_message<std::string>(owned, "four"), "four.");
    char buffer[] = "buffer";
    EXPECT_EQ(by_message<std::string>(c_text, buffer), "buffer!");
    const char* pointer = "pointer";
    EXPECT_EQ(by_message<std::string>(c_text, pointer), "pointer!");
}

TEST(Callable, arguments_may_be_taken_in_each_way) {
    std::vector<int> list{1, 2};
    EXPECT_EQ(by_message<int>(grown, list), 3);
    EXPECT_EQ(list.size(), 2U) << "the function has a copy of its own";
    EXPECT_EQ(by_message<int>(taken_by_rvalue, list), 2);
    EXPECT_EQ(by_message<int>(add, 'a', 1.0), 'a' + 1);
    EXPECT_EQ(by_message<int>(apply, add, 2, 3), 5);
    EXPECT_EQ(by_message<std::string>(a_reference), "referred to");
}

TEST(Callable, what_can_only_be_moved_travels) {
    EXPECT_EQ(by_message<int>(taken, std::make_unique<int>(5)), 5);
}

TEST(Callable, a_function_without_value_writes_none) {
    static int calls = 0;
    const auto call = message::make_travelling_call([] { ++calls; });
    message::Writer out;
    call->encode(out);
    const auto bytes = out.take();
    message::Reader in(bytes);
    message::Writer result;
    message::WrittenCall(in).invoke(&result);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(result.size(), 0U);
}

TEST(Callable, a_codec_may_write_nothing) {
    EXPECT_EQ(by_message<int>([](NothingToWrite nothing, int n) { return nothing.was_read ? n : -1; },
                              NothingToWrite{}, 0x123456),
              0x123456);
}

TEST(Callable, a_written_call_can_be_run_again) {
    const auto call = message::make_travelling_call(add, 2, 3);
    message::Writer first;
    call->encode(first);
    message::Writer second;
    call->encode(second);
    EXPECT_EQ(first.take(), second.take());
}

TEST(Callable, what_the_function_throws_comes_through) {
    const auto call =
        message::make_travelling_call([](int n) -> int { throw std::out_of_range(std::to_string(n)); }, 5);
    message::Writer out;
    call->encode(out);
    const auto bytes = out.take();
    message::Reader in(bytes);
    EXPECT_THROW(message::WrittenCall(in).invoke(nullptr), std::out_of_range);
}

TEST(Callable, a_call_cut_short_is_refused) {
    const auto call = message::make_travelling_call(length, std::string("text"));
    message::Writer out;
    call->encode(out);
    const auto bytes = out.take();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        message::Reader in(std::span<const std::byte>(bytes).first(size));
        EXPECT_THROW(message::WrittenCall(in).invoke(nullptr), chorus::DecodeError)
            << "of " << bytes.size() << " bytes only " << size;
    }
}

TEST(Callable, a_call_of_another_build_is_refused_with_both_ids_named) {
    const auto call = message::make_travelling_call(add, 2, 3);
    message::Writer out;
    call->encode(out);
    auto bytes = out.take();
    message::Reader reader(bytes);
    const auto mine = message::FunctionIdentity::read(reader);
    const std::size_t first_letter = sizeof(std::size_t);
    bytes[first_letter] = bytes[first_letter] == std::byte{'0'} ? std::byte{'1'} : std::byte{'0'};
    message::Reader again(bytes);
    const auto theirs = message::FunctionIdentity::read(again);
    message::Reader in(bytes);
    try {
        message::WrittenCall(in).invoke(nullptr);
        FAIL() << "a call of another build was run";
    } catch (const chorus::BinaryMismatch& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr(mine.build_id));
        EXPECT_THAT(error.what(), testing::HasSubstr(theirs.build_id));
    }
}

TEST(Callable, a_local_call_takes_anything_and_stays_here) {
    int sum = 0;
    auto owner = std::make_unique<int>(4);
    const auto call = message::make_local_call(
        [&sum](std::unique_ptr<int> mine, int* raw) { sum = *mine + *raw; }, std::move(owner), &sum);
    sum = 1;
    message::Writer out;
    EXPECT_THROW(call->encode(out), chorus::UsageError);
    call->invoke(nullptr);
    EXPECT_EQ(sum, 5);
}

TEST(Callable, result_types_are_values) {
    static_assert(std::is_same_v<message::CallResult<decltype(add), int, int>::type, int>);
    static_assert(std::is_same_v<message::CallResult<decltype(a_reference)>::type, std::string>);
    static_assert(std::is_same_v<message::CallResult<decltype(c_text), const char(&)[5]>::type, std::string>);
}

}  // namespace

namespace elsewhere {
void named_elsewhere(int) {}
}  // namespace elsewhere

namespace {

std::string as_text(int number) { return std::to_string(number); }

TEST(Callable, function_names_are_short) {
    EXPECT_EQ(message::make_travelling_call(as_text, 1)->function_name(), "as_text");
    EXPECT_EQ(message::make_local_call(elsewhere::named_elsewhere, 1)->function_name(), "named_elsewhere");
    EXPECT_EQ(message::make_travelling_call(add, 1, 2)->function_name(), "add");
    EXPECT_EQ(message::make_travelling_call(doubled<int>, 1)->function_name(), "doubled");
    EXPECT_EQ(message::make_travelling_call([] {})->function_name(), "<lambda>");
    EXPECT_EQ(message::make_travelling_call(chorus::named<"a", "b">(add), 1, 2)->function_name(), "add");
}

}  // namespace

// What travels, and what becomes of bytes that are not what they should be.
#include <array>
#include <atomic>
#include <bitset>
#include <chrono>
#include <cmath>
#include <complex>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <forward_list>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <span>
#include <stack>
#include <string>
#include <tuple>
#include <typeinfo>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <valarray>
#include <variant>
#include <vector>

#include <sys/resource.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chorus/serialize.hpp>
#include <support/sanitizers.hpp>

using namespace std::chrono_literals;
namespace message = chorus::detail::message;

/// A class of another library: it has no default constructor, and nothing can be added to it.
class Celsius {
public:
    explicit Celsius(double degrees) : degrees_(degrees) {}
    double degrees() const { return degrees_; }
    friend auto operator<=>(const Celsius&, const Celsius&) = default;

private:
    double degrees_;
};
template <>
struct chorus::codec<Celsius> {
    static void write(chorus::detail::message::Writer& out, const Celsius& value) {
        chorus::detail::message::encode(out, value.degrees());
    }
    static Celsius read(chorus::detail::message::Reader& in) {
        return Celsius(chorus::detail::message::decode<double>(in));
    }
};
template <>
struct std::hash<Celsius> {
    std::size_t operator()(const Celsius& value) const noexcept {
        return std::hash<double>()(value.degrees());
    }
};

namespace {

template <class T>
std::vector<std::byte> encoded(const T& value) {
    message::Writer out;
    message::encode(out, value);
    return out.take();
}

/// Reads the value back, and sees to it that nothing is left.
template <class T>
T decoded(const std::vector<std::byte>& bytes) {
    message::Reader in(bytes);
    T value = message::decode<T>(in);
    EXPECT_EQ(in.left(), 0U) << "the reader left bytes that the writer wrote";
    return value;
}

template <class T>
T there_and_back(const T& value) {
    return decoded<T>(encoded(value));
}

/// Bytes that damage has reached may hold some other value, or none; but they must not bring the
/// process down, nor make it allocate what they claim.
template <class T>
void survives_damage(const T& value) {
    const auto bytes = encoded(value);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        message::Reader in(std::span<const std::byte>(bytes).first(size));
        EXPECT_THROW(message::decode<T>(in), chorus::DecodeError)
            << "of " << bytes.size() << " bytes only " << size;
    }
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        for (const auto flip : {std::byte{0x01}, std::byte{0x80}, std::byte{0xff}}) {
            auto damaged = bytes;
            damaged[i] ^= flip;
            message::Reader in(damaged);
            try {
                [[maybe_unused]] const T other = message::decode<T>(in);
            } catch (const chorus::DecodeError&) {
            } catch (const std::exception& error) {
                ADD_FAILURE() << "byte " << i << " flipped by " << std::to_integer<int>(flip) << ": "
                              << typeid(error).name() << ", " << error.what();
            }
        }
    }
}

template <class T>
void travels(const T& value) {
    EXPECT_EQ(there_and_back(value), value);
    survives_damage(value);
}

/// No allocation may be larger than a message of this size can need.
class AllocationLimit {
public:
    AllocationLimit() {
        ::getrlimit(RLIMIT_AS, &before_);
        const rlimit limit{std::min<rlim_t>(before_.rlim_max, rlim_t{4} << 30), before_.rlim_max};
        if (!under_sanitizer)
            ::setrlimit(RLIMIT_AS, &limit);  // their shadow needs terabytes of address space
    }
    ~AllocationLimit() {
        if (!under_sanitizer) ::setrlimit(RLIMIT_AS, &before_);
    }
    AllocationLimit(const AllocationLimit&) = delete;
    AllocationLimit& operator=(const AllocationLimit&) = delete;

private:
    rlimit before_{};
};

// ---- plain values -----------------------------------------------------------------------------

enum class Colour : std::uint8_t { red = 1, green = 200 };
enum Plain { plain_one = 1, plain_two };

TEST(Serialize, arithmetic_types) {
    travels(true);
    travels('c');
    travels(std::int8_t{-128});
    travels(std::numeric_limits<std::int64_t>::min());
    travels(std::numeric_limits<std::uint64_t>::max());
    travels(1.5F);
    travels(std::numeric_limits<double>::denorm_min());
    travels(std::numeric_limits<double>::infinity());
    travels(1.5L);
    travels(L'w');
    travels(u'u');
    travels(U'U');
    travels(char8_t{'8'});
    travels(std::byte{200});
    EXPECT_TRUE(std::isnan(there_and_back(std::numeric_limits<double>::quiet_NaN())));
}

TEST(Serialize, enums) {
    travels(Colour::green);
    travels(std::vector<Colour>{Colour::red, Colour::green});
    // Out of damaged bytes an enum without a fixed type may get a value that it cannot have, which a
    // sanitizer ends.
    if (under_sanitizer) return;
    travels(plain_two);
    travels(std::map<Colour, Plain>{{Colour::red, plain_one}});
}

TEST(Serialize, text) {
    travels(std::string());
    travels(std::string("text with a \0 inside", 20));
    travels(std::wstring(L"wide"));
    travels(std::u16string(u"sixteen"));
    travels(std::u32string(U"thirty-two"));
    travels(std::string(10'000, 'x').substr(0, 300));
}

TEST(Serialize, times_and_paths) {
    travels(1500ms);
    travels(std::chrono::duration<double>(0.25));
    travels(std::chrono::system_clock::time_point(1234567s));
    travels(std::chrono::steady_clock::now());
    travels(std::filesystem::path("/a/b c/d"));
    travels(std::filesystem::path());
    travels(std::vector<std::filesystem::path>{"a", "b"});
    travels(std::bitset<70>("1011"));
    travels(std::complex<double>(1, -2));
}

// ---- containers -------------------------------------------------------------------------------

TEST(Serialize, sequences) {
    travels(std::vector<int>{1, 2, 3});
    travels(std::vector<int>());
    travels(std::vector<bool>{true, false, true});
    travels(std::vector<std::string>{"a", "", "c"});
    travels(std::deque<int>{1, 2});
    travels(std::list<std::string>{"a", "b"});
    travels(std::forward_list<int>{1, 2, 3});
    travels(std::array<int, 3>{1, 2, 3});
    travels(std::array<std::string, 2>{"a", "b"});
    travels(std::array<int, 0>{});
    const auto values = there_and_back(std::valarray<double>{1, 2, 3});
    EXPECT_EQ(values.size(), 3U);
    EXPECT_EQ(values[2], 3);
    survives_damage(std::valarray<double>{1, 2, 3});
}

TEST(Serialize, associations) {
    travels(std::map<int, std::string>{{1, "a"}, {2, "b"}});
    travels(std::multimap<int, int>{{1, 1}, {1, 2}});
    travels(std::unordered_map<std::string, int>{{"a", 1}, {"b", 2}});
    travels(std::unordered_multimap<int, int>{{1, 1}, {1, 2}});
    travels(std::set<std::string>{"a", "b"});
    travels(std::multiset<int>{1, 1, 2});
    travels(std::unordered_set<int>{1, 2});
    travels(std::unordered_multiset<int>{1, 1});
}

TEST(Serialize, adaptors) {
    std::queue<int> queue({1, 2, 3});
    travels(queue);
    std::stack<int> stack(std::deque<int>{1, 2, 3});
    travels(stack);
    std::priority_queue<int> heap;
    for (const int i : {1, 5, 3}) heap.push(i);
    EXPECT_EQ(there_and_back(heap).top(), 5);
    EXPECT_EQ(there_and_back(heap).size(), 3U);
    survives_damage(heap);
}

TEST(Serialize, sums_and_products) {
    travels(std::pair<int, std::string>(1, "a"));
    travels(std::tuple<int, std::string, double>(1, "a", 2.5));
    travels(std::tuple<>());
    travels(std::optional<int>());
    travels(std::optional<std::string>("a"));
    travels(std::variant<int, std::string>("a"));
    travels(std::variant<int, std::string>(1));
    travels(std::variant<std::monostate, int>());
    travels(std::monostate());
    travels(std::vector<std::optional<std::variant<int, std::string>>>{std::nullopt, 1, "a"});
}

TEST(Serialize, smart_pointers) {
    EXPECT_EQ(*there_and_back(std::make_unique<int>(5)), 5);
    EXPECT_EQ(there_and_back(std::unique_ptr<int>()), nullptr);
    survives_damage(std::make_unique<std::string>("a"));
    const auto shared = there_and_back(std::make_shared<std::string>("a"));
    EXPECT_EQ(*shared, "a");
    EXPECT_EQ(there_and_back(std::shared_ptr<int>()), nullptr);
    survives_damage(std::make_shared<std::string>("a"));
}

TEST(Serialize, shared_pointers_of_one_value_stay_shared) {
    const auto value = std::make_shared<int>(5);
    const auto back =
        there_and_back(std::vector<std::shared_ptr<int>>{value, value, std::make_shared<int>(6)});
    ASSERT_EQ(back.size(), 3U);
    EXPECT_EQ(back[0], back[1]);
    EXPECT_EQ(*back[2], 6);
    survives_damage(std::vector<std::shared_ptr<int>>{value, value});
}

TEST(Serialize, nested_in_any_order) {
    using Deep = std::map<std::string, std::vector<std::tuple<int, std::optional<std::list<std::set<double>>>,
                                                              std::array<std::pair<char, bool>, 2>>>>;
    const Deep deep{{"a",
                     {{1, std::list<std::set<double>>{{1.5, 2.5}, {}}, {{{'x', true}, {'y', false}}}},
                      {2, std::nullopt, {}}}},
                    {"", {}}};
    travels(deep);
}

TEST(Serialize, atomics_are_copied) {
    const std::atomic<int> before(5);
    const auto bytes = encoded(before);
    message::Reader in(bytes);
    message::InputArchive archive(in);
    std::atomic<int> after(0);
    archive(after);
    EXPECT_EQ(after, 5);
}

// ---- aggregates -------------------------------------------------------------------------------

struct Empty {
    bool operator==(const Empty&) const = default;
};
struct One {
    int a = 0;
    bool operator==(const One&) const = default;
};
struct OneArray {
    int a[3] = {};
    bool operator==(const OneArray&) const = default;
};
struct Arrays {
    char text[4] = {};
    int grid[2][3] = {};
    std::string names[2];
    double last = 0;
    bool operator==(const Arrays&) const = default;
};
struct Nest {
    One one;
    Empty empty;
    std::vector<One> more;
    Arrays arrays;
    std::optional<One> maybe;
    std::map<std::string, Arrays> by_name;
    std::array<One, 2> two;
    bool operator==(const Nest&) const = default;
};
struct Wide {
    int f01 = 1, f02 = 2, f03 = 3, f04 = 4, f05 = 5, f06 = 6, f07 = 7, f08 = 8, f09 = 9, f10 = 10, f11 = 11,
        f12 = 12, f13 = 13, f14 = 14, f15 = 15, f16 = 16;
    std::string f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30, f31, f32;
    bool operator==(const Wide&) const = default;
};
struct Thirteen {
    std::string a;
    int b = 0;
    double c = 0;
    One d;
    char e[5] = {};
    std::vector<int> f;
    bool g = false;
    Colour h = Colour::red;
    std::optional<int> i;
    std::pair<int, int> j;
    Empty k;
    std::array<int, 2> l{};
    std::unique_ptr<int> m;
};
struct WithDefaults {
    int number = 5;
    std::string text = "default";
    bool operator==(const WithDefaults&) const = default;
};
struct WithBitsAndBools {
    bool a = true;
    std::uint8_t b = 2;
    bool operator==(const WithBitsAndBools&) const = default;
};
struct Recursive {
    int value = 0;
    std::vector<Recursive> children;
    bool operator==(const Recursive&) const = default;
};

TEST(Serialize, aggregates) {
    travels(Empty{});
    travels(One{5});
    travels(OneArray{{1, 2, 3}});
    travels(Arrays{"abc", {{1, 2, 3}, {4, 5, 6}}, {"x", "y"}, 2.5});
    travels(WithDefaults{1, "other"});
    travels(WithBitsAndBools{false, 200});
    travels(Recursive{1, {{2, {}}, {3, {{4, {}}}}}});
}

TEST(Serialize, aggregates_in_aggregates) {
    Nest nest;
    nest.one.a = 1;
    nest.more = {{2}, {3}};
    nest.arrays.names[1] = "name";
    nest.maybe = One{4};
    nest.by_name["k"].grid[1][2] = 5;
    nest.two = {One{6}, One{7}};
    travels(nest);
}

TEST(Serialize, aggregates_in_containers) {
    travels(std::vector<Empty>(3));
    travels(std::vector<OneArray>{{{1, 2, 3}}, {{4, 5, 6}}});
    travels(std::map<int, One>{{1, {2}}});
    travels(std::variant<int, One>(One{5}));
    travels(std::tuple<One, Empty>(One{5}, Empty{}));
    travels(std::optional<Empty>(Empty{}));
    EXPECT_EQ(there_and_back(std::make_shared<One>(One{5}))->a, 5);
}

TEST(Serialize, aggregates_of_1_and_of_32_fields) {
    EXPECT_EQ(message::field_count<Empty>, 0U);
    EXPECT_EQ(message::field_count<One>, 1U);
    EXPECT_EQ(message::field_count<OneArray>, 1U);
    EXPECT_EQ(message::field_count<Arrays>, 4U);
    EXPECT_EQ(message::field_count<Nest>, 7U);
    EXPECT_EQ(message::field_count<Thirteen>, 13U);
    EXPECT_EQ(message::field_count<Wide>, 32U);
    Wide wide;
    wide.f01 = 100;
    wide.f17 = "seventeen";
    wide.f32 = "thirty-two";
    travels(wide);
}

TEST(Serialize, an_aggregate_with_a_field_that_can_only_be_moved) {
    Thirteen value;
    value.a = "a";
    value.e[4] = 'e';
    value.h = Colour::green;
    value.m = std::make_unique<int>(13);
    const auto bytes = encoded(value);
    const auto back = decoded<Thirteen>(bytes);
    EXPECT_EQ(back.a, "a");
    EXPECT_EQ(back.e[4], 'e');
    EXPECT_EQ(back.h, Colour::green);
    EXPECT_EQ(*back.m, 13);
}

// ---- types that say themselves how they travel -------------------------------------------------

class Member {
public:
    Member() = default;
    explicit Member(int value) : value_(value) {}
    template <class Archive>
    void serialize(Archive& archive) {
        archive(value_, text_);
    }
    bool operator==(const Member&) const = default;

private:
    int value_ = 0;
    std::string text_ = "text";
};
class SaveLoad {
public:
    SaveLoad() = default;
    explicit SaveLoad(int value) : value_(value) {}
    template <class Archive>
    void save(Archive& archive) const {
        archive(value_ * 2);
    }
    template <class Archive>
    void load(Archive& archive) {
        archive(value_);
        value_ /= 2;
    }
    bool operator==(const SaveLoad&) const = default;

private:
    int value_ = 0;
};
class Befriended {
public:
    Befriended() = default;
    explicit Befriended(One one) : one_(one) {}
    bool operator==(const Befriended&) const = default;

private:
    friend class cereal::access;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(cereal::make_nvp("one", one_), more_);
    }
    One one_;  // a plain struct inside: cereal alone would refuse it
    std::vector<Arrays> more_{1};
};
class Outside {
public:
    Outside() = default;
    explicit Outside(int n) : number(n) {}
    int number = 0;
    bool operator==(const Outside&) const = default;
};
template <class Archive>
void serialize(Archive& archive, Outside& outside) {
    archive(outside.number);
}
class SaveLoadOutside {
public:
    SaveLoadOutside() = default;
    explicit SaveLoadOutside(int n) : number(n) {}
    int number = 0;
    bool operator==(const SaveLoadOutside&) const = default;
};
template <class Archive>
void save(Archive& archive, const SaveLoadOutside& value) {
    archive(value.number);
}
template <class Archive>
void load(Archive& archive, SaveLoadOutside& value) {
    archive(value.number);
}
class Minimal {
public:
    Minimal() = default;
    explicit Minimal(std::string text) : text_(std::move(text)) {}
    template <class Archive>
    std::string save_minimal(const Archive&) const {
        return text_;
    }
    template <class Archive>
    void load_minimal(const Archive&, const std::string& text) {
        text_ = text;
    }
    bool operator==(const Minimal&) const = default;

private:
    std::string text_;
};
struct Base {
    int below = 1;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(below);
    }
    bool operator==(const Base&) const = default;
};
struct Derived : Base {
    int above = 2;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(cereal::base_class<Base>(this), above);
    }
    bool operator==(const Derived&) const = default;
};

TEST(Serialize, types_with_cereal_functions) {
    travels(Member(5));
    travels(SaveLoad(5));
    travels(Befriended(One{5}));
    travels(Outside(5));
    travels(SaveLoadOutside(5));
    travels(Minimal("text"));
    Derived derived;
    derived.below = 10;
    derived.above = 20;
    travels(derived);
}

struct Mixed {
    Member member;
    std::vector<SaveLoad> list;
    std::map<int, Outside> by_number;
    bool operator==(const Mixed&) const = default;
};

struct WritesNothing {
    template <class Archive>
    void serialize(Archive&) {}
    bool operator==(const WritesNothing&) const = default;
};

TEST(Serialize, elements_that_write_nothing_are_counted_all_the_same) {
    travels(WritesNothing{});
    EXPECT_EQ(there_and_back(std::vector<WritesNothing>(3)).size(), 3U);
    EXPECT_EQ(there_and_back(std::vector<std::tuple<>>(3)).size(), 3U);
    EXPECT_EQ(there_and_back(std::vector<Empty>(3)).size(), 3U);
    EXPECT_EQ(there_and_back(std::list<std::array<WritesNothing, 2>>(3)).size(), 3U);
}

TEST(Serialize, types_with_cereal_functions_inside_others) {
    travels(std::vector<Member>{Member(1), Member(2)});
    travels(Mixed{Member(1), {SaveLoad(2)}, {{3, Outside(4)}}});
    travels(std::optional<Minimal>(Minimal("x")));
    EXPECT_TRUE(*there_and_back(std::make_shared<Member>(Member(5))) == Member(5));
}

}  // namespace

/// Neither default constructible nor copyable by assignment, and older than any serialisation.
class Handle {
public:
    explicit Handle(int number) : number_(number) {}
    int number() const { return number_; }

private:
    int number_;
};
template <>
struct chorus::codec<Handle> {
    static void write(message::Writer& out, const Handle& handle) { out.write_raw(handle.number()); }
    static Handle read(message::Reader& in) { return Handle(in.read_raw<int>()); }
};

namespace {

struct HoldsHandle {
    Handle handle{0};
    int more = 0;
};

TEST(Serialize, types_with_a_codec) {
    EXPECT_EQ(there_and_back(Handle(5)).number(), 5);
    EXPECT_EQ(there_and_back(HoldsHandle{Handle(6), 7}).handle.number(), 6);
    const auto pair = there_and_back(std::pair<int, std::optional<int>>(1, 2));
    EXPECT_EQ(pair.second, 2);
    survives_damage(Handle(5));
}

// ---- functions --------------------------------------------------------------------------------

int twice(int n) { return 2 * n; }
int thrice(int n) { return 3 * n; }
using Function = int (*)(int);

TEST(Serialize, function_pointers) {
    EXPECT_EQ(there_and_back<Function>(twice)(5), 10);
    const auto both = there_and_back(std::vector<Function>{twice, thrice});
    EXPECT_EQ(both[1](5), 15);
    struct Holds {
        Function function = nullptr;
        int argument = 0;
    };
    const auto holds = there_and_back(Holds{thrice, 4});
    EXPECT_EQ(holds.function(holds.argument), 12);
}

TEST(Serialize, a_null_function_pointer_stays_null) {
    EXPECT_EQ(there_and_back<Function>(nullptr), nullptr);
    EXPECT_EQ(there_and_back<Function>(twice), twice);
}

TEST(Serialize, a_function_pointer_cut_short_is_refused) {
    const auto bytes = encoded<Function>(twice);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        message::Reader in(std::span<const std::byte>(bytes).first(size));
        EXPECT_THROW(message::decode<Function>(in), chorus::DecodeError) << size;
    }
}

TEST(Serialize, an_offset_outside_the_code_is_refused) {
    auto identity = message::identify_function(reinterpret_cast<const void*>(&twice));
    EXPECT_EQ(message::find_function(identity), reinterpret_cast<const void*>(&twice));
    identity.offset = std::uint64_t{1} << 40;
    EXPECT_THROW(message::find_function(identity), chorus::DecodeError);
}

TEST(Serialize, a_function_of_another_build_is_refused_with_both_ids_named) {
    auto identity = message::identify_function(reinterpret_cast<const void*>(&twice));
    const auto mine = identity.build_id;
    EXPECT_FALSE(mine.empty());
    identity.build_id = "0123456789abcdef0123456789abcdef01234567";
    try {
        message::find_function(identity);
        FAIL() << "a function of another build was found";
    } catch (const chorus::BinaryMismatch& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr(mine));
        EXPECT_THAT(error.what(), testing::HasSubstr(identity.build_id));
        EXPECT_THAT(error.what(), testing::HasSubstr(identity.path));
    }
}

TEST(Serialize, a_function_of_a_binary_that_is_gone_is_refused) {
    const message::FunctionIdentity identity{"0123", "/nowhere/libgone.so", 16};
    try {
        message::find_function(identity);
        FAIL() << "a function of no binary was found";
    } catch (const chorus::BinaryMismatch& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr("/nowhere/libgone.so"));
        EXPECT_THAT(error.what(), testing::HasSubstr("0123"));
    }
}

TEST(Serialize, what_lies_in_no_binary_cannot_be_named) {
    const auto data = std::make_unique<int>(0);
    EXPECT_THROW(message::identify_function(data.get()), chorus::UsageError);
}

// ---- damage -----------------------------------------------------------------------------------

template <class T>
void refuses_a_count_of(std::size_t count) {
    message::Writer out;
    out.write_raw(count);
    out.write_raw(std::uint64_t{0});
    const auto bytes = out.take();
    message::Reader in(bytes);
    EXPECT_THROW(message::decode<T>(in), chorus::DecodeError) << count << " elements announced";
}

TEST(Serialize, an_announced_length_is_checked_before_it_is_believed) {
    const AllocationLimit limit;
    for (const std::size_t count :
         {std::size_t{1} << 40, std::numeric_limits<std::size_t>::max(),
          std::numeric_limits<std::size_t>::max() / 8, std::numeric_limits<std::size_t>::max() / 8 + 1,
          std::size_t{1} << 61, std::size_t{1} << 63, std::size_t{9}}) {
        refuses_a_count_of<std::string>(count);
        refuses_a_count_of<std::wstring>(count);
        refuses_a_count_of<std::vector<int>>(count);
        refuses_a_count_of<std::vector<bool>>(count);
        refuses_a_count_of<std::vector<double>>(count);
        refuses_a_count_of<std::vector<std::vector<int>>>(count);
        refuses_a_count_of<std::vector<std::array<double, 1000>>>(count);
        refuses_a_count_of<std::vector<Empty>>(count);
        refuses_a_count_of<std::deque<int>>(count);
        refuses_a_count_of<std::list<int>>(count);
        refuses_a_count_of<std::forward_list<int>>(count);
        refuses_a_count_of<std::valarray<double>>(count);
        refuses_a_count_of<std::map<int, int>>(count);
        refuses_a_count_of<std::set<int>>(count);
        refuses_a_count_of<std::unordered_map<int, int>>(count);
        refuses_a_count_of<std::unordered_set<int>>(count);
        refuses_a_count_of<std::filesystem::path>(count);
    }
}

struct Large {
    Large() { ++made; }
    template <class Archive>
    void serialize(Archive& archive) {
        archive(cells);
    }
    static inline int made = 0;
    std::array<std::array<std::string, 100>, 300> cells;
};

TEST(Serialize, elements_larger_than_their_bytes_do_not_multiply_a_message) {
    // A few bytes announce thousands of elements of a megabyte each: only what is there may be made.
    message::Writer out;
    out.write_raw(std::size_t{4000});
    for (int i = 0; i < 4000; ++i) out.write_raw('\0');
    const auto bytes = out.take();
    const auto refuses = [&]<class Sequence>(std::in_place_type_t<Sequence>) {
        message::Reader in(bytes);
        Large::made = 0;
        EXPECT_THROW(message::decode<Sequence>(in), chorus::DecodeError);
        EXPECT_LE(Large::made, 2);
    };
    refuses(std::in_place_type<std::vector<Large>>);
    refuses(std::in_place_type<std::deque<Large>>);
    refuses(std::in_place_type<std::list<Large>>);
}

TEST(Serialize, a_variant_without_such_an_alternative_is_refused) {
    auto bytes = encoded(std::variant<int, double>(1));
    bytes[0] = std::byte{7};
    message::Reader in(bytes);
    EXPECT_THROW((message::decode<std::variant<int, double>>(in)), chorus::DecodeError);
}

TEST(Serialize, values_that_no_encoding_has_are_read_as_some_value) {
    // A bool that is neither 0 nor 1 would be undefined behaviour in any code that reads it.
    auto bytes = encoded(true);
    bytes[0] = std::byte{255};
    message::Reader in(bytes);
    const bool value = message::decode<bool>(in);
    EXPECT_EQ(static_cast<int>(value), 1);
    auto maybe = encoded(std::optional<int>(5));
    maybe[0] = std::byte{2};
    message::Reader again(maybe);
    EXPECT_NO_THROW(message::decode<std::optional<int>>(again));
}

TEST(Serialize, deep_recursion_in_damaged_bytes_ends) {
    // Each level needs a count of 8 bytes and a value of 4: depth is bounded by the bytes there are.
    message::Writer out;
    for (int i = 0; i < 1000; ++i) {
        out.write_raw(i);
        out.write_raw(std::size_t{1});
    }
    const auto bytes = out.take();
    message::Reader in(bytes);
    EXPECT_THROW(message::decode<Recursive>(in), chorus::DecodeError);
}

// Whatever is before them: so they are copied, and not filled with zeros before.
TEST(Serialize, numbers_in_a_row_lie_as_in_memory_of_their_own) {
    for (std::size_t length = 0; length < 20; ++length) {
        message::Writer out;
        message::encode(out, std::string(length, 'x'));
        message::encode(out, std::vector<long double>{1, 2});
        message::encode(out, std::vector<double>{3});
        message::encode(out, std::vector<short>{});
        const auto bytes = out.take();
        message::Reader in(bytes);
        EXPECT_EQ(message::decode<std::string>(in).size(), length);
        const auto of_long_double = message::PaddedCount::read(in);
        EXPECT_EQ(of_long_double.count, 2U);
        EXPECT_EQ((bytes.size() - in.left()) % alignof(long double), 0U) << length;
        in.take(2 * sizeof(long double));
        EXPECT_EQ(message::PaddedCount::read(in).count, 1U);
        EXPECT_EQ((bytes.size() - in.left()) % alignof(double), 0U) << length;
        in.take(sizeof(double));
        EXPECT_EQ(message::decode<std::vector<short>>(in), std::vector<short>{});
        EXPECT_EQ(in.left(), 0U);
    }
}

TEST(Serialize, a_large_value_comes_back_whole) {
    std::vector<double> numbers(1'000'000);
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i);
    const auto bytes = encoded(numbers);
    EXPECT_EQ(bytes.size(), 8 * numbers.size() + 8);
    EXPECT_EQ(decoded<std::vector<double>>(bytes), numbers);
}

// ---- the writer -------------------------------------------------------------------------------

class Collector final : public message::Sink {
public:
    void write(std::span<const std::byte> bytes) override {
        largest_ = std::max(largest_, bytes.size());
        all_.insert(all_.end(), bytes.begin(), bytes.end());
    }
    const std::vector<std::byte>& all() const { return all_; }

private:
    std::vector<std::byte> all_;
    std::size_t largest_ = 0;
};

// Has memory of its own to lend.
class Lender final : public message::Sink {
public:
    void write(std::span<const std::byte> bytes) override { std::ranges::copy(bytes, room(bytes.size())); }
    std::byte* room(std::size_t bytes) override {
        all_.resize(all_.size() + bytes);
        return all_.data() + all_.size() - bytes;
    }
    const std::vector<std::byte>& all() const { return all_; }

private:
    std::vector<std::byte> all_;
};

TEST(Writer, lends_room_for_what_is_yet_to_be_made) {
    for (const std::size_t threshold : {0U, 10U, 11U, 12U, 1000U}) {
        Lender lender;
        message::Writer out(lender, threshold);
        for (const std::size_t size : {1U, 10U, 0U, 2U, 100U}) {
            out.write_raw('-');
            std::byte* const room = out.room(size);
            if (size != 0) std::memset(room, 'x', size);
        }
        EXPECT_EQ(out.size(), 118U);
        out.flush();
        const std::string written(reinterpret_cast<const char*>(lender.all().data()), lender.all().size());
        EXPECT_EQ(written, "-x-xxxxxxxxxx--xx-" + std::string(100, 'x'))
            << "with a threshold of " << threshold;
    }
}

TEST(Writer, lends_nothing_where_its_sink_has_nothing_to_lend) {
    Collector collector;
    message::Writer out(collector, 10);
    out.write_raw('-');
    EXPECT_EQ(out.room(11), nullptr);
    ASSERT_NE(out.room(9), nullptr);
    EXPECT_EQ(out.size(), 10U);
}

TEST(Writer, hands_on_what_is_beyond_its_threshold) {
    const std::vector<std::string> value{"short", std::string(1000, 'x'), "", std::string(30, 'y')};
    for (const std::size_t threshold :
         {std::size_t{0}, std::size_t{1}, std::size_t{8}, std::size_t{100}, std::size_t{100'000}}) {
        Collector collector;
        message::Writer out(collector, threshold);
        message::encode(out, value);
        EXPECT_LE(out.buffered().size(), threshold);
        EXPECT_EQ(out.has_spilled(), !collector.all().empty());
        const auto size = out.size();
        out.flush();
        EXPECT_EQ(out.size(), size);
        EXPECT_EQ(collector.all(), encoded(value)) << "with a threshold of " << threshold;
    }
}

TEST(Serialize, what_has_no_default_constructor_travels_in_containers_by_its_codec) {
    const Celsius one(1);
    const Celsius two(2);
    travels(one);
    travels(std::vector{one, two});
    travels(std::deque{one, two});
    travels(std::list{one, two});
    travels(std::array{one, two});
    travels(std::optional<Celsius>(one));
    travels(std::optional<Celsius>());
    travels(std::pair(one, std::string("one")));
    travels(std::tuple(1, one, std::string("one")));
    travels(std::map<int, Celsius>{{1, one}, {2, two}});
    travels(std::map<Celsius, int>{{one, 1}, {two, 2}});
    travels(std::set{one, two});
    travels(std::unordered_map<std::string, Celsius>{{"one", one}, {"two", two}});
    travels(std::unordered_set{one, two});
    travels(std::vector{std::optional(one), std::optional<Celsius>()});
    travels(
        std::map<std::string, std::vector<std::pair<int, Celsius>>>{{"a", {{1, one}, {2, two}}}, {"b", {}}});
}

}  // namespace

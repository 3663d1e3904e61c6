// ShareableList: a list of values in shared memory, between processes of this program and with Python.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <random>
#include <ranges>
#include <sstream>
#include <string>
#include <typeinfo>
#include <vector>

#include <unistd.h>

#include <support/start_methods.hpp>

#include <memory/block_names.hpp>

using namespace std::string_literals;
using testing::AllOf;
using testing::HasSubstr;

namespace {

using Value = mp::ShareableList::Value;
using Bytes = std::vector<std::byte>;

Bytes bytes_of(std::string_view text) {
    const auto* first = reinterpret_cast<const std::byte*>(text.data());
    return {first, first + text.size()};
}

std::vector<Value> values_of(const mp::ShareableList& list) { return {list.begin(), list.end()}; }

std::string text_of(const mp::ShareableList& list) {
    std::ostringstream text;
    text << list;
    return text.str().substr(0, text.str().rfind(", name="));
}

class ShareableList : public EachStartMethod {
protected:
    BlockNames names;
};
FOR_EACH_START_METHOD(ShareableList);

/// Unlinks a list's block at the end of a test.
class ShareableListBlock : public testing::Test {
protected:
    mp::ShareableList owned(mp::ShareableList list) {
        names.known(list.shm().name());
        lists_.push_back(list);
        return list;
    }
    ~ShareableListBlock() override {
        for (auto& list : lists_) list.shm().unlink();
    }

    BlockNames names;

private:
    std::vector<mp::ShareableList> lists_;
};

// ---- the rows of CPython's suite ---------------------------------------------------------------

TEST_F(ShareableListBlock, test_shared_memory_ShareableList_basics) {
    const auto list = owned({"howdy", bytes_of("HoWdY"), -273.154, 100, nullptr, true, 42});
    EXPECT_EQ(list.size(), 7U);
    EXPECT_EQ(list.format(), "8s8sdqxxxxxx?xxxxxxxx?q");
    EXPECT_EQ(text_of(list), "ShareableList(['howdy', b'HoWdY', -273.154, 100, None, True, 42]");

    // Index and iterate.
    EXPECT_EQ(list[0].as<std::string>(), "howdy");
    EXPECT_EQ(list[1].as<Bytes>(), bytes_of("HoWdY"));
    EXPECT_EQ(list[2].as<double>(), -273.154);
    const std::int64_t hundred = list[3].as<std::int64_t>();
    EXPECT_EQ(hundred, 100);
    EXPECT_EQ(std::get<bool>(list[5].get()), true);
    EXPECT_TRUE(list[4].is<std::nullptr_t>());
    EXPECT_EQ(list[-1], 42);
    EXPECT_EQ(list[-7], "howdy");
    EXPECT_EQ(values_of(list),
              (std::vector<Value>{"howdy", bytes_of("HoWdY"), -273.154, 100, nullptr, true, 42}));
    EXPECT_THAT(message_of<chorus::UsageError>([&] { list[7]; }),
                AllOf(HasSubstr("element 7"), HasSubstr("of 7")));
    EXPECT_THAT(message_of<chorus::UsageError>([&] { list[-8]; }), HasSubstr("element -8"));
    EXPECT_THROW(list[7] = 1, chorus::UsageError);

    // Count and index.
    EXPECT_EQ(list.count(42), 1U);
    EXPECT_EQ(list.count("adios"), 0U);
    EXPECT_EQ(list.index(42), 6U);
    EXPECT_EQ(list.index(nullptr), 4U);
    EXPECT_THAT(message_of<chorus::UsageError>([&] { list.index("adios"); }), HasSubstr("'adios' is not in"));

    // Types change in place.
    list[3] = 42;
    list[4] = "some";
    list[2] = nullptr;
    list[6] = 1.5;
    EXPECT_EQ(list.count(42), 1U);
    EXPECT_EQ(list.format(), "8s8sxxxxxx?xq8sxxxxxxx?d");
    EXPECT_EQ(list[4], "some");
    list[4] = list[0];
    EXPECT_EQ(list[4], list[0]);

    // Too long for its place: refused, and nothing has changed.
    const auto before = values_of(list);
    EXPECT_EQ(list[4].as<std::string>(), "howdy");
    EXPECT_THAT(message_of<chorus::UsageError>([&] { list[4] = "far too many"; }),
                AllOf(HasSubstr("12 bytes"), HasSubstr("room for 8")));
    EXPECT_EQ(values_of(list), before);
    list[4] = "just fit";
    EXPECT_EQ(list[4], "just fit");
    EXPECT_EQ(list[3], 42);
    EXPECT_EQ(list[5], true);

    // A copy in a block of its own, a second handle, an empty list.
    const mp::ShareableList copy(list, {.name = names.name("copy")});
    EXPECT_EQ(copy.shm().name(), names.name("copy"));
    EXPECT_EQ(copy.format(), "8s8sxxxxxx?xq16sxxxxxxx?d");
    EXPECT_EQ(values_of(copy), values_of(list));
    copy[0] = "other";
    EXPECT_EQ(list[0], "howdy");
    mp::ShareableList again({.name = copy.shm().name()});
    again[3] = -5;
    EXPECT_EQ(copy[3], -5);
    again.shm().close();
    EXPECT_THROW(again[0].get(), chorus::UsageError);
    EXPECT_EQ(copy[3], -5);
    again.shm().unlink();

    const auto empty = owned({});
    EXPECT_EQ(empty.size(), 0U);
    EXPECT_TRUE(empty.empty());
    EXPECT_EQ(empty.format(), "");
    EXPECT_EQ(values_of(empty), std::vector<Value>{});
    EXPECT_EQ(empty.count(1), 0U);
    EXPECT_THROW(empty.index(""), chorus::UsageError);
    EXPECT_THROW(empty[0], chorus::UsageError);
    EXPECT_TRUE(mp::ShareableList({.name = empty.shm().name()}).empty());
}

mp::ShareableList there_and_back(const mp::ShareableList& list) {
    chorus::detail::message::Writer out;
    chorus::detail::message::encode(out, list);
    const auto bytes = out.take();
    chorus::detail::message::Reader in(bytes);
    return chorus::detail::message::decode<mp::ShareableList>(in);
}

TEST_F(ShareableListBlock, test_shared_memory_ShareableList_pickling) {
    const auto list = owned(mp::ShareableList(std::vector<int>{0, 1, 2, 3}));
    const auto same = there_and_back(list);
    EXPECT_EQ(values_of(same), values_of(list));
    same[0] = 10;
    EXPECT_EQ(list[0], 10);
}

TEST_F(ShareableListBlock, test_shared_memory_ShareableList_pickling_dead_object) {
    mp::ShareableList list({1, 2}, {.name = names.name("dead")});
    list.shm().unlink();
    EXPECT_THROW(there_and_back(list), chorus::FileNotFound);
    EXPECT_EQ(list[1], 2);
}

// ---- in other processes ------------------------------------------------------------------------

std::string change(const mp::ShareableList& list, const std::string& name) {
    list[0] = list[0].as<std::int64_t>() + 1;
    const mp::ShareableList by_name({.name = name});
    by_name[1] = "child";
    return text_of(list);
}

TEST_P(ShareableList, travels_and_is_the_same_list_there) {
    mp::ShareableList list({41, "parent", 2.5, nullptr}, {.name = names.name("travels")});
    EXPECT_EQ(mp::run(change, list, list.shm().name()), "ShareableList([42, 'child', 2.5, None]");
    EXPECT_EQ(text_of(list), "ShareableList([42, 'child', 2.5, None]");
    auto child = context().Process([](const mp::ShareableList& given) { given[2] = false; }, list);
    child.start();
    child.join();
    EXPECT_EQ(list[2], false);
    EXPECT_TRUE(list[2].is<bool>());
    list.shm().unlink();
}

// ---- values ------------------------------------------------------------------------------------

TEST_F(ShareableListBlock, every_value_comes_back_as_it_was) {
    const std::vector<Value> values{std::numeric_limits<std::int64_t>::min(),
                                    std::numeric_limits<std::int64_t>::max(),
                                    0,
                                    -0.0,
                                    std::numeric_limits<double>::infinity(),
                                    1e-310,
                                    true,
                                    false,
                                    nullptr,
                                    "",
                                    "1234567",
                                    "12345678",
                                    "123456789",
                                    "größe",
                                    "a\0b"s,
                                    Bytes{},
                                    bytes_of("\0\1\2"s),
                                    bytes_of(std::string(1000, 'x'))};
    const auto list = owned(mp::ShareableList(values));
    EXPECT_EQ(values_of(list), values);
    EXPECT_TRUE(std::signbit(list[3].as<double>()));
    EXPECT_EQ(values_of(mp::ShareableList({.name = list.shm().name()})), values);
    const auto nan = owned({std::nan("")});
    EXPECT_TRUE(std::isnan(nan[0].as<double>()));
    EXPECT_EQ(nan.count(std::nan("")), 0U);
}

TEST_F(ShareableListBlock, zeros_at_the_end_are_kept) {
    const std::vector<Value> values{
        "\0"s, "a\0"s, "12345678"s, "1234567\0"s, "12345678\0\0\0"s, bytes_of("\0\0\0"s), bytes_of("x\0"s),
        7};
    const auto list = owned(mp::ShareableList(values));
    EXPECT_EQ(values_of(list), values);
    EXPECT_EQ(list.format(), "1s0x2s0x16s8s0x11s0x3s0x2s0xq");
    list[3] = "123456789\0"s;
    EXPECT_EQ(list[3], "123456789\0"s);
    list[3] = "1";
    EXPECT_EQ(list[3], "1");
    list[3] = std::string(16, '\0');
    EXPECT_EQ(list[3], std::string(16, '\0')) << "the whole slot";
    EXPECT_EQ(list[4], values[4]);
    EXPECT_EQ(list[2], values[2]);
}

TEST_F(ShareableListBlock, text_has_a_longest_length) {
    const std::string longest(9'999'999, 'x');
    const auto list = owned({longest, "neighbour"});
    EXPECT_TRUE(list[0] == longest);
    list[0] = 1;
    list[0] = longest;
    EXPECT_TRUE(list[0] == longest);
    EXPECT_THAT(message_of<chorus::UsageError>([&] { list[0] = longest + "x"; }), HasSubstr("10000000"));
    EXPECT_THAT(message_of<chorus::UsageError>(
                    [&] { mp::ShareableList({longest + "x"}, {.name = names.name("long")}); }),
                HasSubstr("at most 9999999"));
    const std::string zeros(99'999, '\0');
    list[0] = zeros;
    EXPECT_TRUE(list[0] == zeros);
    EXPECT_THAT(message_of<chorus::UsageError>([&] { list[0] = zeros + '\0'; }),
                AllOf(HasSubstr("100000"), HasSubstr("zero at the end")));
    EXPECT_TRUE(list[0] == zeros);
    EXPECT_EQ(list[1], "neighbour");
}

TEST_F(ShareableListBlock, numbers_are_equal_by_value) {
    const auto list =
        owned({1, 1.0, true, "1", bytes_of("1"), 0, false, nullptr, (std::int64_t{1} << 53) + 1});
    EXPECT_EQ(list.count(1), 3U);
    EXPECT_EQ(list.count(true), 3U);
    EXPECT_EQ(list.count(0.0), 2U);
    EXPECT_EQ(list.count("1"), 1U);
    EXPECT_EQ(list.count(nullptr), 1U);
    EXPECT_EQ(list.count(9007199254740992.0), 0U) << "not the double that is nearest";
    EXPECT_EQ(list.index(bytes_of("1")), 4U);
    EXPECT_TRUE(list[0] == list[2]);
    EXPECT_TRUE(list[0] == 1.0);
    EXPECT_FALSE(list[0] == "1");
}

TEST_F(ShareableListBlock, asking_for_another_type_is_an_error_that_names_both) {
    const auto list = owned({1, "x"});
    EXPECT_THAT(message_of<chorus::UsageError>([&] { list[0].as<std::string>(); }),
                AllOf(HasSubstr("element 0"), HasSubstr("is a std::int64_t, not a std::string")));
    EXPECT_THAT(message_of<chorus::UsageError>([&] { list[-1].as<bool>(); }),
                AllOf(HasSubstr("element 1"), HasSubstr("is a std::string, not a bool")));
    EXPECT_TRUE(list[1].is<std::string>());
    EXPECT_FALSE(list[1].is<Bytes>());
}

TEST_F(ShareableListBlock, is_made_from_any_range) {
    EXPECT_EQ(text_of(owned(mp::ShareableList(std::vector<std::string>{"a", "b"}))),
              "ShareableList(['a', 'b']");
    EXPECT_EQ(text_of(owned(mp::ShareableList(std::vector<bool>{true, false}))),
              "ShareableList([True, False]");
    EXPECT_EQ(text_of(owned(mp::ShareableList(std::vector<Value>{1, "x"}))), "ShareableList([1, 'x']");
    const auto few = std::views::iota(1, 4) | std::views::transform([](int n) { return n * 0.5; });
    EXPECT_EQ(text_of(owned(mp::ShareableList(few))), "ShareableList([0.5, 1.0, 1.5]");
    const auto list = owned({"it's", "a\\b", "\n", nullptr});
    EXPECT_EQ(text_of(list), R"(ShareableList(['it\'s', 'a\\b', '\x0a', None])");
    EXPECT_EQ(text_of(owned(mp::ShareableList(list, {}))), text_of(list));
    const mp::ShareableList handle = list;
    handle[0] = 5;
    EXPECT_EQ(list[0], 5) << "a plain copy is the same list";
    std::ostringstream one;
    one << list[0] << ' ' << list[3];
    EXPECT_EQ(one.str(), "5 None");
}

TEST_F(ShareableListBlock, a_list_that_cannot_be_made_leaves_no_name) {
    EXPECT_THROW(mp::ShareableList({1}, {.name = "a/b"}), chorus::UsageError);
    EXPECT_THROW(mp::ShareableList(mp::ShareableListOptions{}), chorus::UsageError);
    EXPECT_THROW(mp::ShareableList({.name = names.name("none")}), chorus::FileNotFound);
    mp::ShareableList list({1}, {.name = names.name("one")});
    EXPECT_THROW(mp::ShareableList({2}, {.name = names.name("one")}), chorus::FileExists);
    EXPECT_EQ(list[0], 1);
    list.shm().unlink();
}

// ---- with Python -------------------------------------------------------------------------------

TEST_F(ShareableListBlock, python_reads_ours) {
    const auto list =
        owned({-7, 2.5, true, false, nullptr, "größe", bytes_of("\1\2"), "", std::string(100, 'x')});
    const auto python = run_python(
        "l = keep(shm.ShareableList(name=sys.argv[1]))\n"
        "print(list(l), l.format, len(l), l.count(True))\n",
        {list.shm().name()});
    EXPECT_EQ(python.out, "[-7, 2.5, True, False, None, 'größe', b'\\x01\\x02', '', '" +
                              std::string(100, 'x') + "'] " + list.format() + " 9 1\n");
}

TEST_F(ShareableListBlock, python_writes_into_ours) {
    const auto list = owned({1, 2.5, "text", "zeros\0"s, nullptr, "12345678", 7});
    run_python(
        "l = keep(shm.ShareableList(name=sys.argv[1]))\n"
        "assert l[3] == 'zeros', l[3]\n"
        "l[0] = 'eight888'\n"
        "l[1] = None\n"
        "l[2] = 3.25\n"
        "l[3] = 'longer88'\n"
        "l[4] = b'ab'\n"
        "l[5] = 'sixteen sixteen!'\n"
        "try:\n"
        "    l[5] = 'seventeen of them'\n"
        "except ValueError:\n"
        "    pass\n"
        "else:\n"
        "    sys.exit('it fitted')\n",
        {list.shm().name()});
    EXPECT_EQ(values_of(list), (std::vector<Value>{"eight888", nullptr, 3.25, "longer88", bytes_of("ab"),
                                                   "sixteen sixteen!", 7}));
}

TEST_F(ShareableListBlock, we_read_and_write_pythons) {
    const auto python = run_python(
        "l = keep(shm.ShareableList([-7, 2.5, True, None, 'text', b'bytes', 'ä' * 9, '']))\n"
        "print(l.shm.name)\n",
        {});
    const auto list = owned(mp::ShareableList({.name = python.lines().at(0)}));
    // Python 3.11 gives text room by its characters, so it cuts off its own 18 bytes after 16.
    const std::string cut = list[6].as<std::string>();
    EXPECT_THAT((std::vector<std::string>{"äääääääää", "ääääääää"}), testing::Contains(cut));
    EXPECT_EQ(values_of(list),
              (std::vector<Value>{-7, 2.5, true, nullptr, "text", bytes_of("bytes"), cut, ""}));
    list[0] = "string";
    list[1] = bytes_of("zero\0"s);
    list[4] = 8;
    list[5] = nullptr;
    list[6] = "0123456789abcdef";
    EXPECT_THROW(list[7] = "123456789", chorus::UsageError);
    const auto seen =
        run_python("print(list(keep(shm.ShareableList(name=sys.argv[1]))))\n", {list.shm().name()});
    EXPECT_EQ(seen.out, "['string', b'zero', True, None, 8, None, '0123456789abcdef', '']\n");
}

TEST_F(ShareableListBlock, is_byte_for_byte_what_python_makes) {
    const auto python = run_python(
        "l = keep(shm.ShareableList([1, -2.5, True, False, None, 'text', '12345678', b'', b'bytes']))\n"
        "print(l.shm.name)\n"
        "print(keep(shm.ShareableList([])).shm.name)\n",
        {});
    const auto theirs = owned(mp::ShareableList({.name = python.lines().at(0)}));
    const auto ours = owned({1, -2.5, true, false, nullptr, "text", "12345678", Bytes{}, bytes_of("bytes")});
    EXPECT_TRUE(std::ranges::equal(ours.shm().buf(), theirs.shm().buf()));
    const auto empty = owned(mp::ShareableList({.name = python.lines().at(1)}));
    EXPECT_TRUE(std::ranges::equal(owned({}).shm().buf(), empty.shm().buf()));
}

// ---- blocks that hold no list ------------------------------------------------------------------

/// Does all that a reader might. Only errors for it may come out.
void use(const std::string& name) {
    const auto refusing = [](auto&& call) {
        try {
            call();
        } catch (const chorus::DecodeError&) {
        }
    };
    refusing([&] {
        const mp::ShareableList list({.name = name});
        refusing([&] { (void)list.count(7); });
        refusing([&] { (void)values_of(list); });
        refusing([&] { (void)text_of(list); });
        (void)list.format();
        for (std::size_t i = 0; i < std::min<std::size_t>(list.size(), 100); ++i) {
            refusing([&] { (void)list[i].get(); });
            refusing([&] { list[i] = 7; });
            try {
                refusing([&] { list[i] = "0123456789abcdef"; });
            } catch (const chorus::UsageError&) {
            }
        }
    });
}

class Hostile : public ShareableListBlock {
protected:
    Hostile() {
        std::vector<Value> values{
            1, 2.5, true, nullptr, "text", "more than a few bytes of text", bytes_of("bytes\0"s)};
        mp::ShareableList list(values, {.name = names.name("model")});
        // So large that what is read behind it lies in another page.
        const std::size_t rest = 4096 - list.shm().size() - 17;
        list.shm().unlink();
        values.emplace_back(std::string(rest - 8, 'x'));
        list = mp::ShareableList(values, {.name = names.name("model")});
        EXPECT_EQ(list.shm().size(), 4096U);
        const auto bytes = list.shm().buf();
        model.assign(bytes.begin(), bytes.end());
        list.shm().unlink();
    }

    std::string write(const Bytes& bytes) const {
        const std::string name = names.name("hostile");
        std::ofstream(names.path(name), std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        return name;
    }
    void remove() const { std::filesystem::remove(names.path(names.name("hostile"))); }

    Bytes with_number(std::size_t offset, std::int64_t number) const {
        Bytes bytes = model;
        std::memcpy(bytes.data() + offset, &number, sizeof number);
        return bytes;
    }

    Bytes model;
};

TEST_F(Hostile, a_block_that_was_cut_off_is_no_list) {
    for (std::size_t size = 1; size < model.size(); size += size < 200 ? 1 : 97) {
        const std::string name =
            write(Bytes(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(size)));
        EXPECT_THROW(mp::ShareableList({.name = name}), chorus::DecodeError) << size;
    }
    const std::string name = write(model);
    EXPECT_EQ(mp::ShareableList({.name = name})[4], "text");
    remove();
}

TEST_F(Hostile, a_block_that_holds_something_else_is_no_list) {
    for (const auto& bytes : {Bytes(4096, std::byte{0xff}), bytes_of(std::string(4096, 'x')), Bytes(15)}) {
        EXPECT_THAT(message_of<chorus::DecodeError>([&] { mp::ShareableList({.name = write(bytes)}); }),
                    HasSubstr("no ShareableList"));
    }
    remove();
}

TEST_F(Hostile, counts_and_places_are_not_believed) {
    const auto most = std::numeric_limits<std::int64_t>::max();
    const auto least = std::numeric_limits<std::int64_t>::min();
    for (const auto number :
         {most, least, most / 8, std::int64_t{-1}, std::int64_t{4096}, most - 7, most / 17}) {
        EXPECT_THROW(mp::ShareableList({.name = write(with_number(0, number))}), chorus::DecodeError)
            << "count " << number;
        EXPECT_THROW(mp::ShareableList({.name = write(with_number(72, number))}), chorus::DecodeError)
            << "end of the data " << number;
        const mp::ShareableList list({.name = write(with_number(48, number))});
        EXPECT_THROW(list[4].get(), chorus::DecodeError) << "end of element 4, begin of 5: " << number;
        EXPECT_THROW(list[5].get(), chorus::DecodeError) << number;
        EXPECT_THROW(list[5] = 1, chorus::DecodeError) << number;
        EXPECT_EQ(list[3], nullptr);
        EXPECT_EQ(list[6], bytes_of("bytes\0"s));
    }
    remove();
}

TEST_F(Hostile, formats_are_not_believed) {
    const std::size_t formats = model.size() - 8 - 8 * 8;
    for (const std::string format : {"9999999s", "99999999", "24s", "-1s", "s", "", "q", "8s0", "8s0xx", "x",
                                     "%n%n%n%n", "\xff\xff\xff\xff"}) {
        Bytes bytes = model;
        std::memset(bytes.data() + formats + 4 * 8, 0, 8);
        std::memcpy(bytes.data() + formats + 4 * 8, format.data(), format.size());
        const mp::ShareableList list({.name = write(bytes)});
        EXPECT_THAT(message_of<chorus::DecodeError>([&] { list[4].get(); }),
                    HasSubstr("element 4 of a ShareableList is damaged"))
            << format;
        EXPECT_THROW(values_of(list), chorus::DecodeError);
        EXPECT_EQ(list[5], "more than a few bytes of text");
        list[4] = "whole";
        EXPECT_EQ(list[4], "whole") << "replaced, it is whole again";
    }
    for (const int kind : {-128, -1, 0, 3, 4, 127}) {
        Bytes bytes = model;
        bytes[model.size() - 8 + 4] = static_cast<std::byte>(kind);
        EXPECT_THROW(mp::ShareableList({.name = write(bytes)})[4].get(), chorus::DecodeError) << kind;
    }
    remove();
}

TEST_F(Hostile, a_large_and_hollow_block_costs_nothing) {
    // Claims a sixtieth of a terabyte of elements, all of them damaged.
    const std::int64_t count = std::int64_t{1} << 30;
    Bytes head(8);
    std::memcpy(head.data(), &count, 8);
    const std::string name = write(head);
    ASSERT_EQ(::truncate(names.path(name).c_str(), std::int64_t{1} << 35), 0);
    const mp::ShareableList list({.name = name});
    EXPECT_EQ(list.size(), static_cast<std::size_t>(count));
    EXPECT_THROW(list[count - 1].get(), chorus::DecodeError);
    EXPECT_THROW(values_of(list), chorus::DecodeError);
    EXPECT_THROW((void)list.count(1), chorus::DecodeError);
    remove();
}

TEST_F(Hostile, random_damage_gives_errors_only) {
    std::mt19937 random(20'240'229);
    const auto below = [&](std::size_t bound) {
        return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
    };
    for (int round = 0; round < 3000; ++round) {
        Bytes bytes = model;
        for (auto changes = 1 + below(6); changes > 0; --changes) {
            // Mostly where numbers, formats and kinds are.
            const std::size_t place = below(4) == 0   ? below(bytes.size())
                                      : below(2) == 0 ? below(80)
                                                      : bytes.size() - 1 - below(72);
            const std::byte interesting[] = {std::byte{0},    std::byte{0xff}, std::byte{0x7f},
                                             std::byte{0x80}, std::byte{'s'},  std::byte{'9'}};
            bytes[place] = below(2) == 0 ? interesting[below(6)] : static_cast<std::byte>(below(256));
        }
        if (below(8) == 0) bytes.resize(1 + below(bytes.size()));
        use(write(bytes));
        if (testing::Test::HasFailure()) FAIL() << "in round " << round;
    }
    remove();
}

}  // namespace

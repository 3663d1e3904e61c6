// What goes through mp::Queue: items of every size and kind, in batches, lent and borrowed, within limits.
#include <array>
#include <fstream>
#include <map>
#include <numeric>
#include <optional>
#include <thread>
#include <tuple>
#include <variant>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <channel/channel_support.hpp>
#include <support/sanitizers.hpp>
#include "channel/queue_core.hpp"

using testing::ElementsAre;
using testing::HasSubstr;

namespace {

class QueueItems : public EachStartMethod {};
FOR_EACH_START_METHOD(QueueItems);

// ---- sizes -------------------------------------------------------------------------------------

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;

// Around all places where an item is dealt with in another way.
std::vector<std::size_t> sizes() {
    std::vector<std::size_t> all{0, 1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 100};
    for (const std::size_t round : {4 * kib, 32 * kib, 64 * kib, 128 * kib, mib}) {
        for (const std::size_t size :
             {round - 9, round - 8, round - 7, round - 1, round, round + 1, round + 8})
            all.push_back(size);
    }
    all.insert(all.end(), {3 * mib, 16 * mib, 64 * mib});
    return all;
}

void echo(mp::Queue<std::string> there, mp::Queue<std::string> back) {
    for (auto& item : there) back.put(item);
}

TEST_P(QueueItems, of_every_size_arrive_as_they_were) {
    mp::Queue<std::string> there;
    mp::Queue<std::string> back;
    auto child = context().Process(echo, there, back);
    child.start();
    const std::string source = pattern(64 * mib);
    for (const std::size_t size : sizes()) {
        there.put(source.substr(source.size() - size));
        const auto got = back.get();
        ASSERT_EQ(got.size(), size);
        ASSERT_TRUE(std::equal(got.begin(), got.end(), source.end() - static_cast<std::ptrdiff_t>(size)))
            << size;
    }
    there.shutdown();
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
}

TEST(QueueOf, items_larger_than_a_small_ring) {
    mp::Queue<std::string> queue(2);  // its ring begins with 4 KiB
    for (int round = 0; round < 20; ++round) {
        for (const std::size_t size : {3000UL, 4000UL, 5000UL, 100'000UL, 130'000UL, 300'000UL}) {
            const auto item = pattern(size, static_cast<unsigned>(round));
            queue.put(item, chorus::now);
            queue.put(item, chorus::now);
            EXPECT_THROW(queue.put(item, chorus::now), chorus::Full);
            ASSERT_TRUE(queue.get(chorus::now) == item);
            ASSERT_TRUE(queue.get(chorus::now) == item);
        }
    }
}

TEST(QueueOf, three_gibibytes_in_one_item) {
    constexpr std::size_t size = 3UL << 30;
    if (free_memory() < (8UL << 30))
        GTEST_SKIP() << "needs 8 GiB of free memory, there are " << (free_memory() >> 20) << " MiB";
    mp::Queue<std::vector<std::byte>> queue;
    auto loan = queue.loan(size);  // in place: each further copy would take as long again
    loan.span().front() = std::byte{1};
    loan.span()[size / 2] = std::byte{2};
    loan.span().back() = std::byte{3};
    queue.put(std::move(loan));
    const auto got = queue.borrow();
    ASSERT_EQ(got.span().size(), size);
    EXPECT_EQ(got.span().front(), std::byte{1});
    EXPECT_EQ(got.span()[size / 2], std::byte{2});
    EXPECT_EQ(got.span().back(), std::byte{3});
}

// ---- how many ----------------------------------------------------------------------------------

std::size_t count_in_order(mp::Queue<std::string> queue, std::size_t length) {
    std::size_t number = 0;
    for (const auto& item : queue) {
        if (item != pattern(length, static_cast<unsigned>(number)))
            throw std::runtime_error("item " + std::to_string(number) + " is another one");
        ++number;
    }
    return number;
}

// No item is got before all are put, so its memory grows; exit does not wait for a consumer.
TEST_P(QueueItems, ten_thousand_wait_in_an_unbounded_queue) {
    for (const std::size_t length : {std::size_t{8}, std::size_t{700}}) {
        mp::Queue<std::string> queue;
        constexpr std::size_t items = 10'000;
        for (std::size_t i = 0; i < items; ++i) {
            queue.put(pattern(length, static_cast<unsigned>(i)), chorus::now);
            ASSERT_EQ(queue.qsize(), i + 1);
        }
        queue.shutdown();
        EXPECT_EQ(mp::run(count_in_order, queue, length), items);
        EXPECT_EQ(queue.qsize(), 0U);
    }
}

TEST(QueueOf, growing_and_draining_again_and_again_keeps_order) {
    mp::Queue<std::string> queue;
    unsigned put = 0;
    unsigned got = 0;
    for (unsigned most = 1; most < 4000; most = most * 3 / 2 + 1) {
        while (put - got < most) {
            queue.put(pattern(put % 300, put), chorus::now);
            ++put;
        }
        while (put - got > most / 3) {
            ASSERT_TRUE(queue.get(chorus::now) == pattern(got % 300, got)) << got;
            ++got;
        }
    }
    for (; got != put; ++got) ASSERT_TRUE(queue.get(chorus::now) == pattern(got % 300, got)) << got;
    EXPECT_TRUE(queue.empty());
}

void put_when_told(mp::Queue<std::string> queue, mp::Queue<std::string> items) {
    for (const auto& item : items) {
        queue.put(item);
        items.task_done();
    }
}

// A block of memory is a ring, then free, then a larger ring: a process that did not look in between sees the
// new one.
TEST_P(QueueItems, a_process_that_was_away_while_the_ring_changed_puts_in_the_right_place) {
    mp::Queue<std::string> queue;
    mp::Queue<std::string> to_put;
    auto child = context().Process(put_when_told, queue, to_put);
    child.start();
    const std::string piece = pattern(1000);
    const auto from_child = [&](const std::string& item) {
        to_put.put(item);
        to_put.join();
    };
    queue.put(pattern(700 * kib));  // leaves a block that is large enough for several rings
    queue.get();
    for (int i = 0; i < 100; ++i) queue.put(piece, chorus::now);
    from_child("from the first ring");
    for (int i = 0; i < 100; ++i) queue.put(piece, chorus::now);
    for (int i = 0; i < 201; ++i) queue.get(chorus::now);
    for (int i = 0; i < 400; ++i) queue.put(piece, chorus::now);
    for (int i = 0; i < 390; ++i)
        ASSERT_TRUE(queue.get(chorus::now) == piece) << i;  // so that a smaller ring would have room too
    from_child("from the last ring");
    for (int i = 0; i < 10; ++i) queue.put(piece, chorus::now);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(queue.get(chorus::now) == piece) << i;
    EXPECT_EQ(queue.get(chorus::now), "from the last ring");
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(queue.get(chorus::now) == piece) << i;
    to_put.shutdown();
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
}

TEST(QueueOf, sizes_that_make_no_sense_are_refused) {
    EXPECT_THAT(message_of<chorus::UsageError>([] { mp::Queue<int> queue(static_cast<std::size_t>(-1)); }),
                HasSubstr("2147483647"));
    mp::Queue<int> unbounded(0);
    for (int i = 0; i < 1000; ++i) unbounded.put(i, chorus::now);
    EXPECT_FALSE(unbounded.full());
    mp::Queue<int> one(1);
    one.put(1);
    EXPECT_TRUE(one.full());
    mp::Queue<int> many(1'000'000);
    for (int i = 0; i < 1000; ++i) many.put(i, chorus::now);
    EXPECT_EQ(many.qsize(), 1000U);
}

TEST(QueueOf, max_bytes_is_a_limit) {
    mp::Queue<std::string> queue({.max_bytes = 100'000});
    std::size_t put = 0;
    while (queue.try_put(pattern(1000))) ++put;
    EXPECT_LE(put, 100U);
    EXPECT_GE(put, 90U) << "what an item needs besides is little";
    queue.get();
    EXPECT_TRUE(queue.try_put(pattern(1000)));
    EXPECT_FALSE(queue.try_put(pattern(1000)));
    EXPECT_THAT(message_of<chorus::UsageError>([&] { queue.put(pattern(100'001), chorus::now); }),
                HasSubstr("never fits"));
    while (queue.try_get()) {
    }
    EXPECT_TRUE(queue.try_put(pattern(99'000))) << "alone";
}

// The rings that it grew out of are memory, and no items.
TEST(QueueOf, max_bytes_is_about_items_when_the_queue_has_grown) {
    mp::Queue<std::string> queue({.max_bytes = mib});
    std::size_t put = 0;
    while (queue.try_put(pattern(1000))) ++put;
    EXPECT_LE(put, mib / 1000);
    EXPECT_GE(put, mib / 1000 * 9 / 10);
}

TEST(QueueOf, max_bytes_counts_long_items) {
    mp::Queue<std::string> queue({.max_bytes = 4 * mib});
    std::size_t put = 0;
    while (queue.try_put(pattern(300 * kib))) ++put;
    EXPECT_LE(put, 13U);
    EXPECT_GE(put, 10U);
    std::thread getter([&] {
        for (int i = 0; i < 3; ++i) queue.get();
    });
    for (int i = 0; i < 3; ++i) queue.put(pattern(300 * kib));
    getter.join();
    EXPECT_EQ(queue.qsize(), put);
}

TEST(QueueOf, the_size_is_exact_while_others_put_and_get) {
    mp::Queue<int> queue(10);
    std::atomic<bool> stop{false};
    std::thread putter([&] {
        for (int i = 0; !stop; ++i) queue.put_many(std::vector(3, i), 1ms);
    });
    std::thread getter([&] {
        while (!stop) queue.try_get();
    });
    for (int i = 0; i < 20'000; ++i) {
        const std::size_t size = queue.qsize();
        ASSERT_LE(size, 10U);
    }
    stop = true;
    putter.join();
    getter.join();
}

// ---- batches -----------------------------------------------------------------------------------

TEST(QueueOf, a_batch_goes_in_and_out_in_order) {
    mp::Queue<int> queue;
    std::vector<int> numbers(50'000);
    std::iota(numbers.begin(), numbers.end(), 0);
    EXPECT_EQ(queue.put_many(numbers), numbers.size());
    EXPECT_EQ(queue.qsize(), numbers.size());
    std::vector<int> got;
    while (got.size() < numbers.size()) {
        const auto some = queue.get_many(777, chorus::now);
        ASSERT_FALSE(some.empty());
        ASSERT_LE(some.size(), 777U);
        got.insert(got.end(), some.begin(), some.end());
    }
    EXPECT_EQ(got, numbers);
    EXPECT_TRUE(queue.get_many(0).empty());
    EXPECT_EQ(queue.put_many({}), 0U);
    EXPECT_THROW(queue.get_many(1, chorus::now), chorus::Empty);
    EXPECT_THROW(queue.get_many(1, 1ms), chorus::Empty);
}

template <class T>
void put_partly(const T& item) {
    mp::Queue<T> queue(4);
    const std::vector<T> six(6, item);
    for (const chorus::Deadline deadline : {chorus::Deadline(chorus::now), chorus::Deadline(10ms)}) {
        EXPECT_EQ(queue.put_many(six, deadline), 4U);
        EXPECT_EQ(queue.qsize(), 4U);
        EXPECT_EQ(queue.put_many(six, deadline), 0U);
        std::size_t got = 0;
        while (got < 4) got += queue.get_many(10).size();
        EXPECT_TRUE(queue.empty());
    }
}

TEST(QueueOf, a_batch_partly_done_at_the_deadline_says_how_much) {
    put_partly(7);
    put_partly(pattern(10));
    put_partly(pattern(200 * kib));
    put_partly(std::map<int, std::string>{{1, "one"}});
}

TEST(QueueOf, a_batch_of_long_and_short_items) {
    mp::Queue<std::string> queue;
    std::vector<std::string> items;
    for (unsigned i = 0; i < 40; ++i) items.push_back(pattern(i % 3 == 0 ? 200 * kib : i, i));
    EXPECT_EQ(queue.put_many(items), items.size());
    std::vector<std::string> got;
    while (got.size() < items.size()) {
        for (auto& item : queue.get_many(100, chorus::now)) got.push_back(std::move(item));
    }
    EXPECT_TRUE(got == items);
}

void get_batches(mp::Queue<int> queue, int items) {
    for (int expected = 0; expected < items;) {
        for (const int item : queue.get_many(100)) {
            if (item != expected++) throw std::runtime_error("another item");
        }
    }
}

TEST_P(QueueItems, a_batch_larger_than_the_queue_waits_for_room) {
    mp::Queue<int> queue(7);
    std::vector<int> numbers(5000);
    std::iota(numbers.begin(), numbers.end(), 0);
    auto child = context().Process(get_batches, queue, 5000);
    child.start();
    EXPECT_EQ(queue.put_many(numbers), numbers.size());
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
}

// ---- kinds -------------------------------------------------------------------------------------

struct Point {
    int x = 0;
    std::string name;
    std::vector<double> values;
    friend bool operator==(const Point&, const Point&) = default;
};
enum class Colour : std::uint8_t { red, green };

template <class T>
void goes_through(const T& value) {
    mp::Queue<T> queue;
    queue.put(value);
    queue.put(value);
    EXPECT_EQ(queue.get(), value);
    EXPECT_EQ(queue.get_many(5).at(0), value);
}

TEST(QueueOf, every_kind_of_value) {
    goes_through(true);
    goes_through('c');
    goes_through(Colour::green);
    goes_through(1.5);
    goes_through(std::string("text with a \0 in it", 19));
    goes_through(std::u16string(u"wide"));
    goes_through(std::vector<int>{});
    goes_through(std::vector<bool>{true, false});
    goes_through(std::vector<std::string>{"", "a"});
    goes_through(std::array<int, 3>{1, 2, 3});
    goes_through(Point{1, "p", {1, 2}});
    goes_through(std::vector<Point>(3, Point{1, "p", {1, 2}}));
    goes_through(std::variant<int, std::string>("text"));
    goes_through(std::optional<std::string>());
    goes_through(std::optional<std::string>("there"));
    goes_through(std::tuple<int, std::string, std::pair<char, double>>(1, "2", {'3', 4}));
    goes_through(std::map<std::string, std::vector<int>>{{"a", {1}}, {"b", {}}});
    goes_through(std::monostate{});
}

// Between processes of one program; std::vector<std::string> goes the long way.
std::vector<std::string> reversed(mp::Queue<std::vector<std::string>> queue) {
    auto texts = queue.get();
    std::reverse(texts.begin(), texts.end());
    return texts;
}

TEST_P(QueueItems, long_ones_that_need_an_archive) {
    mp::Queue<std::vector<std::string>> queue;
    std::vector<std::string> texts;
    for (unsigned i = 0; i < 2000; ++i) texts.push_back(pattern(i, i));
    queue.put(texts);
    auto got = mp::run(reversed, queue);
    std::reverse(got.begin(), got.end());
    EXPECT_TRUE(got == texts);
}

// ---- handles in items --------------------------------------------------------------------------

struct Parts {
    mp::Lock lock;
    mp::Queue<int> queue;
    mp::Connection end;
    std::vector<mp::Event> events;
    std::vector<mp::Connection> ends;
};

void use_parts(mp::Queue<Parts> parts_come) {
    Parts parts = parts_come.get();
    const std::scoped_lock guard(parts.lock);
    parts.queue.put(parts.lock.locked() ? 1 : 0);
    parts.end.send("through the pipe");
    parts.ends.at(1).send(parts.ends.size());
    for (auto event : parts.events) event.set();
}

TEST_P(QueueItems, handles_travel_in_items) {
    mp::Queue<Parts> queue;
    auto child = context().Process(use_parts, queue);
    child.start();
    auto [here, there] = mp::Pipe();
    const auto [other_here, other_there] = mp::Pipe();
    Parts parts{{}, {}, there, std::vector<mp::Event>(3), {other_there, other_there}};
    queue.put(parts);
    EXPECT_EQ(parts.queue.get(), 1);
    EXPECT_EQ(here.recv<std::string>(), "through the pipe");
    EXPECT_EQ(other_here.recv<std::size_t>(), 2U);
    for (const auto& event : parts.events) EXPECT_TRUE(event.wait(20s));
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
    EXPECT_FALSE(parts.lock.locked());
}

void answer(mp::Connection end) {
    const auto carrier = end.recv<mp::Queue<mp::Queue<std::string>>>();
    auto carried = mp::Queue<mp::Queue<std::string>>(carrier).get();
    carried.put("hello");
}

TEST_P(QueueItems, a_queue_through_a_queue_through_a_pipe) {
    auto [here, there] = mp::Pipe();
    auto child = context().Process(answer, there);
    child.start();
    mp::Queue<mp::Queue<std::string>> carrier;
    mp::Queue<std::string> carried;
    here.send(carrier);
    carrier.put(carried);
    EXPECT_EQ(carried.get(), "hello");
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
}

TEST(QueueOf, queues_that_only_an_item_holds_live_with_it) {
    const std::size_t before = settled_descriptors();
    {
        mp::Queue<mp::Queue<int>> queue;
        for (int i = 0; i < 5; ++i) {
            mp::Queue<int> inner;
            inner.put(i);
            queue.put(inner);
        }
        for (int i = 0; i < 5; ++i) EXPECT_EQ(queue.get().get(chorus::now), i);
    }
    EXPECT_EQ(open_descriptors(), before);
}

TEST(QueueOf, the_same_handle_in_many_items) {
    mp::Queue<std::pair<int, mp::Lock>> queue;
    mp::Lock lock;
    for (int i = 0; i < 2000; ++i) queue.put({i, lock}, chorus::now);
    const std::size_t before = settled_descriptors();
    for (int i = 0; i < 2000; ++i) EXPECT_EQ(queue.get(chorus::now).first, i);
    EXPECT_LE(open_descriptors(), before + 1) << "at most further memory for small objects";
}

TEST(QueueOf, more_descriptors_than_go_with_one_item_are_refused) {
    mp::Queue<std::vector<mp::Queue<int>>> queue;
    EXPECT_THAT(message_of<chorus::UsageError>([&] { queue.put(std::vector<mp::Queue<int>>(200)); }),
                HasSubstr("253"));
    EXPECT_TRUE(queue.empty());
    queue.put(std::vector<mp::Queue<int>>(100), chorus::now);
    EXPECT_EQ(queue.get(chorus::now).size(), 100U);
}

TEST(QueueOf, more_handles_than_the_system_keeps_under_way_wait_for_room) {
    mp::Queue<std::pair<int, mp::Queue<int>>> queue;
    const auto with_number = [](int number) {
        mp::Queue<int> inner;
        inner.put(number);
        return std::pair(number, inner);
    };
    int sent = 0;
    std::string refusal;
    while (refusal.empty() && sent < 5000) {
        try {
            queue.put(with_number(sent), chorus::now);
            ++sent;
        } catch (const chorus::Full& full) {
            refusal = full.what();
        }
    }
    EXPECT_GT(sent, 100);
    EXPECT_THAT(refusal, HasSubstr("descriptors"));
    EXPECT_EQ(queue.qsize(), std::size_t(sent));
    std::thread more([&, sent] {
        for (int i = sent; i < 2 * sent; ++i) queue.put(with_number(i));
    });
    for (int i = 0; i < 2 * sent; ++i) {
        auto [number, inner] = queue.get(30s);
        ASSERT_EQ(number, i);
        ASSERT_EQ(inner.get(chorus::now), i);
    }
    more.join();
}

TEST(QueueOf, a_process_with_no_more_descriptors_loses_no_item) {
    mp::Queue<mp::Queue<int>> queue;
    for (int i = 0; i < 2; ++i) {
        mp::Queue<int> inner;
        inner.put(i);
        queue.put(inner);
    }
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const rlimit none{3, limit.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
    const std::string message = message_of<chorus::OsError>([&] { queue.get(chorus::now); });
    ::setrlimit(RLIMIT_NOFILE, &limit);
    EXPECT_THAT(message, HasSubstr("descriptors"));
    EXPECT_EQ(queue.qsize(), 2U);
    for (int i = 0; i < 2; ++i) EXPECT_EQ(queue.get(chorus::now).get(chorus::now), i);
}

TEST(QueueOf, a_queue_of_another_type_is_refused_where_it_arrives) {
    auto [left, right] = mp::Pipe();
    mp::Queue<int> queue;
    left.send(queue);
    chorus::detail::message::Writer out;
    chorus::detail::message::encode(out, queue);
    const auto bytes = out.take();
    chorus::detail::message::Reader in(bytes);
    EXPECT_THAT(
        message_of<chorus::TypeMismatch>([&] { chorus::detail::message::decode<mp::Queue<double>>(in); }),
        HasSubstr("double"));
    EXPECT_THROW(right.recv<mp::Queue<double>>(), chorus::TypeMismatch);
    EXPECT_EQ(chorus::detail::Access::state(right.recv<mp::Queue<int>>()),
              chorus::detail::Access::state(queue))
        << "it stayed there, and is the same queue";
}

// ---- lent and borrowed -------------------------------------------------------------------------

TEST(QueueOf, lent_memory_is_put_and_borrowed_where_it_lies) {
    mp::Queue<std::string> queue;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, 100 * kib, 3 * mib}) {
        auto loan = queue.loan(size);
        ASSERT_EQ(loan.span().size(), size);
        const auto text = pattern(size);
        std::memcpy(loan.span().data(), text.data(), size);
        EXPECT_TRUE(queue.empty()) << "lent is not put";
        queue.put(std::move(loan), chorus::now);
        EXPECT_EQ(queue.qsize(), 1U);
        const auto view = queue.borrow();
        EXPECT_TRUE(characters_of(view.span()) == text);
        EXPECT_TRUE(queue.empty());
    }
}

TEST(QueueOf, lent_and_plain_ones_mix) {
    mp::Queue<std::vector<double>> queue;
    auto loan = queue.loan(3 * sizeof(double));
    const std::vector<double> values{1, 2, 3};
    std::memcpy(loan.span().data(), values.data(), loan.span().size());
    queue.put(std::move(loan));
    EXPECT_EQ(queue.get(), values);
    queue.put(values);
    EXPECT_EQ(queue.borrow().span().size(), 3 * sizeof(double));
    EXPECT_THROW(queue.loan(7), chorus::UsageError);
    EXPECT_THROW(queue.borrow(chorus::now), chorus::Empty);
    queue.shutdown();
    EXPECT_THROW(queue.borrow(), chorus::ShutDown);
    EXPECT_THROW(queue.loan(8), chorus::ShutDown);
}

TEST(QueueOf, lent_and_never_put_its_memory_is_used_again) {
    mp::Queue<std::string> queue;
    const std::byte* place = nullptr;
    for (int i = 0; i < 10'000; ++i) {
        const auto loan = queue.loan(mib);
        if (place == nullptr) place = loan.span().data();
        ASSERT_EQ(loan.span().data(), place);
    }
}

TEST(QueueOf, lent_by_another_queue_or_put_already_is_refused) {
    mp::Queue<std::string> queue;
    mp::Queue<std::string> other;
    auto loan = queue.loan(10);
    EXPECT_THROW(other.put(std::move(loan)), chorus::UsageError);
    queue.put(std::move(loan));
    EXPECT_THROW(queue.put(std::move(loan)), chorus::UsageError);
    EXPECT_EQ(queue.qsize(), 1U);
}

TEST(QueueOf, a_full_queue_leaves_the_loan_whole) {
    mp::Queue<std::string> queue(1);
    queue.put("first");
    auto loan = queue.loan(5);
    std::memcpy(loan.span().data(), "later", 5);
    EXPECT_THROW(queue.put(std::move(loan), chorus::now), chorus::Full);
    queue.get();
    queue.put(std::move(loan), chorus::now);
    EXPECT_EQ(queue.get(), "later");
}

TEST(QueueOf, what_is_borrowed_outlives_the_thread_that_borrowed_it) {
    mp::Queue<std::string> queue;
    const std::string value = pattern(1U << 20, 1);
    queue.put(value);
    std::optional<mp::Borrowed> borrowed;
    std::thread([&] { borrowed = queue.borrow(); }).join();
    for (unsigned i = 2; i < 5; ++i) queue.put(pattern(1U << 20, i));  // as much memory as there is
    const auto bytes = borrowed->span();
    EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()), value);
}

TEST(QueueOf, what_get_many_got_before_the_shutdown_is_not_lost) {
    mp::Queue<std::vector<std::string>> queue;
    for (int i = 0; i < 3; ++i) queue.put({std::to_string(i)});
    queue.shutdown();
    EXPECT_EQ(queue.get_many(10), (std::vector<std::vector<std::string>>{{"0"}, {"1"}, {"2"}}));
    EXPECT_THROW(queue.get_many(10), chorus::ShutDown);
}

// Positions in the ring are 32 bits of 8 bytes each.
TEST(QueueOf, memory_does_not_grow_with_what_has_passed) {
    const auto kilobytes = [] {
        std::ifstream file("/proc/self/status");
        for (std::string word; file >> word;) {
            if (word != "RssShmem:") continue;
            long shared = 0;
            file >> shared;
            return shared;
        }
        return 0L;
    };
    mp::Queue<std::string> queue(4);
    const std::string value(120 * kib, 'x');
    constexpr std::size_t passing = static_cast<std::size_t>(rounds(36)) << 30;
    long after_a_while = 0;
    for (std::size_t passed = 0; passed < passing; passed += value.size()) {
        queue.put(value);
        if (passed % 1009 == 0)
            queue.put(std::string(passed % 100, 'y'));  // so that it does not end the same each time
        ASSERT_EQ(queue.borrow().span().size(), value.size());
        if (queue.qsize() != 0) queue.borrow();
        if (passed == 1000 * value.size()) after_a_while = kilobytes();
    }
    EXPECT_LE(kilobytes(), after_a_while + 64);
}

TEST(QueueOf, ten_thousand_long_items_are_no_limit) {
    mp::Queue<std::string> queue;
    constexpr std::size_t count = 10'000;
    std::string value(129 * 1024, 'x');
    for (std::size_t i = 0; i < count; ++i) {
        value[i % value.size()] = static_cast<char>('0' + i % 10);
        queue.put(value);
    }
    EXPECT_EQ(queue.qsize(), count);
    for (std::size_t i = 0; i < count; ++i) {
        const auto view = queue.borrow();
        ASSERT_EQ(static_cast<char>(view.span()[i % value.size()]), static_cast<char>('0' + i % 10));
    }
}

TEST(QueueOf, what_is_lent_and_borrowed_outlives_the_handle) {
    const std::size_t before = settled_descriptors();
    {
        std::optional<mp::Queue<std::string>> queue(std::in_place);
        const auto text = pattern(mib);
        queue->put(text);
        queue->put("short");
        std::optional<mp::Loan> loan(queue->loan(mib));
        const auto long_one = queue->borrow();
        const auto short_one = queue->borrow();
        queue.reset();
        std::memset(loan->span().data(), 1, loan->span().size());
        EXPECT_TRUE(characters_of(long_one.span()) == text);
        EXPECT_EQ(characters_of(short_one.span()), "short");
    }
    EXPECT_EQ(open_descriptors(), before);
}

TEST(QueueOf, what_is_borrowed_stays_while_others_are_put) {
    mp::Queue<std::string> queue;
    queue.put(pattern(mib, 1));
    queue.put(pattern(mib, 2));
    auto first = queue.borrow();
    auto second = queue.borrow();
    for (unsigned i = 0; i < 5; ++i) {
        queue.put(pattern(mib, 10 + i));
        queue.get();
    }
    EXPECT_TRUE(characters_of(first.span()) == pattern(mib, 1));
    std::swap(first, second);
    EXPECT_TRUE(characters_of(first.span()) == pattern(mib, 2));
    first = std::move(second);
    queue.put(pattern(mib, 3));
    EXPECT_TRUE(characters_of(first.span()) == pattern(mib, 1));
}

TEST(QueueOf, what_was_borrowed_stays_when_a_copy_of_the_process_drops_it) {
    mp::Queue<std::string> queue;
    queue.put(pattern(mib, 1));
    std::optional<mp::Borrowed> kept(queue.borrow());
    EXPECT_EQ(in_plain_fork([&] {
                  kept.reset();
                  return 0;
              }),
              0);
    queue.put(pattern(mib, 2));
    EXPECT_TRUE(characters_of(kept->span()) == pattern(mib, 1));
}

TEST(QueueOf, what_was_lent_is_not_put_by_a_copy_of_the_process) {
    mp::Queue<std::string> queue;
    auto loan = queue.loan(mib);
    EXPECT_EQ(in_plain_fork([&] {
                  try {
                      queue.put(std::move(loan));
                  } catch (const chorus::UsageError& error) {
                      return std::string_view(error.what()).find("fork") != std::string_view::npos ? 0 : 2;
                  }
                  return 1;
              }),
              0);
    EXPECT_TRUE(queue.empty());
    queue.put(std::move(loan));
    EXPECT_EQ(queue.get().size(), mib);
}

TEST(QueueOf, a_message_still_in_it_may_be_retracted) {
    mp::Queue<std::vector<std::byte>> queue;
    std::vector<std::uint32_t> positions;
    for (int i = 0; i < 20'000; ++i) {  // through several rings
        chorus::detail::channel::Putting putting(*chorus::detail::Access::state(queue), 64, {});
        std::memcpy(putting.first(), &i, sizeof i);
        positions.push_back(putting.position());
        putting.commit();
    }
    {
        chorus::detail::channel::Getting first(*chorus::detail::Access::state(queue), {});
        first.commit();
    }
    EXPECT_FALSE(chorus::detail::channel::retract(*chorus::detail::Access::state(queue), positions[0]))
        << "it has been taken";
    for (std::size_t i = 1; i < positions.size(); i += 3)
        EXPECT_TRUE(chorus::detail::channel::retract(*chorus::detail::Access::state(queue), positions[i]));
    for (int i = 1; i < 20'000; ++i) {
        chorus::detail::channel::Getting getting(*chorus::detail::Access::state(queue), chorus::now);
        int number = 0;
        std::memcpy(&number, getting.bytes().data(), sizeof number);
        ASSERT_EQ(number, i);
        ASSERT_EQ(getting.is_retracted(), i % 3 == 1);
        ASSERT_EQ(getting.number(), unsigned(i + 1));
        getting.commit();
    }
    EXPECT_FALSE(chorus::detail::channel::retract(*chorus::detail::Access::state(queue), positions.back()));
}

// ---- by descriptor -----------------------------------------------------------------------------

TEST(QueueOf, the_descriptor_is_readable_while_there_is_something) {
    mp::Queue<int> queue;
    const int descriptor = queue.fileno();
    EXPECT_FALSE(is_readable(descriptor));
    queue.put(1);
    EXPECT_TRUE(is_readable(descriptor));
    queue.put(2);
    EXPECT_EQ(queue.get(), 1);
    EXPECT_TRUE(is_readable(descriptor));
    EXPECT_EQ(queue.get(), 2);
    EXPECT_EQ(queue.try_get(), std::nullopt);
    EXPECT_FALSE(is_readable(descriptor)) << "drained, and told so";
    queue.put(3);
    EXPECT_TRUE(is_readable(descriptor));
}

TEST(QueueOf, the_descriptor_is_readable_after_a_shutdown) {
    mp::Queue<int> queue;
    const int descriptor = queue.fileno();
    EXPECT_FALSE(is_readable(descriptor));
    queue.shutdown();
    EXPECT_TRUE(is_readable(descriptor)) << "who waits by poll hears of it";
    EXPECT_THROW(queue.get(), chorus::ShutDown);
}

void put_many_slowly(mp::Queue<int> queue, mp::Queue<int> tokens) {
    for (const int token : tokens) queue.put(token);
}

TEST_P(QueueItems, epoll_hears_of_each_item_that_comes_after_it_was_drained) {
    mp::Queue<int> queue;
    mp::Queue<int> tokens;
    auto child = context().Process(put_many_slowly, queue, tokens);
    child.start();
    const int set = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN;
    ASSERT_EQ(::epoll_ctl(set, EPOLL_CTL_ADD, queue.fileno(), &event), 0);
    for (int i = 0; i < 500; ++i) {
        tokens.put(i);
        for (;;) {
            ASSERT_EQ(::epoll_wait(set, &event, 1, 20'000), 1) << i;
            if (const auto got = queue.try_get()) {
                ASSERT_EQ(*got, i);
                break;
            }
        }
    }
    EXPECT_EQ(queue.try_get(), std::nullopt);
    queue.fileno();  // when the child has let go of what it last put: until then the last ring may be left
    EXPECT_EQ(::epoll_wait(set, &event, 1, 0), 0);
    ::close(set);
    tokens.shutdown();
    child.join();
}

// ---- errors of the system ----------------------------------------------------------------------

TEST(QueueOf, memory_that_cannot_be_mapped_is_free_again) {
    if (under_sanitizer) GTEST_SKIP() << "it has reserved the address space";
    mp::Queue<std::string> queue;
    const auto file_size = [&] {
        struct stat file {};
        ::fstat(chorus::detail::Access::state(queue)->region()->descriptor(), &file);
        return file.st_size;
    };
    queue.put(pattern(mib, 1));
    queue.get();
    std::vector<off_t> sizes;
    rlimit before{};
    ::getrlimit(RLIMIT_AS, &before);
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlimit little{pages * static_cast<std::size_t>(::getpagesize()) + 4 * mib, before.rlim_max};
    for (int i = 0; i < 3; ++i) {
        ::setrlimit(RLIMIT_AS, &little);
        EXPECT_THROW(queue.loan(8 * mib), chorus::OsError);
        ::setrlimit(RLIMIT_AS, &before);
        sizes.push_back(file_size());
    }
    EXPECT_THAT(sizes, testing::Each(sizes[0]));
    EXPECT_EQ(queue.loan(8 * mib).span().size(), 8 * mib);
}

// While it lives the descriptor is no socket: a call that has to send on it fails.
class NoSocket {
public:
    explicit NoSocket(int socket) : socket_(socket), kept_(::fcntl(socket, F_DUPFD_CLOEXEC, 0)) {
        const int other = ::open("/dev/null", O_RDWR | O_CLOEXEC);
        ::dup3(other, socket_, O_CLOEXEC);
        ::close(other);
    }
    ~NoSocket() {
        ::dup3(kept_, socket_, O_CLOEXEC);
        ::close(kept_);
    }
    NoSocket(const NoSocket&) = delete;
    NoSocket& operator=(const NoSocket&) = delete;

private:
    int socket_;
    int kept_;
};

TEST(QueueOf, a_shutdown_that_fails_leaves_the_queue_open) {
    mp::Queue<int> queue;
    const int descriptor = queue.fileno();
    {
        const NoSocket no_socket(descriptor);
        EXPECT_THROW(queue.shutdown(), chorus::OsError);
    }
    queue.put(1, 1s);
    EXPECT_EQ(queue.get(1s), 1);
    queue.shutdown();
}

TEST(QueueOf, a_put_that_fails_puts_nothing_and_blocks_no_other) {
    mp::Queue<std::string> queue;
    const int descriptor = queue.fileno();
    const auto text_in_a_block = pattern(mib, 1);
    auto loan = queue.loan(mib);
    {
        const NoSocket no_socket(descriptor);
        EXPECT_THROW(queue.put("short", 1s), chorus::OsError);
        EXPECT_THROW(queue.put(text_in_a_block, 1s), chorus::OsError);
        EXPECT_THROW(queue.put(std::move(loan), 1s), chorus::OsError);
    }
    EXPECT_TRUE(queue.empty());
    for (const auto& text : {std::string("short"), text_in_a_block}) {
        queue.put(text, 1s);
        EXPECT_TRUE(queue.get(1s) == text);
    }
}

TEST(QueueOf, a_recovery_that_fails_is_made_up_for_by_the_next_call) {
    mp::Queue<int> queue;
    const int descriptor = queue.fileno();
    const auto& state = chorus::detail::Access::state(queue);
    EXPECT_EQ(in_plain_fork([&] {
                  const chorus::detail::channel::Putting putting(*state, sizeof(int), {});
                  return ::raise(SIGKILL);
              }),
              -SIGKILL);
    {
        const NoSocket no_socket(descriptor);
        EXPECT_THROW(queue.put(1, 1s), chorus::OsError);
    }
    queue.put(2, 1s);
    EXPECT_TRUE(is_readable(descriptor));
    EXPECT_EQ(queue.get(1s), 2);
}

// ---- around it ---------------------------------------------------------------------------------

TEST(QueueOf, descriptors_and_memory_do_not_pile_up) {
    const std::size_t before = settled_descriptors();
    for (int i = 0; i < 10'000; ++i) {
        mp::Queue<int> queue;
        queue.put(i);
        ASSERT_EQ(queue.get(), i);
    }
    EXPECT_EQ(open_descriptors(), before);
}

TEST(QueueOf, copies_made_by_a_plain_fork_know_each_other) {
    mp::Queue<int> queue;  // and nothing else of the library before the fork
    for (int i = 0; i < 30; ++i) {
        const pid_t copy = ::fork();
        if (copy == 0) {
            for (;;) {
                queue.put(1);
                queue.get();
            }
        }
        while (queue.empty()) std::this_thread::yield();
        ::kill(copy, SIGKILL);  // more often than not while it holds a lock
        ::waitpid(copy, nullptr, 0);
        queue.put(2, 30s);
        while (queue.get(30s) != 2) {
        }
    }
}

TEST(QueueOf, one_killed_in_join_keeps_no_receiver) {
    for (int round = 0; round < rounds(50); ++round) {
        mp::Queue<int> queue;
        queue.put(round);
        std::array<pid_t, 3> waiting{};
        for (pid_t& copy : waiting) {
            copy = ::fork();
            if (copy == 0) {
                queue.join();
                ::_exit(0);
            }
        }
        for (const pid_t copy : waiting) wait_until_asleep(copy);
        if (round % 2 == 0) ::kill(waiting[0], SIGKILL);
        queue.get();
        queue.task_done();
        if (round % 2 == 1) ::kill(waiting[0], SIGKILL);
        ::waitpid(waiting[0], nullptr, 0);
        for (const pid_t copy : {waiting[1], waiting[2]}) {
            int status = -1;
            ::waitpid(copy, &status, 0);
            ASSERT_EQ(status, 0);
        }
    }
}

TEST(QueueOf, a_plain_fork_while_another_thread_uses_the_queue) {
    mp::Queue<std::string> queue(50);
    std::atomic<bool> stop{false};
    std::thread busy([&] {
        for (unsigned i = 0; !stop; ++i) {
            queue.put(pattern(i % 7 == 0 ? 200 * kib : i % 500, i));
            queue.get();
        }
    });
    mp::Queue<std::string> other;
    for (int i = 0; i < 50; ++i) {
        ASSERT_EQ(in_plain_fork([&] {
                      queue.put("from the copy");
                      other.put("x");
                      return queue.get(20s).size() < mib && other.get() == "x" ? 0 : 1;
                  }),
                  0);
    }
    stop = true;
    busy.join();
    EXPECT_EQ(queue.qsize(), 0U);
}

void put_while_signals_come(mp::Queue<std::string> queue, int items) {
    const Interruptions interruptions;
    for (int i = 0; i < items; ++i) queue.put(pattern(static_cast<std::size_t>(i) * 1000));
    while (Interruptions::count() < 3) std::this_thread::yield();
}

TEST_P(QueueItems, signals_disturb_neither_put_nor_get) {
    mp::Queue<std::string> queue(2);
    auto child = context().Process(put_while_signals_come, queue, 300);
    child.start();
    {
        const Interruptions interruptions;
        const auto begin = std::chrono::steady_clock::now();
        for (int i = 0; i < 300; ++i) ASSERT_TRUE(queue.get() == pattern(static_cast<std::size_t>(i) * 1000));
        EXPECT_THROW(queue.get(100ms), chorus::Empty);
        EXPECT_GE(std::chrono::steady_clock::now() - begin, 100ms) << "a signal does not end the wait early";
        EXPECT_GT(Interruptions::count(), 3);
    }
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
}

}  // namespace

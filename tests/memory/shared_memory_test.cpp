// SharedMemory: blocks with a name, between processes of this program and with Python.
#include <algorithm>
#include <csignal>
#include <cstring>
#include <fstream>
#include <ranges>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <typeinfo>

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <support/start_methods.hpp>

#include <memory/block_names.hpp>
#include "memory/named_block.hpp"

using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;

namespace {

class SharedMemory : public EachStartMethod {
protected:
    BlockNames names;
};
FOR_EACH_START_METHOD(SharedMemory);

void put(const mp::SharedMemory& block, std::string_view text) {
    std::memcpy(block.buf().data(), text.data(), text.size());
}
std::string text_in(const mp::SharedMemory& block, std::size_t size) {
    return {reinterpret_cast<const char*>(block.buf().data()), size};
}

std::size_t room_for_shared_memory() {
    struct statvfs volume {};
    EXPECT_EQ(::statvfs("/dev/shm", &volume), 0);
    return volume.f_bavail * volume.f_frsize;
}

// ---- the rows of CPython's suite ---------------------------------------------------------------

TEST(SharedMemoryBlock, test_shared_memory_name_with_embedded_null) {
    BlockNames names;
    const std::string name = names.name("nu") + std::string("\0l", 2);
    EXPECT_THAT(
        message_of<chorus::UsageError>([&] { mp::SharedMemory({.name = name, .create = true, .size = 8}); }),
        HasSubstr("NUL"));
    EXPECT_THAT(message_of<chorus::UsageError>([&] { mp::SharedMemory({.name = name}); }), HasSubstr("NUL"));
}

TEST(SharedMemoryBlock, test_shared_memory_basics) {
    BlockNames names;
    const std::string name = names.name("basics");
    mp::SharedMemory block({.name = name, .create = true, .size = 512});
    EXPECT_EQ(block.name(), name);
    EXPECT_EQ(block.size(), 512U);
    EXPECT_EQ(block.buf().size(), 512U);
    std::ostringstream text;
    text << block;
    EXPECT_EQ(text.str(), "SharedMemory('" + name + "', size=512)");

    block.buf()[0] = std::byte{42};
    mp::SharedMemory same({.name = name});
    EXPECT_EQ(same.size(), 512U);
    EXPECT_EQ(same.buf()[0], std::byte{42});
    same.buf()[511] = std::byte{7};
    EXPECT_EQ(block.buf()[511], std::byte{7});
    EXPECT_NE(block.buf().data(), same.buf().data()) << "two mappings of one block";

    EXPECT_EQ(mp::SharedMemory({.name = name, .size = 248}).size(), 512U)
        << "who attaches gets what there is";
    EXPECT_THAT(message_of<chorus::FileExists>(
                    [&] { mp::SharedMemory({.name = name, .create = true, .size = 512}); }),
                AllOf(HasSubstr(name), HasSubstr("File exists"), HasSubstr("leave the name out")));
    EXPECT_THAT(message_of<chorus::FileNotFound>([&] { mp::SharedMemory({.name = name + "-not"}); }),
                AllOf(HasSubstr(name + "-not"), HasSubstr("never created")));
    EXPECT_THAT(message_of<chorus::UsageError>([&] { mp::SharedMemory({.name = name, .size = -1}); }),
                HasSubstr("-1"));
    EXPECT_THAT(message_of<chorus::UsageError>([] { mp::SharedMemory({.create = false}); }),
                HasSubstr("name"));

    block.close();
    EXPECT_EQ(same.buf()[0], std::byte{42}) << "close is about this handle only";
    block.close();
    same.unlink();
    EXPECT_FALSE(names.is_taken(name));
    EXPECT_EQ(same.buf()[511], std::byte{7}) << "who has attached keeps the memory";
    EXPECT_THAT(message_of<chorus::FileNotFound>([&] { same.unlink(); }),
                HasSubstr("unlink shared memory '" + name + "'"));
    EXPECT_THROW(block.unlink(), chorus::FileNotFound);
    EXPECT_THROW(mp::SharedMemory({.name = name}), chorus::FileNotFound);
}

TEST(SharedMemoryBlock, test_shared_memory_recreate) {
    BlockNames names;
    mp::SharedMemory taken({.name = names.name("taken"), .create = true, .size = 1});
    std::vector<std::string> proposals{names.name("free"), taken.name(), taken.name()};
    const auto propose = [&] {
        std::string next = proposals.back();
        proposals.pop_back();
        return next;
    };
    const auto block = chorus::detail::memory::create_named_block("", 1, {}, propose);
    EXPECT_EQ(block.name, names.name("free"));
    EXPECT_TRUE(proposals.empty());
    chorus::detail::memory::unlink_named_block(block.name);
    // Not indefinitely, should there be no free one.
    EXPECT_THROW(chorus::detail::memory::create_named_block("", 1, {}, [&] { return taken.name(); }),
                 chorus::FileExists);
    taken.unlink();
}

TEST(SharedMemoryBlock, test_invalid_shared_memory_creation) {
    BlockNames names;
    const std::string name = names.name("invalid");
    for (const auto& options : {mp::SharedMemoryOptions{.name = name, .create = true},
                                mp::SharedMemoryOptions{.name = name, .create = true, .size = 0},
                                mp::SharedMemoryOptions{.create = true}}) {
        EXPECT_THAT(message_of<chorus::UsageError>([&] { mp::SharedMemory block(options); }),
                    HasSubstr("size above 0"));
    }
    EXPECT_THAT(message_of<chorus::UsageError>(
                    [&] { mp::SharedMemory({.name = name, .create = true, .size = -5L}); }),
                HasSubstr("-5"));
    EXPECT_FALSE(names.is_taken(name));
}

mp::SharedMemory there_and_back(const mp::SharedMemory& block) {
    chorus::detail::message::Writer out;
    chorus::detail::message::encode(out, block);
    const auto bytes = out.take();
    EXPECT_LT(bytes.size(), 64U) << "only the name travels";
    chorus::detail::message::Reader in(bytes);
    return chorus::detail::message::decode<mp::SharedMemory>(in);
}

TEST(SharedMemoryBlock, test_shared_memory_pickle_unpickle) {
    BlockNames names;
    mp::SharedMemory block({.name = names.name("travels"), .create = true, .size = 100'000});
    put(block, "hello");
    const auto same = there_and_back(block);
    EXPECT_EQ(same.name(), block.name());
    EXPECT_EQ(same.size(), block.size());
    EXPECT_EQ(text_in(same, 5), "hello");
    put(same, "world");
    EXPECT_EQ(text_in(block, 5), "world");
    block.close();
    EXPECT_EQ(text_in(there_and_back(block), 5), "world") << "a closed handle still knows the name";
    block.unlink();
}

TEST(SharedMemoryBlock, test_shared_memory_pickle_unpickle_dead_object) {
    BlockNames names;
    mp::SharedMemory block({.name = names.name("dead"), .create = true, .size = 8});
    block.unlink();
    EXPECT_THROW(there_and_back(block), chorus::FileNotFound);
}

void write_both(const std::string& name, mp::SharedMemory block) {
    put(mp::SharedMemory({.name = name}), "by name");
    std::memcpy(block.buf().data() + 100, "by handle", 9);
}

TEST_P(SharedMemory, test_shared_memory_across_processes) {
    mp::SharedMemory block({.name = names.name("across"), .create = true, .size = 512});
    auto child = context().Process(write_both, block.name(), block);
    child.start();
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
    EXPECT_EQ(text_in(block, 7), "by name");
    EXPECT_EQ(text_in(block, 109).substr(100), "by handle");
    block.unlink();
}

void attach_and(const std::string& name, bool die) {
    const mp::SharedMemory block({.name = name});
    put(block, "seen");
    if (die) ::raise(SIGKILL);
}

TEST_P(SharedMemory, test_shared_memory_untracking) {
    mp::SharedMemory block({.name = names.name("untracked"), .create = true, .size = 64});
    for (const bool die : {false, true}) {
        put(block, "here");
        auto child = context().Process(attach_and, block.name(), die);
        child.start();
        child.join();
        EXPECT_EQ(child.exitcode(), die ? -SIGKILL : 0);
        EXPECT_EQ(text_in(mp::SharedMemory({.name = block.name()}), 4), "seen");
    }
    block.unlink();
}

// ---- whose block it is, and for how long -------------------------------------------------------

std::string create_and_leave(const std::string& name) {
    const mp::SharedMemory block({.name = name, .create = true, .size = 64});
    put(block, "left");
    return block.name();
}

TEST_P(SharedMemory, a_block_outlives_the_process_that_created_it) {
    const std::string name = mp::run(create_and_leave, names.name("left"));
    mp::SharedMemory block({.name = name});
    EXPECT_EQ(text_in(block, 4), "left");
    block.unlink();
}

TEST(SharedMemoryBlock, a_handle_that_is_dropped_leaves_the_block) {
    BlockNames names;
    const std::string name = create_and_leave(names.name("dropped"));
    mp::SharedMemory({.name = name}).unlink();
}

TEST(SharedMemoryBlock, whoever_dies_while_creating_leaves_no_name) {
    BlockNames names;
    const std::string name = names.name("half");
    mp::ForkProcess child([&name] {
        chorus::detail::memory::create_named_block(name, 64, [&](std::span<std::byte>) {
            EXPECT_FALSE(BlockNames::is_taken(name)) << "nobody attaches to half a block";
            ::raise(SIGKILL);
        });
    });
    child.start();
    child.join();
    EXPECT_EQ(child.exitcode(), -SIGKILL);
    EXPECT_FALSE(names.is_taken(name));
}

std::string try_to_use(const mp::SharedMemory& block) { return text_in(block, 4); }

TEST_P(SharedMemory, who_attaches_too_late_is_told) {
    mp::SharedMemory block({.name = names.name("late"), .create = true, .size = 64});
    put(block, "data");
    EXPECT_EQ(mp::run(try_to_use, block), "data");
    block.unlink();
    if (method() == "fork") {
        EXPECT_EQ(mp::run(try_to_use, block), "data")
            << "nothing is sent: the child has its parent's mapping";
    } else {
        EXPECT_THAT(message_of<chorus::FileNotFound>([&] { mp::run(try_to_use, block); }),
                    HasSubstr(block.name()));
    }
}

std::string create_taken(const std::string& name) {
    return mp::SharedMemory({.name = name, .create = true, .size = 1}).name();
}

TEST_P(SharedMemory, errors_arrive_from_a_child_as_themselves) {
    mp::SharedMemory block({.name = names.name("taken"), .create = true, .size = 1});
    try {
        mp::run(create_taken, block.name());
        FAIL() << "nothing was thrown";
    } catch (const chorus::FileExists& error) {
        EXPECT_EQ(error.code(), EEXIST);
        EXPECT_THAT(error.what(), HasSubstr(block.name()));
    }
    block.unlink();
}

// ---- handles -----------------------------------------------------------------------------------

TEST(SharedMemoryBlock, copies_share_one_mapping_and_keep_it) {
    BlockNames names;
    mp::SharedMemory block({.name = names.name("copies"), .create = true, .size = 64});
    mp::SharedMemory copy = block;
    EXPECT_EQ(copy.buf().data(), block.buf().data());
    const auto bytes = block.buf();
    block.close();
    block.unlink();
    bytes[3] = std::byte{9};
    EXPECT_EQ(copy.buf()[3], std::byte{9});
    const mp::SharedMemory moved = std::move(copy);
    EXPECT_EQ(moved.buf().data(), bytes.data());
    EXPECT_THROW(copy.buf(), chorus::UsageError);
}

TEST(SharedMemoryBlock, a_closed_handle_has_a_name_and_no_memory) {
    BlockNames names;
    mp::SharedMemory block({.name = names.name("closed"), .create = true, .size = 64});
    block.close();
    EXPECT_THAT(message_of<chorus::UsageError>([&] { block.buf(); }),
                AllOf(HasSubstr(block.name()), HasSubstr("closed")));
    EXPECT_EQ(block.size(), 64U);
    block.unlink();
}

TEST(SharedMemoryBlock, is_all_zeros_of_exactly_the_size) {
    for (const std::size_t size : {1U, 4095U, 4096U, 4097U, 1'000'000U}) {
        BlockNames names;
        mp::SharedMemory block({.create = true, .size = size});
        names.known(block.name());
        EXPECT_EQ(block.size(), size);
        EXPECT_EQ(mp::SharedMemory({.name = block.name()}).size(), size);
        EXPECT_TRUE(std::ranges::all_of(block.buf(), [](std::byte each) { return each == std::byte{0}; }));
        struct stat status {};
        ASSERT_EQ(::stat(names.path(block.name()).c_str(), &status), 0);
        EXPECT_GE(static_cast<std::size_t>(status.st_blocks) * 512, size) << "the memory is reserved";
        EXPECT_EQ(status.st_mode & 0777, 0600U);
        block.unlink();
    }
}

TEST(SharedMemoryBlock, free_names_look_like_pythons) {
    BlockNames names;
    mp::SharedMemory first({.create = true, .size = 1});
    mp::SharedMemory second({.create = true, .size = 1});
    names.known(first.name());
    names.known(second.name());
    EXPECT_THAT(first.name(), MatchesRegex("psm_[0-9a-f]{8}"));
    EXPECT_NE(first.name(), second.name());
    first.unlink();
    second.unlink();
}

TEST(SharedMemoryBlock, many_threads_create_at_once_each_its_own) {
    BlockNames names;
    std::vector<std::string> made(8);
    {
        std::vector<std::jthread> threads;
        for (auto& name : made)
            threads.emplace_back([&name] { name = mp::SharedMemory({.create = true, .size = 100}).name(); });
    }
    std::ranges::sort(made);
    EXPECT_EQ(std::ranges::adjacent_find(made), made.end());
    for (const auto& name : made) mp::SharedMemory({.name = names.known(name)}).unlink();
}

// ---- what cannot be ----------------------------------------------------------------------------

TEST(SharedMemoryBlock, names_that_cannot_be_are_refused) {
    BlockNames names;
    const std::string longest = names.name(std::string(255 - names.name("").size(), 'x'));
    for (const std::string& name : {std::string("a/b"), std::string("/a"), std::string("."),
                                    std::string(".."), longest + "x", std::string(100'000, 'x')}) {
        EXPECT_THROW(mp::SharedMemory({.name = name, .create = true, .size = 1}), chorus::UsageError)
            << name.substr(0, 20);
        EXPECT_THROW(mp::SharedMemory({.name = name}), chorus::UsageError) << name.substr(0, 20);
    }
    EXPECT_THAT(message_of<chorus::UsageError>([&] { mp::SharedMemory({.name = longest + "x"}); }),
                AllOf(HasSubstr("255"), HasSubstr("256")));
    EXPECT_THAT(message_of<chorus::UsageError>([] { mp::SharedMemory({.name = "/a"}); }), HasSubstr("'/'"));
    mp::SharedMemory block({.name = longest, .create = true, .size = 1});
    EXPECT_EQ(mp::SharedMemory({.name = longest}).size(), 1U);
    block.unlink();
}

TEST(SharedMemoryBlock, no_room_is_an_error_with_the_numbers_and_leaves_no_name) {
    BlockNames names;
    const std::string name = names.name("large");
    for (const std::size_t size : {room_for_shared_memory() * 2, std::size_t{1} << 60, ~std::size_t{0}}) {
        try {
            mp::SharedMemory({.name = name, .create = true, .size = size});
            FAIL() << "nothing was thrown";
        } catch (const chorus::OsError& error) {
            EXPECT_EQ(error.code(), ENOSPC);
            EXPECT_THAT(error.what(), testing::ContainsRegex("reserve " + std::to_string(size) +
                                                             " bytes .*; [0-9]+ of [0-9]+ bytes are free"));
        }
        EXPECT_FALSE(names.is_taken(name));
    }
    EXPECT_GT(room_for_shared_memory(), 0U) << "nothing of it was kept";
}

TEST(SharedMemoryBlock, an_empty_block_of_somebody_else_is_an_error) {
    BlockNames names;
    const std::string name = names.name("empty");
    std::ofstream(names.path(name)).close();
    EXPECT_THAT(message_of<chorus::DecodeError>([&] { mp::SharedMemory({.name = name}); }),
                AllOf(HasSubstr(name), HasSubstr("empty")));
    ASSERT_EQ(::unlink(names.path(name).c_str()), 0);
}

TEST(SharedMemoryBlock, what_is_no_memory_is_an_error) {
    BlockNames names;
    const std::string pipe = names.name("pipe");
    const std::string folder = names.name("folder");
    const std::string link = names.name("link");
    ASSERT_EQ(::mkfifo(names.path(pipe).c_str(), 0600), 0);
    ASSERT_EQ(::mkdir(names.path(folder).c_str(), 0700), 0);
    ASSERT_EQ(::symlink("/etc/passwd", names.path(link).c_str()), 0);
    for (const auto& name : {pipe, folder, link})
        EXPECT_THAT(message_of<chorus::OsError>([&] { mp::SharedMemory({.name = name}); }), HasSubstr(name));
    for (const auto& name : {pipe, folder, link}) std::filesystem::remove(names.path(name));
}

// ---- with Python -------------------------------------------------------------------------------

TEST(SharedMemoryBlock, python_attaches_to_ours) {
    BlockNames names;
    mp::SharedMemory block({.create = true, .size = 100});
    names.known(block.name());
    put(block, "from C++");
    const auto python = run_python(
        "b = keep(shm.SharedMemory(sys.argv[1]))\n"
        "print(b.name, b.size, bytes(b.buf[:8]))\n"
        "b.buf[:11] = b'from Python'\n"
        "b.close()\n",
        {block.name()});
    EXPECT_EQ(python.out, block.name() + " 100 b'from C++'\n");
    EXPECT_EQ(text_in(block, 11), "from Python");
    block.unlink();
}

TEST(SharedMemoryBlock, we_attach_to_pythons) {
    BlockNames names;
    const auto python = run_python(
        "b = keep(shm.SharedMemory(create=True, size=5000))\n"
        "b.buf[:5] = b'hello'\n"
        "print(b.name)\n"
        "b.close()\n",
        {});
    mp::SharedMemory block({.name = names.known(python.lines().at(0))});
    EXPECT_EQ(block.size(), 5000U);
    EXPECT_EQ(text_in(block, 5), "hello");
    block.unlink();
}

TEST(SharedMemoryBlock, python_sees_our_unlink_and_we_see_pythons) {
    BlockNames names;
    mp::SharedMemory ours({.name = names.name("ours"), .create = true, .size = 8});
    run_python("shm.SharedMemory(sys.argv[1]).unlink()\n", {ours.name()});
    EXPECT_THROW(ours.unlink(), chorus::FileNotFound);
    EXPECT_THROW(mp::SharedMemory({.name = ours.name()}), chorus::FileNotFound);
    const auto python = run_python(
        "try:\n"
        "    shm.SharedMemory(sys.argv[1])\n"
        "except FileNotFoundError:\n"
        "    print('gone')\n",
        {ours.name()});
    EXPECT_EQ(python.out, "gone\n");
}

}  // namespace

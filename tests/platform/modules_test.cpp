// The binaries of this process: which one holds a piece of code, and which build it is.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <programs/thread_library.hpp>
#include "platform/modules.hpp"

namespace platform = chorus::detail::platform;

namespace {

void here() {}

const void* address_of(void (*function)()) { return reinterpret_cast<const void*>(function); }

TEST(Modules, the_program_is_the_main_one) {
    const auto main = platform::main_module();
    EXPECT_EQ(main.path, std::filesystem::read_symlink("/proc/self/exe"));
    EXPECT_THAT(main.build_id, testing::MatchesRegex("[0-9a-f]{16,}"));
    const auto found = platform::module_of(address_of(here));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->base, main.base);
    EXPECT_EQ(found->build_id, main.build_id);
    EXPECT_TRUE(main.holds_code(reinterpret_cast<std::uintptr_t>(address_of(here)) - main.base));
}

TEST(Modules, a_shared_library_is_another_one) {
    const auto library = platform::module_of(address_of(hidden_work_in_library()));
    ASSERT_TRUE(library);
    EXPECT_THAT(library->path, testing::HasSubstr("thread_library"));
    EXPECT_NE(library->build_id, platform::main_module().build_id);
    EXPECT_TRUE(library->holds_code(reinterpret_cast<std::uintptr_t>(address_of(hidden_work_in_library())) -
                                    library->base));
    ASSERT_TRUE(platform::module_at_path(library->path));
    EXPECT_EQ(platform::module_at_path(library->path)->base, library->base);
}

TEST(Modules, are_found_by_their_build_id) {
    const auto main = platform::main_module();
    ASSERT_TRUE(platform::module_with_build_id(main.build_id));
    EXPECT_EQ(platform::module_with_build_id(main.build_id)->path, main.path);
    EXPECT_FALSE(platform::module_with_build_id(""));
    EXPECT_FALSE(platform::module_with_build_id("0123456789abcdef"));
    EXPECT_FALSE(platform::module_at_path("/nowhere"));
}

TEST(Modules, data_is_in_a_module_but_is_no_code) {
    static int number = 5;
    const auto module = platform::module_of(&number);
    ASSERT_TRUE(module);
    EXPECT_FALSE(module->holds_code(reinterpret_cast<std::uintptr_t>(&number) - module->base));
    EXPECT_FALSE(module->holds_code(0));
    EXPECT_FALSE(module->holds_code(~std::uint64_t{0}));
}

TEST(Modules, heap_and_stack_are_in_none) {
    const auto heap = std::make_unique<int>(0);
    const int stack = 0;
    EXPECT_FALSE(platform::module_of(heap.get()));
    EXPECT_FALSE(platform::module_of(&stack));
    EXPECT_FALSE(platform::module_of(nullptr));
}

TEST(Modules, a_library_is_loaded_by_its_path_only) {
    EXPECT_NE(platform::load_library({"libc.so.6", false}), "")
        << "a name without a path might load anything";
    EXPECT_THAT(platform::load_library({"/nowhere/libgone.so", false}), testing::HasSubstr("No such file"));
    EXPECT_NE(platform::load_library({"", false}), "");
}

}  // namespace

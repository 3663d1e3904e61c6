// Programs that are started through the dynamic loader, as bundles with a C library of their own are.
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <link.h>

#include <support/run_program.hpp>
#include <worker/scratch.hpp>

namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::SizeIs;

std::string loader_of_this_program() {
    std::string path;
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* context) {
            for (int i = 0; i < info->dlpi_phnum; ++i) {
                const auto& header = info->dlpi_phdr[i];
                if (header.p_type == PT_INTERP)
                    *static_cast<std::string*>(context) =
                        reinterpret_cast<const char*>(info->dlpi_addr + header.p_vaddr);
            }
            return 1;  // the program comes first
        },
        &path);
    return path;
}

TEST(StartedThroughTheLoader, starts_children_through_it) {
    const auto directly = run_program({test_program("every_part")}).lines();
    ASSERT_THAT(directly, SizeIs(21));
    const std::string loader = loader_of_this_program();
    const std::string relative = "./" + std::filesystem::relative(test_program("every_part")).string();
    ASSERT_FALSE(relative.starts_with('/'));
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{loader, relative},
          {loader, "--library-path", "nowhere:" + relative, "--inhibit-cache", relative, "/"},
          {loader, "--argv0", "another name", relative, "/"}}) {
        const auto result = run_program(command);
        EXPECT_THAT(result.lines(), ElementsAreArray(directly))
            << testing::PrintToString(command) << result.err;
    }
}

TEST(StartedThroughTheLoader, says_what_to_do_when_its_file_is_gone) {
    const Scratch scratch;
    const std::string copy = scratch.path("every_part");
    std::filesystem::copy_file(test_program("every_part"), copy);
    const auto result = run_program(
        {"sh", "-c", "exec 9< " + copy + "; exec " + loader_of_this_program() + " /proc/self/fd/9"});
    EXPECT_THAT(result.out, HasSubstr("run: 49"));  // its file is there, whatever the name it was given by
    const auto without = run_program(
        {"sh", "-c",
         "exec 9< " + copy + "; rm " + copy + "; exec " + loader_of_this_program() + " /proc/self/fd/9"});
    EXPECT_THAT(without.out, HasSubstr("mp::set_executable()"));
    EXPECT_THAT(without.lines(), SizeIs(21));
}

}  // namespace

// print: how values read, and where the line goes.
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;
using testing::MatchesRegex;

namespace {

/// Puts another file in the place of standard output until it is told to look.
class StandardOutput {
public:
    explicit StandardOutput(int file) : file_(file) {
        std::cout.flush();
        std::fflush(stdout);
        saved_ = ::fcntl(1, F_DUPFD_CLOEXEC, 10);
        file_ < 0 ? ::close(1) : ::dup2(file_, 1);
    }
    ~StandardOutput() { restore(); }
    StandardOutput(const StandardOutput&) = delete;
    StandardOutput& operator=(const StandardOutput&) = delete;

    void restore() {
        if (saved_ < 0) return;
        std::cout.flush();
        std::fflush(stdout);
        std::cout.clear();
        ::dup2(saved_, 1);
        ::close(saved_);
        saved_ = -1;
        if (file_ >= 0) ::close(file_);
    }

private:
    int file_;
    int saved_ = -1;
};

/// What is printed meanwhile.
template <class Function>
std::string printed_by(Function function) {
    const int file = ::memfd_create("printed", MFD_CLOEXEC);
    const int copy = ::fcntl(file, F_DUPFD_CLOEXEC, 10);
    {
        const StandardOutput output(file);
        function();
    }
    std::string text(static_cast<std::size_t>(::lseek(copy, 0, SEEK_END)), '\0');
    EXPECT_EQ(::pread(copy, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    ::close(copy);
    return text;
}

template <class... Values>
std::string printed(const Values&... values) {
    return printed_by([&] { chorus::print(values...); });
}

TEST(Print, puts_a_space_between_and_a_newline_behind) {
    EXPECT_EQ(printed(), "\n");
    EXPECT_EQ(printed("one"), "one\n");
    EXPECT_EQ(printed("one", 2, 3.5, 'c'), "one 2 3.5 c\n");
    EXPECT_EQ(printed("", ""), " \n");
}

TEST(Print, reads_as_the_values_do) {
    EXPECT_EQ(printed(true, false), "true false\n");
    EXPECT_EQ(printed(std::optional<int>(5), std::optional<int>()), "5 None\n");
    EXPECT_EQ(printed(std::optional<std::optional<bool>>(std::optional<bool>(true))), "true\n");
    EXPECT_EQ(printed(std::string("text"), std::string_view("view")), "text view\n");
    EXPECT_EQ(printed(std::string("a\0b", 3)), std::string("a\0b\n", 4));
    EXPECT_EQ(printed(-1, 18446744073709551615ULL), "-1 18446744073709551615\n");
    EXPECT_EQ(printed("two\nlines"), "two\nlines\n");
}

TEST(Print, shows_workers_as_their_text_forms) {
    const mt::Thread thread({.name = "t"}, [] {});
    EXPECT_EQ(printed("it is", thread), "it is <Thread(t, initial)>\n");
    EXPECT_THAT(printed(mt::current_thread()),
                MatchesRegex("<_MainThread\\(MainThread, started [0-9]+\\)>\n"));
    const mp::Process process({.name = "p"}, [] {});
    EXPECT_THAT(printed(process), MatchesRegex("<Process name='p' parent=[0-9]+ initial>\n"));
    EXPECT_EQ(printed(process.exitcode()), "None\n");
}

TEST(Print, does_not_depend_on_the_state_of_cout) {
    std::cout << std::hex;
    EXPECT_EQ(printed(255), "255\n");
    std::cout << std::dec;
}

TEST(Print, keeps_its_place_behind_cout_and_printf) {
    const auto text = printed_by([] {
        std::cout << "cout, ";
        chorus::print("print 1");
        std::printf("printf, ");
        chorus::print("print 2");
        std::cout << "end";
    });
    EXPECT_EQ(text, "cout, print 1\nprintf, print 2\nend");
}

TEST(Print, lines_of_a_child_come_before_those_after_its_join) {
    const auto text = printed_by([] {
        chorus::print("before");
        mp::Process process([] { chorus::print("child"); });
        process.start();
        process.join();
        chorus::print("after");
    });
    EXPECT_EQ(text, "before\nchild\nafter\n");
}

TEST(Print, a_long_line_stays_whole) {
    const std::string text(3'000'000, 'x');
    EXPECT_EQ(printed(text, 1).size(), text.size() + 3);
}

TEST(Print, a_full_disk_is_an_error) {
    const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
    ASSERT_GE(full, 0);
    std::string what;
    int code = 0;
    {
        const StandardOutput output(full);
        try {
            chorus::print("lost");
        } catch (const chorus::OsError& error) {
            what = error.what();
            code = error.code();
        }
    }
    EXPECT_EQ(code, ENOSPC);
    EXPECT_THAT(what, testing::HasSubstr("standard output"));
    EXPECT_EQ(printed("again"), "again\n");
}

TEST(Print, a_closed_standard_output_swallows_the_line) {
    {
        const StandardOutput output(-1);
        EXPECT_NO_THROW(chorus::print("nowhere"));
    }
    EXPECT_EQ(printed("again"), "again\n");
}

struct Unprintable {
    friend std::ostream& operator<<(std::ostream&, const Unprintable&) {
        throw std::runtime_error("cannot be shown");
    }
};

TEST(Print, what_throws_while_it_is_shown_prints_nothing) {
    const auto text = printed_by([] {
        EXPECT_THROW(chorus::print("begun", Unprintable{}), std::runtime_error);
        chorus::print("next");
    });
    EXPECT_EQ(text, "next\n");
}

struct Prints {
    friend std::ostream& operator<<(std::ostream& out, const Prints&) {
        chorus::print("inner");
        return out << "outer";
    }
};

TEST(Print, may_be_used_by_what_is_printed) { EXPECT_EQ(printed(Prints{}), "inner\nouter\n"); }

}  // namespace

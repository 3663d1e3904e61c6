// Exceptions that travel: each type that arrives as itself, and what becomes of the others.
#include <any>
#include <filesystem>
#include <functional>
#include <future>
#include <ios>
#include <memory>
#include <new>
#include <optional>
#include <regex>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <typeinfo>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chorus/detail/message/outcome.hpp>
#include <chorus/errors.hpp>
#include <chorus/serialize.hpp>
#include "platform/crash.hpp"
#include "platform/debug_info.hpp"

namespace message = chorus::detail::message;
namespace platform = chorus::detail::platform;
using testing::HasSubstr;
using testing::Not;

namespace {

std::vector<std::byte> written(const std::exception_ptr& thrown) {
    message::Writer out;
    message::write_exception(out, thrown);
    return out.take();
}

std::exception_ptr there_and_back(const std::exception_ptr& thrown) {
    const auto bytes = written(thrown);
    message::Reader in(bytes);
    auto back = message::read_exception(in);
    EXPECT_EQ(in.left(), 0U);
    return back;
}

/// The exception that arrives for this one, which must be of the very same type.
template <class Exception>
Exception arriving(const Exception& thrown) {
    try {
        std::rethrow_exception(there_and_back(std::make_exception_ptr(thrown)));
    } catch (const std::exception& arrived) {
        EXPECT_EQ(typeid(arrived), typeid(Exception));
        EXPECT_STREQ(arrived.what(), thrown.what());
        const auto* const same = dynamic_cast<const Exception*>(&arrived);
        return same != nullptr ? *same : thrown;
    }
}

template <class Exception>
Exception caught_from(const std::function<void()>& function) {
    try {
        function();
    } catch (const Exception& exception) {
        return exception;
    }
    throw std::logic_error("nothing was thrown");
}

TEST(Outcome, std_exceptions_with_a_message_arrive_as_themselves) {
    arriving(std::logic_error("logic"));
    arriving(std::invalid_argument("argument"));
    arriving(std::domain_error("domain"));
    arriving(std::length_error("length"));
    arriving(std::out_of_range("range"));
    arriving(std::runtime_error("runtime"));
    arriving(std::range_error("range"));
    arriving(std::overflow_error("over"));
    arriving(std::underflow_error("under"));
    arriving(std::runtime_error(""));
    arriving(std::runtime_error(std::string(100'000, 'x')));
}

TEST(Outcome, std_exceptions_without_a_message_arrive_as_themselves) {
    arriving(std::exception());
    arriving(std::bad_alloc());
    arriving(std::bad_array_new_length());
    arriving(std::bad_cast());
    arriving(std::bad_any_cast());
    arriving(std::bad_typeid());
    arriving(std::bad_exception());
    arriving(std::bad_optional_access());
    arriving(std::bad_function_call());
    arriving(std::bad_weak_ptr());
}

TEST(Outcome, bad_variant_access_arrives_though_nobody_can_make_one_with_its_text) {
    const auto thrown = caught_from<std::bad_variant_access>(
        [] { [[maybe_unused]] const auto value = std::get<int>(std::variant<double, int>(1.0)); });
    EXPECT_THROW(std::rethrow_exception(there_and_back(std::make_exception_ptr(thrown))),
                 std::bad_variant_access);
}

TEST(Outcome, what_the_library_itself_throws_arrives_as_itself) {
    arriving(
        caught_from<std::out_of_range>([] { [[maybe_unused]] const int number = std::vector<int>().at(5); }));
    arriving(caught_from<std::invalid_argument>([] { [[maybe_unused]] const int number = std::stoi("x"); }));
    arriving(caught_from<std::bad_optional_access>(
        [] { [[maybe_unused]] const int number = std::optional<int>().value(); }));
}

TEST(Outcome, system_error_keeps_its_code_and_its_text) {
    for (const auto& code :
         {std::make_error_code(std::errc::no_such_file_or_directory),
          std::error_code(2, std::system_category()), std::make_error_code(std::io_errc::stream),
          std::make_error_code(std::future_errc::no_state)}) {
        EXPECT_EQ(arriving(std::system_error(code, "opening it")).code(), code);
        EXPECT_EQ(arriving(std::system_error(code)).code(), code);
    }
    EXPECT_EQ(arriving(std::system_error(13, std::generic_category(), "a: b: c")).code().value(), 13);
    const std::ios_base::failure failure("reading it", std::make_error_code(std::io_errc::stream));
    EXPECT_EQ(arriving(failure).code(), failure.code());
}

class Strange : public std::error_category {
public:
    const char* name() const noexcept override { return "strange"; }
    std::string message(int) const override { return "strange things"; }
};

TEST(Outcome, system_error_of_an_unknown_category_keeps_its_text) {
    static const Strange category;
    message::Writer out;
    message::write_exception(out, std::make_exception_ptr(std::system_error(5, category, "doing it")));
    const auto bytes = out.take();
    message::Reader in(bytes);
    try {
        std::rethrow_exception(message::read_exception(in));
    } catch (const std::exception& arrived) {
        EXPECT_THAT(arrived.what(), HasSubstr("doing it"));
        EXPECT_THAT(arrived.what(), HasSubstr("strange things"))
            << "its number means something else in other categories";
    }
}

TEST(Outcome, filesystem_error_keeps_its_paths_and_its_code) {
    namespace fs = std::filesystem;
    const auto code = std::make_error_code(std::errc::permission_denied);
    const auto two = arriving(fs::filesystem_error("copying", "/from here", "/to: there", code));
    EXPECT_EQ(two.path1(), "/from here");
    EXPECT_EQ(two.path2(), "/to: there");
    EXPECT_EQ(two.code(), code);
    EXPECT_EQ(arriving(fs::filesystem_error("opening", "/one", code)).path1(), "/one");
    EXPECT_EQ(arriving(fs::filesystem_error("nothing", code)).code(), code);
    const auto real = caught_from<fs::filesystem_error>(
        [] { [[maybe_unused]] const auto size = fs::file_size("/does not exist"); });
    EXPECT_EQ(arriving(real).path1(), "/does not exist");
    EXPECT_EQ(arriving(real).code(), std::errc::no_such_file_or_directory);
}

TEST(Outcome, future_error_and_regex_error_keep_their_codes) {
    EXPECT_EQ(arriving(std::future_error(std::future_errc::broken_promise)).code(),
              std::make_error_code(std::future_errc::broken_promise));
    const std::regex_error bad(std::regex_constants::error_paren);
    try {
        std::rethrow_exception(there_and_back(std::make_exception_ptr(bad)));
    } catch (const std::regex_error& arrived) {
        EXPECT_EQ(arrived.code(), bad.code());
    }
}

TEST(Outcome, system_exit_keeps_its_code_and_its_text) {
    for (const auto& sent : {chorus::SystemExit(7), chorus::SystemExit("no input"), chorus::SystemExit()}) {
        try {
            std::rethrow_exception(there_and_back(std::make_exception_ptr(sent)));
        } catch (const chorus::SystemExit& arrived) {
            EXPECT_EQ(arrived.code(), sent.code());
            EXPECT_EQ(arrived.message(), sent.message());
        }
    }
}

TEST(Outcome, errors_of_chorus_arrive_as_themselves) {
    arriving(chorus::Error("error"));
    arriving(chorus::UsageError("usage"));
    arriving(chorus::TimedOut("late"));
    arriving(chorus::Cancelled("cancelled"));
    arriving(chorus::OutOfMemory("memory"));
    arriving(chorus::DecodeError("decode"));
    arriving(chorus::BinaryMismatch("mismatch"));
    EXPECT_EQ(arriving(chorus::OsError("open: no", 2)).code(), 2);
    EXPECT_EQ(arriving(chorus::OsError("open: no", 2)).code(), std::errc::no_such_file_or_directory);
    EXPECT_STREQ(arriving(chorus::OsError("open: no", 2)).what(), "open: no");
    try {
        throw chorus::FileNotFound("attach: gone", 2);
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::error_code(2, std::system_category()));
        EXPECT_STREQ(error.what(), "attach: gone");
    }
    EXPECT_EQ(chorus::UsageError("wrong").code(), std::errc::invalid_argument);
    EXPECT_EQ(arriving(chorus::TimedOut("late")).code(), std::errc::timed_out);
    EXPECT_EQ(arriving(chorus::OwnerDied("left")).code(), chorus::errc::owner_died);
    EXPECT_EQ(arriving(chorus::BufferTooShort("7 bytes", 7)).size(), 7U);
    EXPECT_EQ(arriving(chorus::Error("some")).code().message(), "error");
    arriving(chorus::Damaged("the lock"));
    arriving(chorus::BrokenBarrierError("late"));
    arriving(chorus::Empty("none"));
    arriving(chorus::Full("no room"));
    arriving(chorus::EndOfFile("closed"));
    arriving(chorus::BrokenPipe("closed"));
    arriving(chorus::TypeMismatch("int"));
    EXPECT_EQ(arriving(chorus::ShutDown("gone")).code().category().name(), std::string("chorus"));
    EXPECT_EQ(arriving(chorus::FileExists("create: taken", 17)).code(), 17);
    EXPECT_EQ(arriving(chorus::FileNotFound("attach: gone", 2)).code(), 2);
    const auto died = arriving(chorus::WorkerDied("killed by SIGSEGV", -11, "#0 parse\n"));
    EXPECT_EQ(died.signal(), 11);
    EXPECT_EQ(died.exitcode(), -11);
    EXPECT_EQ(died.stack(), "#0 parse\n");
    const auto late = arriving(chorus::TimedOut("late", {.task = 7, .item = 12}));
    EXPECT_EQ(late.task(), 7U);
    EXPECT_EQ(late.item(), 12U);
    const auto greedy = arriving(chorus::OutOfMemory("memory", {.task = 8}));
    EXPECT_EQ(greedy.task(), 8U);
    EXPECT_EQ(greedy.item(), std::nullopt);
    const auto remote = arriving(chorus::RemoteError("Type", "message", "stack"));
    EXPECT_EQ(remote.type(), "Type");
    EXPECT_EQ(remote.message(), "message");
    EXPECT_EQ(remote.stack(), "stack");
}

// ---- registered types -------------------------------------------------------------------------

class ByMessage : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};
class WithLine : public std::exception {
public:
    WithLine() = default;
    explicit WithLine(int line) : line_(line) {}
    const char* what() const noexcept override { return "with a line"; }
    int line() const { return line_; }
    template <class Archive>
    void serialize(Archive& archive) {
        archive(line_);
    }

private:
    int line_ = 0;
};
class Mute : public std::exception {
public:
    const char* what() const noexcept override { return "mute"; }
};
class WithCodec : public std::runtime_error {
public:
    WithCodec(const std::string& text, int number) : std::runtime_error(text), number_(number) {}
    int number() const { return number_; }

private:
    int number_;
};

}  // namespace

template <>
struct chorus::codec<WithCodec> {
    static void write(message::Writer& out, const WithCodec& error) {
        out.write_text(error.what());
        out.write_raw(error.number());
    }
    static WithCodec read(message::Reader& in) {
        const std::string text = in.read_text();
        return {text, in.read_raw<int>()};
    }
};

namespace {

[[maybe_unused]] const bool by_message = chorus::register_exception<ByMessage>();
[[maybe_unused]] const bool with_line = chorus::register_exception<WithLine>();
[[maybe_unused]] const bool mute = chorus::register_exception<Mute>();
[[maybe_unused]] const bool with_codec = chorus::register_exception<WithCodec>();

TEST(Outcome, registered_exceptions_arrive_as_themselves) {
    arriving(ByMessage("text"));
    arriving(Mute());
    EXPECT_EQ(arriving(WithLine(12)).line(), 12);
    EXPECT_EQ(arriving(WithCodec("text", 5)).number(), 5);
}

// ---- the others -------------------------------------------------------------------------------

class Unregistered : public std::out_of_range {
public:
    using std::out_of_range::out_of_range;
};
struct Odd {};

chorus::RemoteError remote(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(there_and_back(thrown));
    } catch (const chorus::RemoteError& error) {
        return error;
    }
}

TEST(Outcome, unknown_types_arrive_as_remote_error) {
    const auto derived = remote(std::make_exception_ptr(Unregistered("index 5")));
    EXPECT_THAT(derived.type(), HasSubstr("Unregistered"));
    EXPECT_EQ(derived.message(), "index 5");
    EXPECT_EQ(derived.stack(), "") << "it was not thrown in a call";
    EXPECT_THAT(derived.what(), HasSubstr("index 5"));
    EXPECT_THAT(remote(std::make_exception_ptr(Odd{})).type(), HasSubstr("Odd"));
    EXPECT_EQ(remote(std::make_exception_ptr(7)).type(), "int");
    EXPECT_EQ(remote(std::make_exception_ptr(7)).message(), "7");
    EXPECT_EQ(remote(std::make_exception_ptr("literal")).message(), "literal");
    EXPECT_EQ(remote(std::make_exception_ptr(std::string("text"))).message(), "text");
}

[[gnu::noinline]] void throw_odd(void*) { throw Odd{}; }

// As in a worker.
std::exception_ptr thrown_in_a_call() {
    try {
        platform::watch_exceptions(throw_odd, nullptr);
    } catch (...) {
        return std::current_exception();
    }
    return nullptr;
}

TEST(Outcome, the_stack_of_an_unknown_type_is_named_when_it_is_asked_for) {
    const auto before = platform::debug_info_sessions_opened();
    const auto error = remote(thrown_in_a_call());
    const auto copy = error;
    const auto passed_on = arriving(error);
    EXPECT_EQ(platform::debug_info_sessions_opened(), before) << "named before anything asked for it";
    EXPECT_THAT(error.stack(), HasSubstr("#0 "));
    EXPECT_THAT(error.stack(), HasSubstr("throw_odd"));
    EXPECT_THAT(error.stack(), HasSubstr("outcome_test.cpp:"));
    EXPECT_THAT(error.stack(), Not(HasSubstr("watch_exceptions")));
    EXPECT_EQ(&copy.stack(), &error.stack()) << "named once more for a copy";
    EXPECT_EQ(passed_on.stack(), error.stack());
}

TEST(Outcome, a_remote_error_that_was_moved_from_has_no_stack) {
    auto error = remote(thrown_in_a_call());
    const auto other = std::move(error);
    EXPECT_THAT(other.stack(), HasSubstr("throw_odd"));
    EXPECT_EQ(error.stack(), "");  // NOLINT: that is what is tested
    EXPECT_FALSE(written(std::make_exception_ptr(error)).empty());
}

TEST(Outcome, an_unnamed_stack_is_small) { EXPECT_LT(written(thrown_in_a_call()).size(), 4096U); }

TEST(Outcome, the_stack_of_an_earlier_throw_is_not_taken_for_this_one) {
    EXPECT_NE(thrown_in_a_call(), nullptr);
    platform::watch_exceptions([](void*) {}, nullptr);
    EXPECT_EQ(remote(std::make_exception_ptr(Odd{})).stack(), "");
}

TEST(Outcome, all_threads_that_ask_for_a_stack_get_the_same) {
    const auto error = remote(thrown_in_a_call());
    std::vector<std::string> stacks(4);
    {
        std::vector<std::jthread> threads;
        for (auto& stack : stacks) threads.emplace_back([&] { stack = error.stack(); });
    }
    for (const auto& stack : stacks) EXPECT_EQ(stack, error.stack());
}

TEST(Outcome, nested_exceptions_are_told_in_the_message) {
    std::exception_ptr thrown;
    try {
        try {
            try {
                throw Odd{};
            } catch (...) {
                std::throw_with_nested(std::runtime_error("inner"));
            }
        } catch (...) {
            std::throw_with_nested(std::logic_error("outer"));
        }
    } catch (...) {
        thrown = std::current_exception();
    }
    const auto described = message::describe(thrown);
    EXPECT_THAT(described.message, HasSubstr("outer"));
    EXPECT_THAT(described.message, HasSubstr("inner"));
    EXPECT_THAT(described.message, HasSubstr("Odd"));
    const auto error = remote(thrown);
    EXPECT_THAT(error.what(), HasSubstr("outer"));
    EXPECT_THAT(error.what(), HasSubstr("inner"));
    EXPECT_THAT(error.type(), HasSubstr("std::logic_error")) << "a reader looks for the type that was thrown";
}

TEST(Outcome, describe_names_types_as_people_write_them) {
    EXPECT_EQ(message::describe(std::make_exception_ptr(std::runtime_error("text"))).type,
              "std::runtime_error");
    EXPECT_EQ(message::describe(std::make_exception_ptr(std::runtime_error("text"))).message, "text");
    EXPECT_EQ(message::describe(std::make_exception_ptr(std::string("text"))).type, "std::string");
    EXPECT_EQ(message::describe(std::make_exception_ptr(chorus::TimedOut("late"))).type, "chorus::TimedOut");
}

// ---- damage -----------------------------------------------------------------------------------

void survives_damage(const std::exception_ptr& thrown) {
    const auto bytes = written(thrown);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        message::Reader in(std::span<const std::byte>(bytes).first(size));
        EXPECT_THROW(std::rethrow_exception(message::read_exception(in)), chorus::DecodeError)
            << "of " << bytes.size() << " bytes only " << size;
    }
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        for (const auto flip : {std::byte{0x01}, std::byte{0x80}, std::byte{0xff}}) {
            auto damaged = bytes;
            damaged[i] ^= flip;
            message::Reader in(damaged);
            EXPECT_NE(message::read_exception(in), nullptr) << "byte " << i;
        }
    }
}

TEST(Outcome, damaged_bytes_become_some_exception) {
    survives_damage(std::make_exception_ptr(std::runtime_error("text")));
    survives_damage(std::make_exception_ptr(std::system_error(2, std::generic_category(), "text")));
    survives_damage(std::make_exception_ptr(
        std::filesystem::filesystem_error("text", "/a", "/b", std::make_error_code(std::errc::io_error))));
    survives_damage(std::make_exception_ptr(std::future_error(std::future_errc::no_state)));
    survives_damage(std::make_exception_ptr(chorus::WorkerDied("text", -9, "stack")));
    survives_damage(std::make_exception_ptr(WithLine(5)));
    survives_damage(std::make_exception_ptr(Odd{}));
    survives_damage(thrown_in_a_call());
    survives_damage(std::make_exception_ptr(remote(thrown_in_a_call())));
}

TEST(Outcome, a_type_that_only_the_sender_knows_arrives_as_remote_error) {
    message::Writer out;
    out.write_raw(message::Ending::exception);
    out.write_text("9ParseFail");
    out.write_text("text");
    const auto bytes = out.take();
    message::Reader in(bytes);
    try {
        std::rethrow_exception(message::read_exception(in));
    } catch (const chorus::RemoteError& error) {
        EXPECT_EQ(error.type(), "ParseFail");
        EXPECT_EQ(error.stack(), "");
    }
}

}  // namespace

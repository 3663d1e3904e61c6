#include <chorus/detail/message/outcome.hpp>

#include <any>
#include <filesystem>
#include <functional>
#include <future>
#include <ios>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <regex>
#include <stdexcept>
#include <system_error>
#include <typeinfo>
#include <variant>

#include "message/remote_stack.hpp"
#include "platform/fork_mutex.hpp"
#include "platform/symbols.hpp"

namespace chorus::inline v0 {
namespace {

// A category of a library that this process may not have: it keeps its name and what it said.
class CarriedCategory final : public std::error_category {
public:
    explicit CarriedCategory(std::string name) : name_(std::move(name)) {}
    const char* name() const noexcept override { return name_.c_str(); }
    std::string message(int value) const override {
        const std::lock_guard guard(mutex());
        const auto found = texts_.find(value);
        return found != texts_.end() ? found->second : name_ + " error " + std::to_string(value);
    }

    /// The code with this text. Codes compare their categories by address: there is one object for each
    /// name, as long as the process runs.
    static std::error_code code(const std::string& name, int value, const std::string& text) {
        static auto* const known = new std::map<std::string, std::unique_ptr<CarriedCategory>>;
        const std::lock_guard guard(mutex());
        auto& category = (*known)[name];
        if (!category) category = std::make_unique<CarriedCategory>(name);
        category->texts_[value] = text;
        return {value, *category};
    }

private:
    static detail::platform::ForkMutex& mutex() {
        static auto* const one = new detail::platform::ForkMutex;
        return *one;
    }

    std::string name_;
    std::map<int, std::string> texts_;
};

void write_error_code(detail::message::Writer& out, const std::error_code& code) {
    out.write_text(code.category().name());
    out.write_raw(code.value());
    out.write_text(code.message());
}

std::error_code read_error_code(detail::message::Reader& in) {
    const std::string category = in.read_text();
    const int value = in.read_raw<int>();
    const std::string text = in.read_text();
    if (category == std::system_category().name()) return {value, std::system_category()};
    if (category == std::generic_category().name()) return {value, std::generic_category()};
    if (category == std::iostream_category().name()) return {value, std::iostream_category()};
    if (category == std::future_category().name()) return {value, std::future_category()};
    return CarriedCategory::code(category, value, text);
}

// These put the code's own text behind the message when they are built; it must not be there twice.
std::string without_code_text(std::string what, const std::error_code& code) {
    const std::string tail = ": " + code.message();
    if (what.ends_with(tail)) what.resize(what.size() - tail.size());
    return what;
}

}  // namespace

template <>
struct codec<std::system_error> {
    static void write(detail::message::Writer& out, const std::system_error& error) {
        write_error_code(out, error.code());
        out.write_text(without_code_text(error.what(), error.code()));
    }
    static std::system_error read(detail::message::Reader& in) {
        const auto code = read_error_code(in);
        const std::string text = in.read_text();
        if (text == code.message()) return std::system_error(code);  // made without a text of its own
        return {code, text};
    }
};

template <>
struct codec<std::ios_base::failure> {
    static void write(detail::message::Writer& out, const std::ios_base::failure& error) {
        write_error_code(out, error.code());
        out.write_text(without_code_text(error.what(), error.code()));
    }
    static std::ios_base::failure read(detail::message::Reader& in) {
        const auto code = read_error_code(in);
        return std::ios_base::failure(in.read_text(), code);
    }
};

template <>
struct codec<std::filesystem::filesystem_error> {
    static void write(detail::message::Writer& out, const std::filesystem::filesystem_error& error) {
        const std::string what = error.what();  // "filesystem error: MESSAGE: CODE [path1] [path2]"
        const std::string head = "filesystem error: ";
        std::string message = what.starts_with(head) ? what.substr(head.size()) : what;
        message.resize(std::min(message.size(), message.rfind(": " + error.code().message())));
        write_error_code(out, error.code());
        out.write_text(message);
        out.write_text(error.path1().native());
        out.write_text(error.path2().native());
    }
    static std::filesystem::filesystem_error read(detail::message::Reader& in) {
        const auto code = read_error_code(in);
        const std::string message = in.read_text();
        const std::string first = in.read_text();
        const std::string second = in.read_text();
        if (first.empty()) return {message, code};
        if (second.empty()) return {message, first, code};
        return {message, first, second, code};
    }
};

template <>
struct codec<std::future_error> {
    static void write(detail::message::Writer& out, const std::future_error& error) {
        out.write_raw(error.code().value());
    }
    static std::future_error read(detail::message::Reader& in) {
        return std::future_error(static_cast<std::future_errc>(in.read_raw<int>()));
    }
};

template <>
struct codec<std::regex_error> {
    static void write(detail::message::Writer& out, const std::regex_error& error) {
        out.write_raw(error.code());
    }
    static std::regex_error read(detail::message::Reader& in) {
        return std::regex_error(in.read_raw<std::regex_constants::error_type>());
    }
};

template <std::derived_from<OsError> Exception>
struct codec<Exception> {
    static void write(detail::message::Writer& out, const Exception& error) {
        out.write_text(error.what());
        out.write_raw(error.code().value());
    }
    static Exception read(detail::message::Reader& in) {
        const std::string what = in.read_text();
        return {what, in.read_raw<int>()};
    }
};

template <>
struct codec<BufferTooShort> {
    static void write(detail::message::Writer& out, const BufferTooShort& error) {
        out.write_text(error.what());
        out.write_raw(error.size());
    }
    static BufferTooShort read(detail::message::Reader& in) {
        const std::string what = in.read_text();
        return {what, in.read_raw<std::size_t>()};
    }
};

template <class Exception>
    requires std::same_as<Exception, TimedOut> || std::same_as<Exception, OutOfMemory>
struct codec<Exception> {
    static void write(detail::message::Writer& out, const Exception& error) {
        out.write_text(error.what());
        out.write_raw(error.task());
        detail::message::encode(out, error.item());
    }
    static Exception read(detail::message::Reader& in) {
        const std::string what = in.read_text();
        TaskPosition position;
        position.task = in.read_raw<std::uint64_t>();
        position.item = detail::message::decode<std::optional<std::size_t>>(in);
        return Exception(what, position);
    }
};

template <>
struct codec<WorkerDied> {
    static void write(detail::message::Writer& out, const WorkerDied& error) {
        out.write_text(error.what());
        detail::message::encode(out, error.exitcode());
        out.write_text(error.stack());
        out.write_raw(error.task());
        out.write_raw(std::uint64_t{error.memory()});
        out.write_text(error.last_lines());
        detail::message::encode(out, error.item());
    }
    static WorkerDied read(detail::message::Reader& in) {
        const std::string what = in.read_text();
        const auto exitcode = detail::message::decode<std::optional<int>>(in);
        std::string stack = in.read_text();
        WorkerDied::Circumstances circumstances;
        circumstances.task = in.read_raw<std::uint64_t>();
        circumstances.memory = static_cast<std::size_t>(in.read_raw<std::uint64_t>());
        circumstances.last_lines = in.read_text();
        circumstances.item = detail::message::decode<std::optional<std::size_t>>(in);
        return {what, exitcode, std::move(stack), std::move(circumstances)};
    }
};

template <>
struct codec<RemoteError> {
    static void write(detail::message::Writer& out, const RemoteError& error) {
        out.write_text(error.type());
        out.write_text(error.message());
        detail::message::RemoteStack::write_of(error, out);
    }
    static RemoteError read(detail::message::Reader& in) {
        const std::string type = in.read_text();
        const std::string message = in.read_text();
        return detail::message::RemoteStack::error(type, message, detail::message::RemoteStack::read(in));
    }
};

namespace detail::message {
namespace {

class Registry {
public:
    Registry() {
        add_all<std::exception, std::logic_error, std::invalid_argument, std::domain_error, std::length_error,
                std::out_of_range, std::runtime_error, std::range_error, std::overflow_error,
                std::underflow_error, std::system_error, std::ios_base::failure,
                std::filesystem::filesystem_error, std::future_error, std::regex_error, std::bad_alloc,
                std::bad_array_new_length, std::bad_cast, std::bad_any_cast, std::bad_typeid,
                std::bad_exception, std::bad_optional_access, std::bad_variant_access, std::bad_function_call,
                std::bad_weak_ptr, Error, UsageError, OsError, FileExists, FileNotFound, TimedOut, Cancelled,
                OutOfMemory, WorkerDied, BrokenPool, RemoteError, OwnerDied, Damaged, BrokenBarrierError,
                Empty, Full, ShutDown, EndOfFile, BrokenPipe, TypeMismatch, BufferTooShort, DecodeError,
                BinaryMismatch>();
    }

    bool add(const std::type_info& type, std::unique_ptr<ExceptionCodec> codec) {
        const std::lock_guard guard(mutex_);
        return codecs_.insert_or_assign(type.name(), std::move(codec)).second;
    }

    const ExceptionCodec* find(const std::string& name) const {
        const std::lock_guard guard(mutex_);
        const auto found = codecs_.find(name);
        return found == codecs_.end() ? nullptr : found->second.get();
    }

private:
    template <class... Exceptions>
    void add_all() {
        (add(typeid(Exceptions), std::make_unique<TypedExceptionCodec<Exceptions>>()), ...);
    }

    mutable platform::ForkMutex mutex_;
    std::map<std::string, std::unique_ptr<ExceptionCodec>> codecs_;
};

// Never destroyed: a worker may end while statics are being destroyed.
Registry& registry() {
    static auto* const instance = new Registry;
    return *instance;
}

std::string type_of_current_exception() { return platform::readable(platform::current_exception_type()); }

void append_nested(std::string& message, const std::exception& exception) {
    try {
        std::rethrow_if_nested(exception);
    } catch (const std::exception& nested) {
        message += std::string("; because: ") + nested.what();
        append_nested(message, nested);
    } catch (...) {
        message += "; because: " + type_of_current_exception();
    }
}

}  // namespace

bool register_exception_codec(const std::type_info& type, std::unique_ptr<ExceptionCodec> codec) {
    return registry().add(type, std::move(codec));
}

Described describe(std::exception_ptr thrown) {
    try {
        std::rethrow_exception(std::move(thrown));
    } catch (const std::exception& exception) {
        Described described{platform::readable(typeid(exception).name()), exception.what()};
        append_nested(described.message, exception);
        return described;
    } catch (const std::string& text) {
        return {"std::string", text};
    } catch (const char* text) {
        return {"char const*", text};
    } catch (int number) {
        return {"int", std::to_string(number)};
    } catch (...) {
        return {type_of_current_exception(), "an object that is no std::exception"};
    }
}

void write_exception(Writer& out, std::exception_ptr thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const std::exception& exception) {
        if (const ExceptionCodec* codec = registry().find(typeid(exception).name())) {
            out.write_raw(Ending::exception);
            out.write_text(typeid(exception).name());
            codec->write(out, exception);
            return;
        }
    } catch (const SystemExit& exit) {  // is no std::exception, so the registry cannot have it
        out.write_raw(Ending::system_exit);
        out.write_raw(exit.code());
        encode(out, exit.message());
        return;
    } catch (...) {
    }
    const Described described = describe(thrown);
    out.write_raw(Ending::unknown_exception);
    out.write_text(described.type);
    out.write_text(described.message);
    RemoteStack(platform::stack_of_last_throw()).write(out);
}

std::exception_ptr read_exception(Reader& in) noexcept {
    try {
        const auto ending = in.read_raw<Ending>();
        if (ending == Ending::exception) {
            const std::string name = in.read_text();
            if (const ExceptionCodec* codec = registry().find(name)) return codec->read(in);
            return std::make_exception_ptr(RemoteError(platform::readable(name.c_str()),
                                                       "an exception not registered in this process", ""));
        }
        if (ending == Ending::unknown_exception) {
            const std::string type = in.read_text();
            const std::string message = in.read_text();
            return std::make_exception_ptr(RemoteStack::error(type, message, RemoteStack::read(in)));
        }
        if (ending == Ending::system_exit) {
            const int code = in.read_raw<int>();
            auto text = decode<std::optional<std::string>>(in);
            return std::make_exception_ptr(text ? SystemExit(*std::move(text)) : SystemExit(code));
        }
        return std::make_exception_ptr(DecodeError("a worker's answer is neither a value nor an exception"));
    } catch (...) {
        return std::current_exception();
    }
}

}  // namespace detail::message
}  // namespace chorus::inline v0

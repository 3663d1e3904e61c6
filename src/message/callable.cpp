#include <chorus/detail/message/callable.hpp>

#include "platform/symbols.hpp"

namespace chorus::inline v0::detail::message {

WrittenCall::WrittenCall(Reader call) noexcept : call_(call) {
    try {
        entry_ = reinterpret_cast<Entry>(read_function(call_));
    } catch (...) {
        not_found_ = std::current_exception();
    }
}

[[gnu::hot]] void WrittenCall::invoke(Writer* result) {
    if (not_found_) std::rethrow_exception(not_found_);
    Reader call = call_;
    entry_(call, result);
}

void refuse_to_write_local_call() {
    throw UsageError("a call made for this process cannot travel to another");
}

std::string name_of_function(const void* code) { return platform::function_name(code); }

std::string readable_type(const std::type_info& type) {
    static const std::string long_name =
        "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >";
    std::string name = platform::readable(type.name());
    for (std::size_t at = name.find(long_name); at != std::string::npos; at = name.find(long_name))
        name.replace(at, long_name.size(), "std::string");
    return name;
}

std::uint64_t type_number(const std::type_info& type) noexcept {
    std::uint64_t hash = 14695981039346656037U;  // FNV-1a
    for (const char* c = type.name(); *c != '\0'; ++c)
        hash = (hash ^ static_cast<unsigned char>(*c)) * 1099511628211U;
    return hash | 1;
}

std::string name_of_type(const std::type_info& type) {
    const std::string name = platform::readable(type.name());
    if (name.starts_with("chorus::")) return "";  // our own: a timer's wait
    if (name.starts_with("std::") || name.find(')') + 1 == name.size() ||
        name.find("::*)(") != std::string::npos) {
        if (name.find("lambda") == std::string::npos) return "";  // a wrapper, which has no name of its own
    }
    const bool closure = name.find("{lambda(") != std::string::npos ||
                         name.find("'lambda") != std::string::npos || name.find("$_") != std::string::npos;
    return closure ? "<lambda>" : platform::plain_name(name);
}

}  // namespace chorus::inline v0::detail::message

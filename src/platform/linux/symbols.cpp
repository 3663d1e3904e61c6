#include "platform/symbols.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "platform/crash.hpp"
#include "platform/debug_info.hpp"
#include "platform/fork_mutex.hpp"
#include "platform/os_thread.hpp"

#include <cxxabi.h>
#include <dlfcn.h>

namespace chorus::inline v0::detail::platform {
namespace {

void erase_all(std::string& text, const std::string& part) {
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at))
        text.erase(at, part.size());
}

// "as_text[abi:cxx11](int)": a function that returns a std::string may be called so.
void erase_tags(std::string& text) {
    for (std::size_t at = text.find("[abi:"); at != std::string::npos; at = text.find("[abi:", at))
        text.erase(at, text.find(']', at) - at + 1);
}

std::string hexadecimal(std::uintptr_t address) {
    char text[32];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(address));
    return text;
}

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool is_any_of(const std::string& function, std::initializer_list<const char*> marks) {
    return std::any_of(marks.begin(), marks.end(),
                       [&](const char* mark) { return function.find(mark) != std::string::npos; });
}

// Frames between the throw or the signal and the code that reads the stack.
bool is_on_the_way(const std::string& function) {
    return is_any_of(function, {"chorus_leaving_exception", "_Unwind_", "__cxa_throw", "__cxa_rethrow",
                                "__restore_rt"}) ||
           function.starts_with("chorus::detail::platform::(anonymous namespace)::");
}

// The frame in which Chorus calls the user's function: outside of it are only frames of Chorus's own
// start. An inlined function is already a frame of its own.
bool calls_the_function(const std::string& function) {
    return is_any_of(function,
                     {"chorus::detail::message::invoke_function<", "chorus::detail::message::call_with<",
                      "chorus::detail::message::call_and_write<", "chorus::detail::message::enter<",
                      "chorus::detail::message::BoundFunction<", "chorus::detail::message::TypedCall<",
                      "chorus::detail::platform::watch_exceptions"});
}

// Inlined between that and the user's function.
bool hands_over(const std::string& source) {
    return is_any_of(source, {"/chorus/detail/message/callable.hpp:", "/chorus/detail/message/invocable.hpp:",
                              "/bits/invoke.h:", "/functional:", "/tuple:"});
}

}  // namespace

std::string readable(const char* mangled) {
    if (mangled == nullptr) return "";
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> text(
        abi::__cxa_demangle(mangled, nullptr, nullptr, &status), &std::free);
    std::string name = status == 0 && text ? text.get() : mangled;
    // Chorus's names are written without the version of its interface.
    constexpr std::string_view version = "chorus::v0::";
    for (auto at = name.find(version); at != std::string::npos; at = name.find(version, at))
        name.erase(at + version.find("v0"), std::strlen("v0::"));
    return name;
}

const char* current_exception_type() {
    const std::type_info* type = abi::__cxa_current_exception_type();
    return type != nullptr ? type->name() : "unknown";
}

// The signature is read from its end: the last name before the last parameter list is the function's.
std::string plain_name(const std::string& readable_name) {
    std::string name = readable_name;
    for (const char* mark : {"<lambda>", "{lambda(", "'lambda", "::$_"}) {
        if (name.find(mark) != std::string::npos) return "<lambda>";
    }
    erase_all(name, "(anonymous namespace)::");
    erase_all(name, "decltype(auto) ");
    erase_tags(name);
    name.resize(std::min(name.size(), name.find('(')));
    int depth = 0;  // "chorus::run<int>" and "void f<int>" end in "run" and "f"
    std::size_t start = 0;
    std::size_t end = name.size();
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (name[i] == '<' && depth++ == 0) end = i;
        if (name[i] == '>') --depth;
        if (depth == 0 && (name[i] == ' ' || (name[i] == ':' && i + 1 < name.size()))) {
            start = i + 1;
            end = name.size();
        }
    }
    return name.substr(start, end - start);
}

std::string function_name(const void* code) {
    const NotHalted whole;
    static auto* const mutex = new ForkMutex;
    static auto* const known = new std::unordered_map<const void*, std::string>;
    {
        const std::lock_guard guard(*mutex);
        const auto found = known->find(code);
        if (found != known->end()) return found->second;
    }
    std::string name;
    Dl_info info{};
    if (::dladdr(code, &info) != 0 && info.dli_sname != nullptr && info.dli_saddr == code) {
        name = readable(info.dli_sname);
    } else {
        const auto address = reinterpret_cast<std::uintptr_t>(code);
        for (const auto& file : code_at({&address, 1})) name = places_at(file, address).back().function;
    }
    const std::lock_guard guard(*mutex);
    return known->emplace(code, plain_name(name)).first->second;
}

std::vector<std::uintptr_t> AddressStack::instructions() const {
    std::vector<std::uintptr_t> addresses(frames);
    for (std::size_t i = first_is_exact ? 1 : 0; i < addresses.size(); ++i) --addresses[i];
    return addresses;
}

AddressStack stack_of_last_throw() {
    const auto frames = last_throw();
    AddressStack stack{{frames.begin(), frames.end()}, false, {}};
    stack.code = code_at(stack.instructions());
    return stack;
}

SymbolizedStack symbolize(const AddressStack& addresses) {
    std::vector<Place> frames;
    const auto instructions = addresses.instructions();
    bool done = false;
    for (std::size_t i = 0; i < instructions.size() && !done; ++i) {
        const auto code = std::ranges::find_if(
            addresses.code, [&](const MappedCode& each) { return each.holds(instructions[i]); });
        std::vector<Place> places(1);
        if (code != addresses.code.end()) places = places_at(*code, instructions[i]);
        for (Place& place : places) {
            done = done || calls_the_function(place.function);
            if (done || is_on_the_way(place.function)) continue;
            if (place.function.empty()) place.function = hexadecimal(addresses.frames[i]);
            frames.push_back(std::move(place));
        }
    }
    while (done && !frames.empty() && hands_over(frames.back().source)) frames.pop_back();
    SymbolizedStack stack;
    for (std::size_t i = 0; i < frames.size(); ++i) {
        const Place& place = frames[i];
        std::string line = place.function;
        if (!place.source.empty()) {
            line += " at " + place.source;
        } else if (!place.binary.empty()) {
            line += " in " + file_name(place.binary);
        }
        const bool system = (place.binary.starts_with("/lib/") || place.binary.starts_with("/usr/lib/"));
        if (stack.top.empty() && !system)
            stack.top = plain_name(place.function) + (place.source.empty() ? "" : " at " + place.source);
        stack.text += (i == 0 ? "#" : "\n#") + std::to_string(i) + " " + line;
    }
    return stack;
}

}  // namespace chorus::inline v0::detail::platform

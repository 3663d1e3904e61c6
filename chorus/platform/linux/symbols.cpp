// libdw is loaded when a stack is to be named, and not before: programs that never crash do not pay
// for it at each start, and without the library addresses are still named by the dynamic symbols.
#include <chorus/platform/symbols.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <unordered_map>
#include <vector>

#include <chorus/platform/fork_mutex.hpp>
#include <chorus/platform/modules.hpp>
#include <chorus/platform/os_thread.hpp>

#include <cxxabi.h>
#include <dlfcn.h>
#include <dwarf.h>
#include <elfutils/libdwfl.h>

namespace chorus::platform {
namespace {

template <class Function>
bool load(void* library, const char* name, Function*& function) {
    function = reinterpret_cast<Function*>(::dlsym(library, name));
    return function != nullptr;
}

// The part of libdw that is used, by name.
struct Libdw {
#define CHORUS_LIBDW(Function) decltype(::Function)* Function = nullptr
    CHORUS_LIBDW(dwfl_begin);
    CHORUS_LIBDW(dwfl_end);
    CHORUS_LIBDW(dwfl_linux_proc_maps_report);
    CHORUS_LIBDW(dwfl_report_end);
    CHORUS_LIBDW(dwfl_addrmodule);
    CHORUS_LIBDW(dwfl_module_addrname);
    CHORUS_LIBDW(dwfl_module_addrdie);
    CHORUS_LIBDW(dwfl_module_nextcu);
    CHORUS_LIBDW(dwfl_module_info);
    CHORUS_LIBDW(dwfl_linux_proc_find_elf);
    CHORUS_LIBDW(dwfl_standard_find_debuginfo);
    CHORUS_LIBDW(dwarf_haspc);
    CHORUS_LIBDW(dwarf_getsrc_die);
    CHORUS_LIBDW(dwarf_linesrc);
    CHORUS_LIBDW(dwarf_lineno);
    CHORUS_LIBDW(dwarf_child);
    CHORUS_LIBDW(dwarf_siblingof);
    CHORUS_LIBDW(dwarf_tag);
    CHORUS_LIBDW(dwarf_diename);
    CHORUS_LIBDW(dwarf_attr);
    CHORUS_LIBDW(dwarf_attr_integrate);
    CHORUS_LIBDW(dwarf_formstring);
    CHORUS_LIBDW(dwarf_formudata);
    CHORUS_LIBDW(dwarf_getsrcfiles);
    CHORUS_LIBDW(dwarf_filesrc);
#undef CHORUS_LIBDW
    bool usable = false;

    Libdw() {
        if (is_statically_linked()) return;
        void* library = ::dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr) return;
        usable = true;
#define CHORUS_LOAD(Function) usable = usable && load(library, #Function, Function)
        CHORUS_LOAD(dwfl_begin);
        CHORUS_LOAD(dwfl_end);
        CHORUS_LOAD(dwfl_linux_proc_maps_report);
        CHORUS_LOAD(dwfl_report_end);
        CHORUS_LOAD(dwfl_addrmodule);
        CHORUS_LOAD(dwfl_module_addrname);
        CHORUS_LOAD(dwfl_module_addrdie);
        CHORUS_LOAD(dwfl_module_nextcu);
        CHORUS_LOAD(dwfl_module_info);
        CHORUS_LOAD(dwfl_linux_proc_find_elf);
        CHORUS_LOAD(dwfl_standard_find_debuginfo);
        CHORUS_LOAD(dwarf_haspc);
        CHORUS_LOAD(dwarf_getsrc_die);
        CHORUS_LOAD(dwarf_linesrc);
        CHORUS_LOAD(dwarf_lineno);
        CHORUS_LOAD(dwarf_child);
        CHORUS_LOAD(dwarf_siblingof);
        CHORUS_LOAD(dwarf_tag);
        CHORUS_LOAD(dwarf_diename);
        CHORUS_LOAD(dwarf_attr);
        CHORUS_LOAD(dwarf_attr_integrate);
        CHORUS_LOAD(dwarf_formstring);
        CHORUS_LOAD(dwarf_formudata);
        CHORUS_LOAD(dwarf_getsrcfiles);
        CHORUS_LOAD(dwarf_filesrc);
#undef CHORUS_LOAD
    }
};

const Libdw& libdw() {
    static const auto* const instance = new Libdw;
    return *instance;
}

struct Place {
    std::string function;  ///< readable, or ""
    std::string source;    ///< "file:line", or ""
    std::string binary;    ///< path, or ""
};

// One reading of a process's map; asks libdw about addresses in it.
class Symbols {
public:
    explicit Symbols(const std::string& map) {
        if (!libdw().usable) return;
        callbacks_.find_elf = libdw().dwfl_linux_proc_find_elf;
        callbacks_.find_debuginfo = libdw().dwfl_standard_find_debuginfo;
        callbacks_.debuginfo_path = &debuginfo_path_;
        session_ = libdw().dwfl_begin(&callbacks_);
        if (session_ == nullptr) return;
        std::FILE* file = ::fmemopen(const_cast<char*>(map.data()), map.size(), "r");
        if (file == nullptr) return;
        libdw().dwfl_linux_proc_maps_report(session_, file);
        std::fclose(file);
        libdw().dwfl_report_end(session_, nullptr, nullptr);
    }
    Symbols(const Symbols&) = delete;
    Symbols& operator=(const Symbols&) = delete;
    ~Symbols() {
        if (session_ != nullptr) libdw().dwfl_end(session_);
    }

    /// The function at the address and those it is inlined into, innermost first.
    std::vector<Place> look_up(std::uintptr_t address) const {
        Dwfl_Module* module = session_ != nullptr ? libdw().dwfl_addrmodule(session_, address) : nullptr;
        if (module == nullptr) return {Place{}};
        Place place;
        if (const char* name = libdw().dwfl_module_addrname(module, address)) place.function = readable(name);
        if (const char* path = libdw().dwfl_module_info(module, nullptr, nullptr, nullptr, nullptr, nullptr,
                                                        nullptr, nullptr))
            place.binary = path;
        Dwarf_Addr bias = 0;
        Dwarf_Die* unit = unit_at(module, address, bias);
        if (unit == nullptr) return {place};
        if (Dwarf_Line* line = libdw().dwarf_getsrc_die(unit, address - bias)) {
            int number = 0;
            const char* file = libdw().dwarf_linesrc(line, nullptr, nullptr);
            if (file != nullptr && libdw().dwarf_lineno(line, &number) == 0)
                place.source = std::string(file) + ":" + std::to_string(number);
        }
        return with_inlined(*unit, address - bias, place);
    }

private:
    // clang writes no table of addresses, by which the unit is found at once: then all are asked.
    static Dwarf_Die* unit_at(Dwfl_Module* module, std::uintptr_t address, Dwarf_Addr& bias) {
        if (Dwarf_Die* unit = libdw().dwfl_module_addrdie(module, address, &bias)) return unit;
        Dwarf_Die* unit = nullptr;
        while ((unit = libdw().dwfl_module_nextcu(module, unit, &bias)) != nullptr) {
            if (libdw().dwarf_haspc(unit, address - bias) > 0) break;
        }
        return unit;
    }

    // Inside a function the scopes that hold the address lie one in the other: blocks, and functions that
    // were inlined. Each of these says where it was called, which is the place in the next further out.
    static std::vector<Place> with_inlined(Dwarf_Die& unit, Dwarf_Addr address, const Place& outer) {
        Dwarf_Die scope;
        if (!find_function(unit, address, scope)) return {outer};
        std::vector<Dwarf_Die> inlined;  // outermost first
        while (enter_scope(scope, address)) {
            if (libdw().dwarf_tag(&scope) == DW_TAG_inlined_subroutine) inlined.push_back(scope);
        }
        std::vector<Place> places;
        std::string source = outer.source;
        for (auto each = inlined.rbegin(); each != inlined.rend(); ++each) {
            places.push_back({name_of(*each), source, outer.binary});
            source = call_place(unit, *each);
        }
        places.push_back({outer.function, source, outer.binary});
        return places;
    }

    static bool enter_scope(Dwarf_Die& scope, Dwarf_Addr address) {
        Dwarf_Die child;
        if (libdw().dwarf_child(&scope, &child) != 0) return false;
        do {
            if (libdw().dwarf_haspc(&child, address) > 0) {
                scope = child;
                return true;
            }
        } while (libdw().dwarf_siblingof(&child, &child) == 0);
        return false;
    }

    // g++ puts functions beside their namespaces, clang inside.
    static bool find_function(Dwarf_Die& parent, Dwarf_Addr address, Dwarf_Die& function) {
        Dwarf_Die child;
        if (libdw().dwarf_child(&parent, &child) != 0) return false;
        do {
            switch (libdw().dwarf_tag(&child)) {
                case DW_TAG_subprogram:
                    if (libdw().dwarf_haspc(&child, address) > 0) {
                        function = child;
                        return true;
                    }
                    break;
                case DW_TAG_namespace:
                case DW_TAG_class_type:
                case DW_TAG_structure_type:
                    if (find_function(child, address, function)) return true;
                    break;
                default: break;
            }
        } while (libdw().dwarf_siblingof(&child, &child) == 0);
        return false;
    }

    static std::string name_of(Dwarf_Die& die) {
        Dwarf_Attribute attribute;
        if (libdw().dwarf_attr_integrate(&die, DW_AT_linkage_name, &attribute) != nullptr) {
            if (const char* name = libdw().dwarf_formstring(&attribute)) return readable(name);
        }
        const char* name = libdw().dwarf_diename(&die);
        if (name == nullptr) return "";
        return std::strcmp(name, "operator()") == 0 ? "<lambda>"
                                                    : name;  // one of a named class has a linkage name
    }

    static std::string call_place(Dwarf_Die& unit, Dwarf_Die& die) {
        Dwarf_Attribute attribute;
        Dwarf_Word file = 0;
        Dwarf_Word line = 0;
        Dwarf_Files* files = nullptr;
        if (libdw().dwarf_formudata(libdw().dwarf_attr(&die, DW_AT_call_file, &attribute), &file) != 0)
            return "";
        if (libdw().dwarf_formudata(libdw().dwarf_attr(&die, DW_AT_call_line, &attribute), &line) != 0)
            return "";
        if (libdw().dwarf_getsrcfiles(&unit, &files, nullptr) != 0) return "";
        const char* path = libdw().dwarf_filesrc(files, file, nullptr, nullptr);
        return path != nullptr ? std::string(path) + ":" + std::to_string(line) : "";
    }

    Dwfl_Callbacks callbacks_{};
    char* debuginfo_path_ = nullptr;
    Dwfl* session_ = nullptr;
};

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

// The way of an exception or a signal to who reads the stack.
bool is_on_the_way(const std::string& function) {
    return is_any_of(function, {"chorus_leaving_exception", "_Unwind_", "__cxa_throw", "__cxa_rethrow",
                                "__restore_rt"}) ||
           function.starts_with("chorus::platform::(anonymous namespace)::");
}

// Where Chorus calls the user's function: outside of it lies only our own start. What is inlined there
// is already a frame of its own.
bool calls_the_function(const std::string& function) {
    return is_any_of(function, {"chorus::message::invoke_function<", "chorus::message::call_with<",
                                "chorus::message::call_and_write<", "chorus::message::enter<",
                                "chorus::message::BoundFunction<", "chorus::message::TypedCall<",
                                "chorus::platform::watch_exceptions"});
}

// Inlined between that and the user's function.
bool hands_over(const std::string& source) {
    return is_any_of(source, {"/chorus/message/callable.hpp:", "/chorus/message/invocable.hpp:",
                              "/bits/invoke.h:", "/functional:", "/tuple:"});
}

}  // namespace

std::string readable(const char* mangled) {
    if (mangled == nullptr) return "";
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> text(
        abi::__cxa_demangle(mangled, nullptr, nullptr, &status), &std::free);
    return status == 0 && text ? text.get() : mangled;
}

const char* current_exception_type() {
    const std::type_info* type = abi::__cxa_current_exception_type();
    return type != nullptr ? type->name() : "unknown";
}

std::string memory_map() {
    std::ifstream file("/proc/self/maps");
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

// The signature is looked at from its end: the last name before the last parameter list is the function's.
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
    const NotHalted whole;  // loading libdw takes the dynamic loader's lock
    static auto* const mutex = new ForkMutex;
    static auto* const known = new std::unordered_map<const void*, std::string>;
    const std::lock_guard guard(*mutex);
    const auto found = known->find(code);
    if (found != known->end()) return found->second;
    std::string name;
    Dl_info info{};
    if (::dladdr(code, &info) != 0 && info.dli_sname != nullptr && info.dli_saddr == code) {
        name = readable(info.dli_sname);
    } else {
        name = Symbols(memory_map()).look_up(reinterpret_cast<std::uintptr_t>(code)).back().function;
    }
    return known->emplace(code, plain_name(name)).first->second;
}

SymbolizedStack symbolize(std::span<const std::uintptr_t> addresses, const std::string& map,
                          bool first_is_exact) {
    const NotHalted whole;
    const Symbols symbols(map);
    std::vector<Place> frames;
    std::map<std::uintptr_t, std::vector<Place>> known;  // a recursion passes the same place many times
    bool done = false;
    for (std::size_t i = 0; i < addresses.size() && !done; ++i) {
        const std::uintptr_t address = i == 0 && first_is_exact ? addresses[i] : addresses[i] - 1;
        auto found = known.find(address);
        if (found == known.end()) found = known.emplace(address, symbols.look_up(address)).first;
        for (Place place : found->second) {
            done = done || calls_the_function(place.function);
            if (done || is_on_the_way(place.function)) continue;
            if (place.function.empty()) place.function = hexadecimal(addresses[i]);
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

}  // namespace chorus::platform

// Names for code: of a function, of a type, of the frames of a stack.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "platform/modules.hpp"

namespace chorus::inline v0::detail::platform {

/// A mangled type or function name in readable form.
std::string readable(const char* mangled);

/// The mangled name of the type of the exception being handled.
const char* current_exception_type();

/// "work" for "int room::work<3>(int)"; "<lambda>" for a lambda's call.
std::string plain_name(const std::string& readable_name);

/// The plain name of the function at this address ("work", without namespace or parameters), or "".
/// The first look-up of a function reads its binary's symbol table; later ones are remembered.
std::string function_name(const void* code);

/// A stack as addresses: a process records it at little cost, and another process can name it later.
struct AddressStack {
    std::vector<std::uintptr_t> frames;  ///< innermost first
    bool first_is_exact = false;         ///< an instruction that faulted; the others are return addresses
    std::vector<MappedCode> code;        ///< what they lie in

    /// The addresses of the instructions themselves.
    std::vector<std::uintptr_t> instructions() const;
};
/// That of the last throw that left a watched body in this thread: see crash.hpp.
AddressStack stack_of_last_throw();

/// One line a frame, innermost first, inlined functions too: `#0 parse(int) at parse.cpp:12`. Frames of
/// Chorus's own outside the user's function are left out.
struct SymbolizedStack {
    std::string text;
    std::string top;  ///< "parse at parse.cpp:12": the first frame of the user's own code
};
SymbolizedStack symbolize(const AddressStack& stack);

}  // namespace chorus::inline v0::detail::platform

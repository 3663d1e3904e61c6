// Names for code: of a function, of a type, of the frames of a stack.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace chorus::platform {

/// A mangled type or function name in readable form.
std::string readable(const char* mangled);

/// The mangled name of the type of the exception being handled.
const char* current_exception_type();

/// "work" for "int room::work<3>(int)"; "<lambda>" for a lambda's call.
std::string plain_name(const std::string& readable_name);

/// The plain name of the function at this address ("work", without namespace or parameters), or "".
/// The first look-up of a function reads its binary's symbol table; later ones are remembered.
std::string function_name(const void* code);

/// One line a frame, innermost first, inlined functions too: `#0 parse(int) at parse.cpp:12`. Frames of
/// Chorus's own outside the user's function are left out. The map (the text of /proc/PID/maps) says
/// where the binaries lay in the process that the addresses come from. `first_is_exact`: the first is
/// an instruction that faulted, like the others it is a return address otherwise.
struct SymbolizedStack {
    std::string text;
    std::string top;  ///< "parse at parse.cpp:12": the first frame of the user's own code
};
SymbolizedStack symbolize(std::span<const std::uintptr_t> addresses, const std::string& map,
                          bool first_is_exact);

/// The map of this process.
std::string memory_map();

}  // namespace chorus::platform

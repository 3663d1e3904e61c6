// How a function is named so that another process finds it: by the build id of the binary that holds
// it and the function's offset there. The same binary lies elsewhere in another process, but the
// function lies at the same place in the binary; another build is refused.
#pragma once

#include <chorus/detail/contract.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include <chorus/detail/message/bytes.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::message {

/// A shared library that the program has loaded while it runs, such as a plug-in.
struct LoadedLibrary {
    std::string path;
    bool is_global = false;  ///< loaded with RTLD_GLOBAL
};

/// Layout of a written identity: build id (text), path (text), offset (8 bytes); the highest bit of the
/// offset says that libraries follow: their number (4 bytes), and of each its path (text) and a byte.
struct FunctionIdentity {
    std::string build_id;  ///< hexadecimal
    std::string path;      ///< of the binary
    std::uint64_t offset = 0;
    /// To be loaded in this order, as they were loaded where the function was named, if it is in a library
    /// that came while the program ran. Its own comes last, before it those whose names it may need.
    std::vector<LoadedLibrary> libraries{};

    void write(Writer& out) const;
    static FunctionIdentity read(Reader& in);
};

/// A null pointer's identity is empty. Throws: UsageError if the code lies in no binary, or in one without a
/// build id.
FunctionIdentity identify_function(const void* code);

/// The function in this process. A shared library that is not loaded here is loaded as it was loaded there.
/// Throws: BinaryMismatch, naming both build ids, if this process has another build of the binary; or why it
/// cannot be loaded.
void* find_function(const FunctionIdentity& identity);

/// Both with the bytes in between. For functions of the program itself, which nearly all are, nothing is
/// allocated or searched: this is on the way of every start, and in a child each page touched is dear.
void write_function(Writer& out, const void* code);
void* read_function(Reader& in);

}  // namespace chorus::inline v0::detail::message

#pragma GCC visibility pop

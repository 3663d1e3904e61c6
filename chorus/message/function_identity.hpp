// How a function is named so that another process finds it: by the build id of the binary that holds
// it and the function's offset there. The same binary lies elsewhere in another process, but the
// function lies at the same place in the binary; another build is refused.
//
// Threads: any.
// Death: a value; nothing is held.
#pragma once

#include <cstdint>
#include <string>

#include <chorus/message/bytes.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::message {

/// Layout of a written identity: build id (text), path (text), offset (8 bytes).
struct FunctionIdentity {
    std::string build_id;  ///< hexadecimal
    std::string path;      ///< of the binary, for the error message and for loading a plug-in
    std::uint64_t offset = 0;

    void write(Writer& out) const;
    static FunctionIdentity read(Reader& in);
};

/// A null pointer's identity is empty. Throws: UsageError if the code lies in no binary, or in one without a
/// build id.
FunctionIdentity identify_function(const void* code);

/// The function in this process. A shared library that is not loaded here is loaded from its path.
/// Throws: BinaryMismatch, naming both build ids, if this process has another build of the binary.
void* find_function(const FunctionIdentity& identity);

/// Both with the bytes in between. For functions of the program itself, which nearly all are, nothing is
/// allocated or searched: this is on the way of every start, and in a child each page touched is dear.
void write_function(Writer& out, const void* code);
void* read_function(Reader& in);

}  // namespace chorus::message

#pragma GCC visibility pop

// print: whole lines from any number of processes and threads.
//
//     chorus::print("a is", a, "after", 3, "s");
//
// Semantics: Python's print: any streamable values, separated by spaces, with a newline at the end. Each line
// is written to standard output in one piece; the lines of one worker keep their order, also relative to what
// it wrote through std::cout or printf before.
//
// Thread safety: any thread of any process of the program may call it.
// Crash safety: a process killed inside print() may leave the beginning of its line; the next line starts on
// a
//        new one.
#pragma once

#include <chorus/version.hpp>

#include <optional>
#include <ostream>
#include <sstream>
#include <string>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

namespace detail::worker {

/// Writes the text to standard output as one piece. Throws: OsError when it cannot be written (full
/// disk, reader gone). A closed standard output swallows it.
void print_whole(const std::string& text);

template <class T>
void put(std::ostream& out, const T& value) {
    out << value;
}
template <class T>
void put(std::ostream& out, const std::optional<T>& value) {
    if (value) {
        put(out, *value);
    } else {
        out << "None";
    }
}

}  // namespace detail::worker

/// Prints the values on one line. Throws: OsError if standard output cannot be written.
template <class... Values>
void print(const Values&... values) {
    std::ostringstream line;
    line << std::boolalpha;
    bool first = true;
    ((line << (first ? "" : " "), first = false, detail::worker::put(line, values)), ...);
    line << '\n';
    detail::worker::print_whole(line.str());
}

}  // namespace chorus::inline v0

#pragma GCC visibility pop

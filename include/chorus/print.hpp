// print: whole lines, from any number of processes and threads.
//
//     chorus::print("a is", a, "after", 3, "s");
//
// As Python's print: any streamable values, a space between, a newline at the end. Each line goes to
// standard output in one piece; the lines of one worker keep their order, also behind what it wrote
// through std::cout or printf before.
//
// Threads: any, and any process of the program at once.
// Death: a process killed inside print may leave the beginning of its line; the next line by whoever
//        prints starts on a fresh one.
#pragma once

#include <optional>
#include <ostream>
#include <sstream>
#include <string>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

namespace worker {

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

}  // namespace worker

/// Prints the values on one line. Throws: OsError when standard output refuses them.
template <class... Values>
void print(const Values&... values) {
    std::ostringstream line;
    line << std::boolalpha;
    bool first = true;
    ((line << (first ? "" : " "), first = false, worker::put(line, values)), ...);
    line << '\n';
    worker::print_whole(line.str());
}

}  // namespace chorus

#pragma GCC visibility pop

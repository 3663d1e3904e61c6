"""Compiles a program and looks at what the compiler says.

A program says in comments what is expected of it:
    // error: WORD         the one error line contains this (repeated: each of them)
    // error g++: WORD     the same, of one compiler only (g++ or clang++)
    // compiles            no error and no warning

Usage: check_compile.py COMPILER DIR SOURCE [FLAG…]
       check_compile.py COMPILER DIR --header [FLAG…]

The second form compiles <chorus/chorus.hpp> beforehand into DIR, which makes the wrong programs four
times as fast; right ones never use it, so that they show what a user's compiler sees.
"""

import os
import re
import subprocess
import sys

WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wsign-conversion"]


def is_clang(compiler):
    return "clang" in os.path.basename(compiler)


def header_in(directory, compiler):
    """Where the compiled header lies. g++ looks for it by itself in the first include directory."""
    return os.path.join(directory, "chorus.pch" if is_clang(compiler) else "chorus/chorus.hpp.gch")


def compile_header(compiler, directory, flags):
    source = os.path.join(directory, "all.hpp")
    result = header_in(directory, compiler)
    os.makedirs(os.path.dirname(result), exist_ok=True)
    with open(source, "w", encoding="utf-8") as file:
        file.write("#include <chorus/chorus.hpp>\n")
    if os.path.exists(result):
        os.remove(result)  # g++ would read it
    subprocess.run([compiler, "-std=c++20", *WARNINGS, *flags, "-x", "c++-header", source, "-o", result], check=True)


def using_header(compiler, directory):
    header = header_in(directory, compiler)
    if not os.path.exists(header):
        return []
    return ["-include-pch", header] if is_clang(compiler) else ["-I" + directory]


def expectations(source, compiler):
    kind = "clang++" if is_clang(compiler) else "g++"
    words = []
    compiles = False
    with open(source, encoding="utf-8") as file:
        for line in file:
            if line.strip() == "// compiles":
                compiles = True
            found = re.match(r"// error(?: (\S+))?: (.*)", line)
            if found and found.group(1) in (None, kind):
                words.append(found.group(2).strip())
    return compiles, words


def main():
    compiler, directory, source, *flags = sys.argv[1:]
    if source == "--header":
        compile_header(compiler, directory, flags)
        return
    compiles, words = expectations(source, compiler)
    if compiles == bool(words):
        sys.exit(f"{source}: say what is expected: `// compiles` or `// error: WORD`")
    header = [] if compiles else using_header(compiler, directory)
    command = [compiler, "-std=c++20", "-fsyntax-only", *WARNINGS, *header, *flags, source]
    result = subprocess.run(command, capture_output=True, text=True)
    said = result.stderr
    errors = [line for line in said.splitlines() if re.search(r"\berror: ", line)]
    problems = []
    if compiles:
        if result.returncode != 0 or said:
            problems.append("expected to compile without a word")
    else:
        if result.returncode == 0:
            problems.append("expected not to compile")
        if len(errors) != 1:
            problems.append(f"expected one error line, got {len(errors)}")
        for word in words:
            if not any(word in line for line in errors):
                problems.append(f"no error line contains: {word}")
    if problems:
        print("\n".join(problems))
        print("the command: " + " ".join(command))
        print("the error lines:\n" + "\n".join(errors))
        print("all it said:\n" + said)
        sys.exit(1)
    print("\n".join(errors))


if __name__ == "__main__":
    main()

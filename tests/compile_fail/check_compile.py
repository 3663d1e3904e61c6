"""Compiles programs and looks at what the compiler says of each.

A program says in comments what is expected of it:
    // error: WORD         the one error line contains this (repeated: each of them)
    // error g++: WORD     the same, of one compiler only (g++ or clang++)
    // compiles            no error and no warning

Usage: check_compile.py COMPILER DIR SOURCE… [-- FLAG…]
       check_compile.py COMPILER DIR --header [-- FLAG…]

A compiler takes longer for the headers than for a program. All wrong programs are therefore compiled as
one, each in a namespace of its own, and so are the right ones that include all of Chorus. A program whose
messages are not as expected then is compiled alone, which decides.

The second form compiles <chorus/chorus.hpp> beforehand into DIR. Wrong programs use that; right ones never
do, so that they show what a user's compiler sees.
"""

import os
import re
import subprocess
import sys

WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wsign-conversion"]
ALL_OF_CHORUS = "#include <chorus/chorus.hpp>"


def is_clang(compiler):
    return "clang" in os.path.basename(compiler)


def header_in(directory, compiler):
    """Where the compiled header lies. g++ looks for it by itself beside what is included."""
    return os.path.join(directory, "all.hpp.pch" if is_clang(compiler) else "all.hpp.gch")


def compile_header(compiler, directory, flags):
    source = os.path.join(directory, "all.hpp")
    result = header_in(directory, compiler)
    os.makedirs(directory, exist_ok=True)
    with open(source, "w", encoding="utf-8") as file:
        file.write(ALL_OF_CHORUS + "\n")
    if os.path.exists(result):
        os.remove(result)  # g++ would read it
    command = [compiler, "-std=c++20", *WARNINGS, *flags, "-x", "c++-header", source, "-o", result]
    subprocess.run(command, check=True)


def using_header(compiler, directory):
    header = header_in(directory, compiler)
    if not os.path.exists(header):
        return []
    if is_clang(compiler):
        return ["-include-pch", header]
    return ["-include", os.path.join(directory, "all.hpp")]


def error_lines(text):
    return [line for line in text.splitlines() if re.search(r"\berror: ", line)]


class Program:
    def __init__(self, source, compiler):
        self.source = source
        self.compiles, self.words = False, []
        kind = "clang++" if is_clang(compiler) else "g++"
        with open(source, encoding="utf-8") as file:
            self.text = file.read()
        for line in self.text.splitlines():
            if line.strip() == "// compiles":
                self.compiles = True
            found = re.match(r"// error(?: (\S+))?: (.*)", line)
            if found and found.group(1) in (None, kind):
                self.words.append(found.group(2).strip())
        if self.compiles == bool(self.words):
            sys.exit(f"{source}: say what is expected: `// compiles` or `// error: WORD`")

    def includes(self):
        return re.findall(r"^#include .*$", self.text, re.MULTILINE)

    def problems(self, succeeded, said):
        """What is not as expected; said: all that the compiler said of this program."""
        errors = error_lines(said)
        if self.compiles:
            return [] if succeeded and not said else ["expected to compile without a word"]
        problems = ["expected not to compile"] if succeeded else []
        if len(errors) != 1:
            problems.append(f"expected one error line, got {len(errors)}")
        missing = [word for word in self.words if not any(word in line for line in errors)]
        return problems + [f"no error line contains: {word}" for word in missing]


def unmatched(programs, errors):
    """The programs that none of these errors, which name no program, certainly belongs to.

    An error belongs to a program if it contains the words of that program only.
    """
    def of_program(each):
        return [error for error in errors if all(word in error for word in each.words)]

    for_each = {each.source: of_program(each) for each in programs}
    wanted = {error: sum(error in those for those in for_each.values()) for error in errors}
    if not all(wanted.values()):
        return programs  # a second error of one of the programs

    def is_matched(found):
        return len(found) == 1 and wanted[found[0]] == 1 and errors.count(found[0]) == 1

    return [each for each in programs if not is_matched(for_each[each.source])]


class Compiler:
    def __init__(self, name, directory, flags):
        self.name, self.directory = name, directory
        all_errors = ["-ferror-limit=0"] if is_clang(name) else []
        self.command = [name, "-std=c++20", "-fsyntax-only", *all_errors, *WARNINGS]
        self.flags = flags

    def compile(self, source, compiles, *options):
        header = [] if compiles else using_header(self.name, self.directory)
        command = [*self.command, *header, *self.flags, *options, source]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        return command, result.returncode == 0, result.stderr

    def of_each(self, said, sources):
        """What was said of all, apart: for each program, and the error lines of no program.

        A message names its program before the line with the error (g++) or after it (clang).
        """
        apart, about, of_none = {source: "" for source in sources}, [], []
        first_line = r"\berror: " if is_clang(self.name) else r"^(In file included from|\S+: In )|\berror: "
        begins = re.compile(first_line)

        def close():
            named = [source for source in sources if any(source in line for line in about)]
            for source in named:
                apart[source] += "\n".join(about) + "\n"
            if not named:
                of_none.extend(error_lines("\n".join(about)))

        for line in said.splitlines():
            if begins.search(line) and error_lines("\n".join(about)):
                close()
                about = []
            about.append(line)
        close()
        return apart, of_none

    def together(self, programs, compiles):
        """Compiles these programs as one. Returns those whose messages are not as expected."""
        kind = "right" if compiles else "wrong"
        combined = os.path.join(self.directory, f"{kind}_together.cpp")
        os.makedirs(self.directory, exist_ok=True)
        with open(combined, "w", encoding="utf-8") as file:
            includes = {line for each in programs for line in each.includes()}
            file.write("\n".join(sorted(includes)) + "\n")
            for number, each in enumerate(programs):
                file.write(f'namespace program_{number} {{\n#include "{each.source}"\n}}\n')
        # In a namespace, main is a function that has to return something.
        options = ["-Wno-return-type"] if compiles else ["-w", "-ftemplate-backtrace-limit=0"]
        _, succeeded, said = self.compile(combined, compiles, *options)
        said = re.sub(r"\bprogram_\d+::", "", said)
        if compiles:
            return [] if succeeded and not said else programs
        apart, of_none = self.of_each(said, [each.source for each in programs])
        left = [each for each in programs if each.problems(succeeded, apart[each.source])]
        silent = [each for each in left if not error_lines(apart[each.source])]
        return [each for each in left if each not in silent] + unmatched(silent, of_none)


def main():
    separator = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    name, directory, *sources = sys.argv[1:separator]
    flags = sys.argv[separator + 1:]
    if sources == ["--header"]:
        compile_header(name, directory, flags)
        return
    compiler = Compiler(name, directory, flags)
    programs = [Program(source, name) for source in sources]
    wrong = [each for each in programs if not each.compiles]
    right = [each for each in programs if each.compiles]
    whole = [each for each in right if ALL_OF_CHORUS in each.includes()]
    alone = [each for each in right if each not in whole]
    for group, compiles in ((wrong, False), (whole, True)):
        alone += compiler.together(group, compiles) if len(group) > 1 else group
    failed = 0
    for each in alone:
        command, succeeded, said = compiler.compile(each.source, each.compiles)
        problems = each.problems(succeeded, said)
        if problems:
            failed += 1
            print(f"{each.source}:\n" + "\n".join(problems))
            print("the command: " + " ".join(command))
            print("the error lines:\n" + "\n".join(error_lines(said)))
            print("all it said:\n" + said)
    names = " ".join(os.path.basename(each.source) for each in alone)
    print(f"{len(programs)} programs, {failed} not as expected; compiled alone: {names}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

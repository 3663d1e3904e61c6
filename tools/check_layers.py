#!/usr/bin/env python3
"""Checks that includes point down only, that the operating system stays in its room, and that public headers are shown.

    tools/check_layers.py [ROOT]

Reads include/ and src/ below ROOT (this repository by default), what uses them from outside, and the lists of
headers and sources in its CMakeLists.txt. Prints one line for each thing that is wrong, with what to do instead; exit status 1 if
there is any. docs/architecture.md says what the rooms are for.
"""

import re
import sys
from pathlib import Path

# From the ground up. A file may include its own room, lower ones, and the doorstep.
ROOMS = ["platform", "trace", "message", "memory", "sync", "channel", "worker", "pool"]
# include/chorus/NAME.hpp, the contract: which room each header belongs to.
CONTRACT = {
    "message": ["file_descriptor", "keyword", "serialize"],
    "memory": ["shareable_list", "shared_memory"],
    "sync": ["barrier", "condition", "event", "lock", "semaphore", "stop_token", "value"],
    "channel": ["pipe", "queue", "thread_queue", "wait"],
    "worker": ["future", "print", "process", "run", "thread"],
    "pool": ["context", "pool", "progress", "task_group"],
}
ROOM_OF_CONTRACT = {f"include/chorus/{name}.hpp": room for room, names in CONTRACT.items() for name in names}
DOORSTEP = {"include/chorus/errors.hpp", "include/chorus/deadline.hpp", "include/chorus/version.hpp", "include/chorus/detail/requirements.hpp",
            "include/chorus/detail/contract.hpp", "include/chorus/detail/handle.hpp", "include/chorus/detail/pull_iterator.hpp", "include/chorus/detail/sharing.hpp"}
UMBRELLAS = {"include/chorus/chorus.hpp", "include/chorus/threading.hpp", "include/chorus/multiprocessing.hpp"}

# They use Chorus as any user does. Tests may look inside.
USERS = ["command", "examples", "bench", "tools"]
# It reads the memory of programs that run: it has to know how that is laid out.
MAY_LOOK_INSIDE = {"command/top/program.cpp"}

# cereal shows in the public API: it is how users tell what travels.
OPEN_TO_PUBLIC_HEADERS = ("cereal/",)
# The standard library's own extensions are no part of an operating system.
OPEN_TO_PRIVATE_FILES = OPEN_TO_PUBLIC_HEADERS + ("ext/",)

# The C library's headers that C++ standardises, which say nothing about a system.
STANDARD_C_HEADERS = {"assert.h", "ctype.h", "float.h", "inttypes.h", "limits.h", "math.h", "stdalign.h", "stdarg.h", "stddef.h",
                      "stdint.h", "stdio.h", "stdlib.h", "string.h", "time.h", "uchar.h", "wchar.h"}
# Standard by name, but errno is how a system reports, so it stays with the system.
SYSTEM_STATE_HEADERS = {"cerrno", "errno.h"}
MAY_NAME_ERRNO = {"src/platform/syscall.hpp"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# What is declared between the two is shown by the shared library (docs/decisions.md, 16).
SHOWN = re.compile(r"^#pragma GCC visibility push\(default\).*^namespace .*^#pragma GCC visibility pop\s*\Z", re.DOTALL | re.MULTILINE)

# A lower room that asks for a higher one's name at run time depends on it all the same.
STRING = re.compile(r'"((?:\\.|[^"\\\n])*)"')
ROOM_IN_STRING = re.compile(r"chorus::(?:v0::)?detail::(\w+)|^(\w+)::")
# Asks which frames of a stack are the library's own, of whatever room.
MAY_NAME_ROOMS = {"src/platform/linux/symbols.cpp"}

# Idioms that read like a translation, and what to write instead.
BANNED = [
    (re.compile(r"\bfor ever\b"), 'write "indefinitely" or "without a limit"'),
    (re.compile(r"\b(?:whoever|somebody|nobody|anybody)\b", re.IGNORECASE), "name the thing: the caller, the owner, a worker process, no process"),
    (re.compile(r"\b[Ww]ho (?:has|is|was|holds|waits|asks|gets|takes|dies|wants|comes|knows)\b"), "name the thing: the caller, the owner, a waiter"),
    (re.compile(r"\bon (?:its|their) way\b"), 'write "in flight"'),
    (re.compile(r"^ *// *(?:Threads|Death):"), 'write "Thread safety:" or "Crash safety:"'),
]
COMMENT = re.compile(r"//[^\n]*")

COMMENT_OR_STRING = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])'""", re.DOTALL)


def code_only(text):
    """The text without comments and strings; lines keep their numbers."""
    return COMMENT_OR_STRING.sub(lambda found: "\n" * found.group().count("\n"), text)


def room_of(path):
    """The room of a file, or None on the doorstep and for umbrellas."""
    parts = path.split("/")
    if path.startswith("include/chorus/detail/"):
        return parts[3] if len(parts) > 4 else None
    if path.startswith("src/"):
        return parts[1] if len(parts) > 2 else None
    return ROOM_OF_CONTRACT.get(path)


def is_public(path):
    return path.startswith("include/")


def is_contract(path):
    return re.fullmatch(r"include/chorus/\w+\.hpp", path) is not None


def is_system_folder(path):
    """src/platform/<system>/…: the only files that know the operating system."""
    return path.startswith("src/platform/") and path.count("/") > 2


def is_std(header):
    """A header of the C++ standard library: no folder and no ending, or one of C's."""
    return "/" not in header and ("." not in header or header in STANDARD_C_HEADERS)


class Check:
    def __init__(self, root):
        self.root = root
        self.problems = []
        build = (root / "CMakeLists.txt").read_text()
        self.listed = set(re.findall(r"include/[\w/]+\.hpp", build))
        self.compiled = set(re.findall(r"src/[\w/]+\.cpp", build))
        self.files = sorted(str(path.relative_to(root)) for folder in ("include", "src") for path in (root / folder).rglob("*") if path.suffix in (".hpp", ".cpp"))
        self.included = set()

    def report(self, path, line, problem):
        self.problems.append(f"{path}:{line}: {problem}" if line else f"{path}: {problem}")

    def run(self):
        for path in self.files:
            self.check_file(path)
        for folder in USERS:
            for file in sorted((self.root / folder).rglob("*.?pp")):
                name = str(file.relative_to(self.root))
                if name not in MAY_LOOK_INSIDE:
                    self.check_user(name)
        self.check_all_used()
        return self.problems

    def includes(self, path):
        for number, line in enumerate((self.root / path).read_text().splitlines(), 1):
            found = INCLUDE.match(line)
            if found:
                yield number, found.group(1), found.group(2)

    def check_user(self, path):
        for number, _, header in self.includes(path):
            if header.startswith("chorus/") and not is_contract(f"include/{header}"):
                self.report(path, number, f"{header} is no part of the contract; write it as a user of Chorus would, with <chorus/NAME.hpp>")
            elif header.split("/")[0] in ROOMS and (self.root / "src" / header).is_file():
                self.report(path, number, f"{header} is private; write it as a user of Chorus would, with <chorus/NAME.hpp>")

    def check_shown(self, path):
        text = code_only((self.root / path).read_text())
        declares = path not in UMBRELLAS and re.search(r"^namespace ", text, re.MULTILINE)
        if is_public(path) and declares and not SHOWN.search(text):
            self.report(path, 0, "the shared library would hide what is declared here; put it between "
                                 "#pragma GCC visibility push(default) and, as the last line, #pragma GCC visibility pop")
        if not is_public(path) and "#pragma GCC visibility" in text:
            self.report(path, 0, "the file is private, and would be shown by the shared library; take the pragma away")

    def check_words(self, path):
        for number, line in enumerate((self.root / path).read_text().splitlines(), 1):
            comment = COMMENT.search(line)
            for idiom, instead in BANNED:
                found = comment and idiom.search(comment.group())
                if found:
                    self.report(path, number, f'"{found.group().strip(" /")}": {instead}')

    def check_names_of_rooms(self, path):
        room = room_of(path)
        if room not in ROOMS or path in MAY_NAME_ROOMS:
            return
        for number, line in enumerate((self.root / path).read_text().splitlines(), 1):
            for text in STRING.findall(COMMENT.sub("", line)):
                named = ROOM_IN_STRING.search(text)
                other = named and (named.group(1) or named.group(2))
                if other in ROOMS and ROOMS.index(other) > ROOMS.index(room):
                    self.report(path, number, f'{room}/ names {other}/ above it in a string; let {other}/ say what it wants by an argument')

    def check_guard(self, path):
        """A header of the contract says so before it includes what refuses to be included otherwise."""
        if path in DOORSTEP and path.endswith(("version.hpp", "requirements.hpp", "contract.hpp")):
            return
        wanted = "chorus/version.hpp" if is_contract(path) else "chorus/detail/contract.hpp"
        first = next(self.includes(path), (0, "", ""))
        if is_public(path) and first[2] != wanted:
            self.report(path, first[0], f"the first include is not <{wanted}>, by which programs are kept to the contract")

    def check_file(self, path):
        self.check_shown(path)
        self.check_guard(path)
        self.check_words(path)
        self.check_names_of_rooms(path)
        for number, mark, header in self.includes(path):
            self.check_include(path, number, mark, header)
        if is_system_folder(path) or path in MAY_NAME_ERRNO:
            return
        for number, line in enumerate(code_only((self.root / path).read_text()).splitlines(), 1):
            if re.search(r"\berrno\b", line):
                self.report(path, number, "errno is read outside platform/<system>/; let a function of platform/ return or throw what it means")

    def check_include(self, path, number, mark, header):
        if header.startswith("chorus/"):
            if mark == '"':
                self.report(path, number, f'write <{header}>: users and we find it by the same line')
            self.check_own(path, number, f"include/{header}", header)
        elif mark == '"':
            self.check_own(path, number, f"src/{header}", header)
        elif "/" in header and header.split("/")[0] in ROOMS:
            self.report(path, number, f'write "{header}": what is private is not found as users find headers')
        else:
            self.check_foreign(path, number, header)

    def check_own(self, path, number, file, header):
        self.included.add(file)
        if not (self.root / file).is_file():
            self.report(path, number, f"{header} does not exist; a private header is written by its full name, \"ROOM/…\"")
        elif file in UMBRELLAS:
            if path not in UMBRELLAS:
                self.report(path, number, f"{header} is for users; include the header of what is used here")
            return
        elif path not in UMBRELLAS:
            self.check_direction(path, number, file, header)
        if is_public(path) and not is_public(file):
            self.report(path, number, f"a public header includes {header}, which is not installed; forward-declare, and include it in the .cpp")

    def check_direction(self, path, number, file, header):
        room, other = room_of(path), room_of(file)
        if other is None:
            return
        if room is None:
            if path in DOORSTEP:
                self.report(path, number, f"the doorstep includes {header}; it may include only the doorstep")
            else:
                self.report(path, number, f"the file belongs to no room but includes {header}; name it in CONTRACT of {Path(__file__).name}, or move it")
        elif other in ROOMS and room in ROOMS and ROOMS.index(other) > ROOMS.index(room):
            self.report(path, number, f"{room}/ includes {header} from {other}/ above it; move what is needed down to {room}/, "
                                      f"or this use up to {other}/")

    def check_foreign(self, path, number, header):
        if is_public(path) and not is_std(header) and not header.startswith(OPEN_TO_PUBLIC_HEADERS):
            self.report(path, number, f"a public header includes <{header}>; only std and cereal show in the API: hide it in the .cpp")
        elif header in SYSTEM_STATE_HEADERS:
            if not is_system_folder(path) and path not in MAY_NAME_ERRNO:
                self.report(path, number, f"<{header}> outside platform/<system>/; let a function of platform/ return or throw what it means")
        elif not is_system_folder(path) and not is_std(header) and not header.startswith(OPEN_TO_PRIVATE_FILES):
            self.report(path, number, f"<{header}> is known only in platform/<system>/; put the call there, behind a header of platform/")

    def check_all_used(self):
        for path in self.files:
            room = room_of(path)
            if room is not None and room not in ROOMS:
                self.report(path, 0, f"{room}/ is no room; there are {', '.join(ROOMS)} (a new one is named in {Path(__file__).name})")
            if path.endswith(".cpp"):
                if path not in self.compiled:
                    self.report(path, 0, "it is not compiled; name it in CMakeLists.txt or delete it")
            else:
                if path not in self.included and path not in UMBRELLAS:
                    self.report(path, 0, "it is not included; delete it, or include it where it is meant to be used")
                if is_public(path) and path not in self.listed:
                    self.report(path, 0, "it is not installed; name it in CMakeLists.txt, or move it to src/")
        for path in sorted((self.listed | self.compiled) - set(self.files)):
            self.report("CMakeLists.txt", 0, f"it names {path}, which does not exist")


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    check = Check(root)
    problems = check.run()
    for problem in problems:
        print(problem)
    if not problems:
        print(f"{len(check.files)} files: all includes point down")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

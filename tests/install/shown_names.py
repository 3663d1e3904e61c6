#!/usr/bin/env python3
"""What a shared library shows is what the public headers declare: shown_names.py LIBRARY SOURCE BUILD

Shown is only what belongs to Chorus, is named in a public header, and is not of platform/. Shown is all that
the object files of Chorus's users below BUILD ask for, and the type of each exception.
"""

import re
import subprocess
import sys
from pathlib import Path

# They use Chorus with public headers only; tools/check_layers.py sees to that.
USERS = ["bench", "command", "examples"]
# What the linker's script lets through besides names: what the compiler makes of them.
MADE_OF_NAMES = re.compile(r"(typeinfo|typeinfo name|vtable|VTT|guard variable|TLS init function|TLS wrapper function|.*thunk) (for|to) ")
# The program's entry is part of the program, and calls two private functions.
ENTRY = "src/worker/program_entry.cpp"


def names(options, *files):
    """The names that nm tells of, as a user of C++ reads them."""
    done = subprocess.run(["nm", "--demangle", "--format=posix", *options, *files], check=True, capture_output=True, text=True)
    return {found.group(1) for found in re.finditer(r"^(.+?) [A-Za-z](?: [0-9a-f]+)*\s*$", done.stdout, re.MULTILINE)}


def own_words(name):
    """The words of a name up to its arguments: chorus, v0, BasicLock, acquire."""
    return re.findall(r"\w+", re.split(r"[(<\[]", MADE_OF_NAMES.sub("", name))[0])


def main():
    library, source, build = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    public = sorted(str(path.relative_to(source)) for path in (source / "include").rglob("*.hpp"))
    texts = {path: re.sub(r"//[^\n]*", "", (source / path).read_text()) for path in [*public, ENTRY]}
    public_words = set(re.findall(r"\w+", " ".join(texts.values())))
    exceptions = re.findall(r"^class (\w+)[^;\n]*{", texts["include/chorus/errors.hpp"], re.MULTILINE)
    users = [str(file) for folder in USERS for file in (build / folder).rglob("*.o")]
    if len(exceptions) < 10 or len(users) < 10:
        raise SystemExit(f"only {len(exceptions)} exceptions and {len(users)} object files of users are found")

    shown = names(["--dynamic", "--defined-only"], library)
    wrong = []
    for name in sorted(shown):
        words = own_words(name)
        if words[:2] != ["chorus", "v0"] or words[2:4] == ["detail", "platform"] or not set(words) <= public_words:
            wrong.append(f"shown, but in no public header: {name}")
    asked_for = {name for name in names(["--undefined-only"], *users) if name.startswith("chorus::")}
    defined_by_users = names(["--defined-only"], *users)
    wrong += [f"asked for by a program, but not shown: {name}" for name in sorted(asked_for - defined_by_users - shown)]
    wrong += [f"an exception's type is not shown: {name}" for name in exceptions if f"typeinfo for chorus::v0::{name}" not in shown]
    print(f"{len(shown)} names are shown; {len(asked_for)} are asked for by {len(users)} object files", *wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

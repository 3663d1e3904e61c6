#!/usr/bin/env python3
"""Runs the blocks of a page and compares what they print: page_test.py PAGE PROGRAM COMPILER DIR [FLAG…]

PROGRAM is what page_program.py made of the page, and PROGRAM_N of its block N that is alone. DIR has the compiled header of tests/compile_fail, for blocks that must not compile.
"""

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "compile_fail"))
from check_compile import using_header

from page import IN_MAIN, read_page

LIMIT = 120  # seconds; only what hangs gets there


def comparable(line):
    """Without what differs from run to run and from machine to machine."""
    line = re.sub(r"\bblock_\d+::", "", line)
    line = re.sub(r"/\S*/", "", line)
    line = re.sub(r"\b(pid|parent)\b(\D{0,20}?)\d+", r"\1\2N", line)
    line = re.sub(r"(started|stopped)( daemon)? \d+\)", r"\1\2 N)", line)
    line = re.sub(r"psm_[0-9a-f]{8}", "psm_N", line)
    line = re.sub(r"\b\d+\.\d{2,}\b", "SECONDS", line)
    return line.rstrip()


def missing(shown, printed):
    """The lines shown that were not printed, each as often as it is shown."""
    left = [comparable(line) for line in printed]
    result = []
    for line in shown:
        if not line.strip() or line.strip() == "…":
            continue
        wanted = comparable(line)
        found = next((one for one in left if one == wanted or wanted.endswith("…") and one.startswith(wanted[:-1].rstrip())), None)
        if found is None:
            result.append(line)
        else:
            left.remove(found)
    return result


def compiler_says(block, compiler, directory, flags):
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "block.cpp")
        text = block.before + (IN_MAIN + "int main() {\n" + block.text + "}\n" if block.in_main else block.text)
        source.write_text("#include <chorus/chorus.hpp>\n" + re.sub(r"^#include <chorus/.*$", "", text, flags=re.MULTILINE), encoding="utf-8")
        command = [compiler, "-std=c++20", "-fsyntax-only", *using_header(compiler, directory), *flags, str(source)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    errors = ["error: " + line.split(" error: ", 1)[1] for line in done.stderr.splitlines() if " error: " in line]
    return done.returncode, errors


def problems_of(block, program, compiler, directory, flags):
    """What is wrong with it, one line each."""
    if block.kind == "python":
        compile(block.text, "block", "exec")
        if "__main__" not in block.text:
            return []
        command = [sys.executable, "-u", "block.py"]  # a file, since a started interpreter reads it again
    elif not block.compiles:
        code, errors = compiler_says(block, compiler, directory, flags)
        if code == 0:
            return ["it compiles"]
        result = [f"not said by the compiler: {line}" for line in missing(block.shown, errors)]
        return result and [*result, "it says:", *errors]
    else:
        command = [f"{program}_{block.number}" if block.alone else program, str(block.number)]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "block.py").write_text(block.text, encoding="utf-8")
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=folder,
                              text=True, timeout=LIMIT, check=False)
    printed = done.stdout.splitlines()
    result = [f"not printed: {line}" for line in missing(block.shown, printed)]
    if done.returncode != block.exit_code:
        result.append(f"exit status {done.returncode}, not {block.exit_code}")
    return result and [*result, "it prints:", *printed]


def main():
    page, program, compiler, directory, *flags = sys.argv[1:]
    blocks = read_page(page)
    with ThreadPoolExecutor(3) as pool:  # they mostly wait
        results = list(pool.map(lambda block: problems_of(block, program, compiler, directory, flags), blocks))
    for block, problems in zip(blocks, results):
        if problems:
            print(f"{page}:{block.line}: {block.kind} block {block.number}", *problems, sep="\n    ")
    print(f"{sum(not problems for problems in results)} of {len(blocks)} blocks do what the page says")
    return 1 if any(results) else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""The README's programs, as a reader would try them: readme.py README PREFIX COMPILER

Each program is compiled by the README's own command. If a block of output follows it, each of its lines must
come, numbers and places aside; the frames of a stack may differ between compilers.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```\n", re.DOTALL | re.MULTILINE)


def comparable(line):
    line = re.sub(r"/\S*/", "", line)
    return re.sub(r"(pid|parent)=\d+", r"\1=N", line)


def main():
    readme, prefix, compiler = Path(sys.argv[1]).read_text(), sys.argv[2], sys.argv[3]
    os.environ["PKG_CONFIG_PATH"] = str(next(Path(prefix).rglob("chorus.pc")).parent)
    flags = shlex.split(subprocess.run(["pkg-config", "--cflags", "--libs", "chorus"], check=True, capture_output=True, text=True).stdout)
    blocks = BLOCK.findall(readme)
    programs = [(text, following) for (kind, text), following in zip(blocks, blocks[1:] + [("", "")]) if kind == "cpp" and "int main(" in text]
    if not programs:
        raise SystemExit("no program is found in the README")
    failed = 0
    for number, (program, (kind, shown)) in enumerate(programs, 1):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "crash.cpp" if "WorkerDied" in program else f"program{number}.cpp")
            source.write_text(program)
            binary = str(Path(folder, "program"))
            subprocess.run([compiler, "-g", "-Wall", "-Wextra", "-Werror", str(source), *flags, "-o", binary], check=True)
            done = subprocess.run([binary], capture_output=True, text=True, timeout=60, check=False)
            print(f"--- program {number}: exit status {done.returncode}", done.stdout, done.stderr, sep="\n")
            failed += done.returncode != 0
            printed = [comparable(line) for line in done.stdout.splitlines()]
            for line in shown.splitlines() if kind == "text" else []:
                if not line.startswith("#") and comparable(line) not in printed:
                    print(f"not printed, but shown in the README: {line}")
                    failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

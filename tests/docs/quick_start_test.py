#!/usr/bin/env python3
"""Follows a quick start as a reader would, by copy and paste: quick_start_test.py PAGE PREFIX

Files go where the page says (`<!-- run: as NAME -->`), commands (`<!-- run: shell -->`) run in one shell in an empty folder. PREFIX, an installed
Chorus, is what the reader's $HOME/chorus is; what installs it there is not run again.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from page import FENCE
from page_test import missing


def main():
    page, prefix = sys.argv[1:]
    shown = []
    with tempfile.TemporaryDirectory() as home:
        os.symlink(prefix, Path(home, "chorus"))
        folder = Path(home, "hello")
        folder.mkdir()
        script = "set -eu\n"
        after_shell = False
        for match in FENCE.finditer(Path(page).read_text(encoding="utf-8")):
            notes, kind, text = match["notes"] or "", match["kind"], match["text"]
            if notes.startswith("as "):
                Path(folder, notes.removeprefix("as ")).write_text(text, encoding="utf-8")
            if notes == "shell":
                script += text
            if kind == "text" and after_shell:
                shown += text.splitlines()
            after_shell = notes == "shell"
        done = subprocess.run(["sh", "-c", script], cwd=folder, env={**os.environ, "HOME": home}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(done.stdout)
    not_printed = missing(shown, done.stdout.splitlines())
    for line in not_printed:
        print(f"not printed, but shown on the page: {line}")
    if not shown:
        print("no commands with an output are found on the page")
    return 1 if done.returncode or not_printed or not shown else 0


if __name__ == "__main__":
    sys.exit(main())

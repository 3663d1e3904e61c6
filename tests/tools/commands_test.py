"""`make help`, the README and what it leads to tell the same commands."""

import re
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# Inline code or a line of a block: elsewhere "make" is a verb.
COMMAND = re.compile(r"(?:`|^ +|^)make ([a-z][a-z0-9-]*)", re.MULTILINE)


class CommandsTest(unittest.TestCase):
    def setUp(self):
        command = ["make", "--no-print-directory", "help"]
        shown = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        self.told = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in shown.splitlines())

    def test_a_command_in_a_text_is_there(self):
        texts = [path for pattern in ("*.md", "docs/**/*.md", "bench/*.md", "examples/**/*.md") for path in ROOT.glob(pattern)]
        found = {name: path for path in texts if path.name != "CHANGELOG.md" for name in COMMAND.findall(path.read_text())}
        self.assertGreater(len(found), 8)
        self.assertEqual({name: str(path) for name, path in found.items() if name not in self.told}, {})

    def test_each_command_is_in_a_text(self):
        text = "".join((ROOT / name).read_text() for name in ("README.md", "docs/quick_start.md", "CONTRIBUTING.md", "bench/README.md"))
        mentioned = {*COMMAND.findall(text), *re.findall(r"^\| `(test[a-z0-9-]*)` \|", text, re.MULTILINE)}
        self.assertEqual(set(self.told) - mentioned, set())


if __name__ == "__main__":
    unittest.main()

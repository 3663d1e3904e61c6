"""The blocks of code on a page of the documentation, and what the page says of them.

A block of C++ with a `main` is a complete program, which runs and ends with 0. A comment right before a block says what else it is,
several things separated by `;`:

    <!-- run: in main -->           statements; they run in a main, where mp, mt and the units of time are known
    <!-- run: continues -->         the declarations of the block before, everything above its main, come first
    <!-- run: alone -->             a program of its own, for what its static objects do
    <!-- run: as crash.cpp -->      the file's name, where the output tells it
    <!-- run: exits 1 -->           the exit status, of a program that is shown to fail; -6 for a signal
    <!-- run: does not compile -->  the output that follows is the compiler's error, in g++'s words

A block of text that follows is its output: each line has been printed, here or on standard error. Numbers of processes and threads and the
folders of files may differ. `…` at the end of a line stands for the rest of it, a line of `…` for other lines.

A block of Python with a `__main__` runs too, and its output is compared likewise; others must only be Python.
"""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

FENCE = re.compile(r"^(?:<!-- run: (?P<notes>.*?) -->\n+)?```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
MAIN = re.compile(r"^int main\(", re.MULTILINE)
IN_MAIN = """namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;
using namespace std::chrono_literals;
"""


class PageError(Exception):
    """What is wrong with the page itself."""


@dataclass
class Block:
    number: int  # among those of its kind on the page, from 1
    line: int    # of its first line of code on the page, from 1
    kind: str
    text: str
    shown: list = field(default_factory=list)  # lines of output
    before: str = ""                           # declarations of the block before, if it continues that
    file: str = ""
    exit_code: int = 0
    compiles: bool = True
    in_main: bool = False
    alone: bool = False

    @property
    def name(self):
        return f"block_{self.number}"


def take_notes(block, notes, previous, page):
    for note in filter(None, (part.strip() for part in notes.split(";"))):
        if note == "in main":
            block.in_main = True
        elif note == "does not compile":
            block.compiles = False
        elif note == "alone":
            block.alone = True
        elif note == "continues":
            if not previous:
                raise PageError(f"{page}:{block.line}: there is no block that this one could continue")
            block.before = previous.before + ("" if previous.in_main else MAIN.split(previous.text)[0])
        elif match := re.fullmatch(r"as (\S+)", note):
            block.file = match[1]
        elif match := re.fullmatch(r"exits (-?\d+)", note):
            block.exit_code = int(match[1])
        else:
            raise PageError(f"{page}:{block.line}: unknown note: {note}")


def read_page(page):
    """All blocks of C++ and of Python on the page, each with the output that follows it."""
    content = Path(page).read_text(encoding="utf-8")
    found, numbers = [], {}
    last = None
    for match in FENCE.finditer(content):
        kind, text = match["kind"], match["text"]
        if kind == "text" and last and not last.shown:
            last.shown = text.splitlines()
        if kind not in ("cpp", "python"):
            last = None
            continue
        numbers[kind] = numbers.get(kind, 0) + 1
        block = Block(numbers[kind], content.count("\n", 0, match.start("text")) + 1, kind, text)
        previous = next((one for one in reversed(found) if one.kind == "cpp"), None)
        take_notes(block, match["notes"] or "", previous, page)
        if kind == "cpp" and not block.in_main and not MAIN.search(text) and block.compiles:
            raise PageError(f"{page}:{block.line}: this block has no main: say what it is, such as <!-- run: in main -->")
        found.append(block)
        last = block
    return found


if __name__ == "__main__":  # the numbers of the blocks that are alone, for tests/docs.cmake
    print(";".join(str(block.number) for block in read_page(sys.argv[1]) if block.alone), end="")

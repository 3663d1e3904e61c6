#!/usr/bin/env python3
"""One program of all blocks of C++ on a page: page_program.py PAGE OUTPUT [BLOCK]

With a number, of that block alone.

Each block has a namespace of its own, with its main in it; the program runs the one whose number is its argument. One program of
many blocks compiles in a third of the time that they take each by itself.
"""

import re
import sys
from pathlib import Path

from page import IN_MAIN, MAIN, read_page

INCLUDE = re.compile(r"^#include .*$", re.MULTILINE)


def code_of(block, page):
    before, text = block.before, block.text
    if block.in_main:
        before += IN_MAIN
        text = f"int main() {{\n#line {block.line}\n{text}return 0; }}\n"
    else:
        # Only the real main may leave out its return, and it is the last function of a block.
        before_main, rest = text[:MAIN.search(text).start()], text[MAIN.search(text).start():]
        text = before_main + re.sub(r"\}(\s*(?://.*)?\n)\Z", r"return 0; }\1", rest)
    if block.alone:
        return f'{before}#line {block.line} "{Path(page).name}"\n{block.text}'
    file = block.file or Path(page).name
    start = 1 if block.file else block.line
    return f"namespace {block.name} {{\n{INCLUDE.sub('', before)}\n#line {start} \"{file}\"\n{INCLUDE.sub('', text)}}}\n"


def main():
    page, output, *alone = sys.argv[1:]
    blocks = [block for block in read_page(page) if block.kind == "cpp" and block.compiles]
    blocks = [block for block in blocks if (alone == [str(block.number)] if block.alone else not alone)]
    includes = {line: None for block in blocks for line in INCLUDE.findall(block.before + block.text)}
    if alone:
        Path(output).write_text("".join(code_of(block, page) for block in blocks), encoding="utf-8")
        return
    lines = ["// Made from " + Path(page).name + " by tests/docs/page_program.py.", "#include <chorus/chorus.hpp>", *includes, ""]
    lines += [code_of(block, page) for block in blocks]
    lines += ['#line 1 "page_program"', "int main(int, char** arguments) {"]
    lines += [f'    if (std::string(arguments[1]) == "{block.number}") return {block.name}::main();' for block in blocks]
    lines += ["    return 64;", "}", ""]
    Path(output).write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()

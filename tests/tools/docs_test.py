"""tools/docs makes the page of the benchmarks and finds dead links, docs/site/for_doxygen labels headings, and tests/docs/page.py
understands what a page says of its blocks."""

import importlib.machinery
import importlib.util
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "docs"))
sys.path.insert(0, str(HERE.parent / "compile_fail"))

import page
import page_test

SOURCE = HERE.parent.parent


def script(name, path):
    loader = importlib.machinery.SourceFileLoader(name, str(SOURCE / path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


docs = script("docs", "tools/docs")
for_doxygen = script("for_doxygen", "docs/site/for_doxygen")


class BenchmarksTest(unittest.TestCase):
    def test_the_page_with_charts_is_made_of_the_newest_results(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(docs.make_benchmarks(Path(folder)), "")
            made = Path(folder, "benchmarks.html").read_text(encoding="utf-8")
        self.assertIn(docs.newest_results().stem, made)
        self.assertIn("</html>", made)


class LinksTest(unittest.TestCase):
    def test_the_words_of_a_link_are_on_one_line_and_lines_stay_in_their_places(self):
        self.assertEqual(for_doxygen.page(Path("docs/x.md"), "see [two\nwords](y.md), and\nmore\n"), "see [two words](y.md),\nand\nmore\n")


class HeadingsTest(unittest.TestCase):
    def test_a_link_to_a_heading_has_the_label_of_that_heading(self):
        heading = for_doxygen.page(Path("docs/decisions.md"), "# All\n\n## 2. `main` is wrapped\n\n```text\n## none\n```\n## 2. main is wrapped\n")
        self.assertIn("## 2. `main` is wrapped {#docs_decisions--2-main-is-wrapped}\n", heading)
        self.assertIn("## none\n", heading)
        self.assertIn("{#docs_decisions--2-main-is-wrapped-1}", heading)
        link = "[why](../decisions.md#2-main-is-wrapped), [here](#one), [there](https://x.org/a.md#one)"
        self.assertEqual(for_doxygen.page(Path("docs/guide/x.md"), link),
                         "[why](@ref docs_decisions--2-main-is-wrapped), [here](@ref docs_guide_x--one), [there](https://x.org/a.md#one)")


class DeadLinksTest(unittest.TestCase):
    def test_dead_files_and_places_are_told_and_living_ones_are_not(self):
        with tempfile.TemporaryDirectory() as folder:
            html = Path(folder)
            (html / "a.html").write_text('<a href="b.html#here">1</a><a href="b.html#gone">2</a><a href="c.html">3</a><a href="https://x.org/">4</a>')
            (html / "b.html").write_text('<p id="here"><img src="no.png"></p>')
            self.assertEqual(docs.dead_links(html), ["a.html: b.html#gone, which has no such place", "a.html: c.html", "b.html: no.png"])


class PageTest(unittest.TestCase):
    def read(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "page.md")
            path.write_text(text)
            return page.read_page(path)

    def test_notes_and_output_belong_to_the_block_between_them(self):
        first, second = self.read("# Title\n\n```cpp\nint x;\nint main() {}\n```\n\n<!-- run: continues; in main; exits 3 -->\n```cpp\nx = 1;\n```\n```text\n7\n```\n")
        self.assertEqual((first.line, first.exit_code, first.shown), (4, 0, []))
        self.assertEqual((second.before, second.in_main, second.exit_code, second.shown), ("int x;\n", True, 3, ["7"]))

    def test_a_block_that_does_not_say_what_it_is_is_an_error(self):
        for text in ["```cpp\nint x;\n```\n", "<!-- run: somehow -->\n```cpp\nint main() {}\n```\n", "<!-- run: continues; in main -->\n```cpp\nint x;\n```\n"]:
            with self.assertRaises(page.PageError):
                self.read(text)

    def test_what_differs_from_run_to_run_is_no_difference(self):
        self.assertEqual(page_test.missing(["a pid=7", "took 1.50", "f at /opt/demo/x.cpp:3", "…", "a long …"],
                                           ["a pid=12", "took 3.25", "f at /home/me/x.cpp:3", "a long line"]), [])

    def test_other_lines_are(self):
        self.assertEqual(page_test.missing(["one", "one", "f at /opt/demo/x.cpp:3"], ["one", "two", "f at /opt/demo/x.cpp:4"]), ["one", "f at /opt/demo/x.cpp:3"])


if __name__ == "__main__":
    unittest.main()

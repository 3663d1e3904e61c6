"""tools/bench_page: both pages are complete and well formed, bars tell the truth, and a damaged line is named.

What was measured last is what docs/benchmarks.md shows.
"""

import html
import json
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree
from html.parser import HTMLParser
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
TOOL = SOURCE / "tools" / "bench_page"
VOID = {"meta", "wbr"}


def contender(name, kind, median, spread=0.05):
    return {"name": name, "kind": kind, "median": median, "spread": spread}


def measured(subject, row, ours, *others, unit="ns"):
    return {"subject": subject, "row": row, "unit": unit, "rounds": 9, "ours": contender("mp::It", "ours", ours), "others": list(others)}


def killed(row, name, kills, end):
    return {"subject": "endurance", "row": row, "name": name, "kills": kills, "end": end}


RUN = {"subject": "run", "machine": "A <machine> & more", "cpus": 2, "memory": 2**34, "system": "Debian 12", "compiler": "g++ 12.2.0", "build": "Release, -O2",
       "commit": "abc1234", "date": "2026-11-25", "quick": False, "python": "3.11.2", "of no use": [1]}
LINES = [
    RUN,
    measured("process", "start+join, forkserver", 240e3, contender("Python's forkserver", "rival", 18e6), contender("raw fork", "limit", 200e3)),
    measured("process", "weight of an idle one", 200 * 2**10, contender("raw | child", "limit", 150 * 2**10), unit="bytes"),
    measured("lock", "odd <b>\"lock\"</b> & 'more' | `x` _y_ *z*", 16, contender("a <script>&\"'", "rival", 28), contender("slow one", "rival", 55)),
    measured("lock", "a rival wins", 30, contender("quick rival", "rival", 10)),
    measured("capacity", "nothing beside it", 2.1e6),
    measured("capacity", "costs nothing", 0, contender("costs something", "rival", 5)),
    *[measured("queue", f"put+get {size}, 1 to 1", 50 * 10**power, contender("Boost message_queue", "rival", 300 * 10**power))
      for power, size in enumerate(("8 B", "4 KiB", "1 MiB"))],
    measured("weather", "sun & <rain>", 5, contender("snow", "rival", 5)),
    {"subject": "growth", "row": "start+join", "x": "memory & <more>", "x_unit": "bytes", "unit": "ns", "series": [
        {"name": "mp::Process", "kind": "ours", "points": [[0, 250000], [2**20, 250500], [2**30, 251000]]},
        {"name": "raw \"fork\"", "kind": "limit", "points": [[0, 180000], [2**20, 400000], [2**30, 9000000]]}]},
    {"subject": "growth", "row": "only at zero", "x": "workers", "x_unit": "count", "unit": "ns", "series": [{"name": "mt::Pool", "kind": "ours", "points": [[0, 0]]}]},
    killed("queue, 8 B", "mp::Queue", 1000, "goes on"),
    killed("queue, 8 B", "Boost <message_queue>", 2, "hangs"),
    killed("queue, 8 B", "Python's Queue", 41, "damaged"),
]
ROWS = dict.fromkeys(line["row"] for line in LINES[1:])
TITLES = ["In short", "Crash endurance", "Processes", "Locks", "Queues between processes", "Capacity", "Growth", "Weather"]


def make(text, *arguments):
    """Runs the tool in a folder of its own; what it said, and the pages by name."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "results.jsonl").write_text(text, encoding="utf-8")
        done = subprocess.run([sys.executable, "-B", TOOL, "results.jsonl", *arguments], cwd=folder, capture_output=True, text=True, check=False)
        return done, {path.name: path.read_text(encoding="utf-8") for path in Path(folder).iterdir()}


def text_of(lines):
    return "".join(json.dumps(line) + "\n" for line in lines)


class Balance(HTMLParser):
    """Fails on a tag that is closed before, or never; keeps the text and what headings, bars and attributes there are."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.attributes, self.headings, self.ids = [], [], [], [], []
        self.bars = {}  # name → width in percent, by row
        self.row = self.name = None

    def handle_starttag(self, tag, attrs):
        self.attributes += attrs
        self.ids += [value for key, value in attrs if key == "id"]
        found = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "figure" and "bars" in found.get("class", ""):
            self.row = found["aria-label"]
        if tag == "b" and "bar" in found.get("class", "") and self.row:
            self.bars.setdefault(self.row, {})[self.name] = float(re.search(r"width:([\d.]+)%", found["style"])[1])

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            raise AssertionError(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data):
        self.text.append(data)
        if self.open and self.open[-1] in ("h1", "h2", "h3"):
            self.headings.append((self.open[-1], data))
        if self.open[-2:] == ["li", "span"]:
            self.name = data


class BenchPage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        done, pages = make(text_of(LINES), "--html", "page.html", "--markdown", "page.md")
        if done.returncode or done.stdout or done.stderr:
            raise AssertionError(done.stdout + done.stderr)
        cls.html, cls.markdown = pages["page.html"], pages["page.md"]
        cls.page = Balance()
        cls.page.feed(cls.html)

    def bars(self, row):
        return next(bars for label, bars in self.page.bars.items() if label.startswith(row))

    def test_every_tag_is_closed(self):
        self.assertEqual(self.page.open, [])

    def test_both_pages_have_all_sections_in_order(self):
        self.assertEqual([text for level, text in self.page.headings if level == "h2"], TITLES)
        self.assertEqual(re.findall(r"^## (.*)$", self.markdown, re.MULTILINE), TITLES)

    def test_both_pages_have_every_row_and_contender(self):
        names = [*ROWS, "a <script>&\"'", "Boost <message_queue>", "raw \"fork\"", "Python's Queue", "A <machine> & more, 2 CPUs, 16 GiB", "memory & <more>"]
        markdown = re.sub(r"\\(.)", r"\1", html.unescape(self.markdown))
        for name in names:
            self.assertIn(name, "".join(self.page.text))
            self.assertIn(name, markdown)

    def test_markdown_has_the_best_rival_and_pythons_only(self):
        self.assertIn("a &lt;script&gt;", self.markdown)
        self.assertNotIn("slow one", self.markdown)
        self.assertIn("slow one", "".join(self.page.text))

    def test_a_row_of_a_markdown_table_has_as_many_cells_as_its_head(self):
        for table in re.findall(r"(?:^\|.*\n)+", self.markdown, re.MULTILINE):
            self.assertEqual(len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}), 1, table)

    def test_markdown_shows_markup_as_text(self):
        self.assertNotIn("<script>", self.markdown)
        self.assertIn("\\`x\\` \\_y\\_ \\*z\\*", self.markdown)
        self.assertIn("](page.html)", self.markdown)

    def test_every_drawing_is_xml_and_has_a_title_or_is_hidden(self):
        drawings = re.findall(r"<svg.*?</svg>", self.html, re.DOTALL)
        self.assertGreaterEqual(len(drawings), 3)
        for drawing in drawings:
            root = xml.etree.ElementTree.fromstring(drawing)
            self.assertTrue(root.find("title") is not None or root.get("aria-hidden") == "true", drawing)

    def test_nothing_is_loaded_or_run(self):
        self.assertNotRegex(self.html + self.markdown, r"https?://")
        self.assertNotRegex(self.html, r"url\(|@import|<script|<link|<img|<iframe")
        self.assertFalse([key for key, _ in self.page.attributes if key.startswith("on") or key == "src"])

    def test_links_inside_the_page_have_an_end(self):
        self.assertEqual(len(self.page.ids), len(set(self.page.ids)))
        for link in (value[1:] for key, value in self.page.attributes if key == "href"):
            self.assertIn(link, self.page.ids)

    def test_headings_go_down_by_one(self):
        levels = [int(level[1]) for level, _ in self.page.headings]
        self.assertEqual(levels[0], 1)
        self.assertTrue(all(after <= before + 1 for before, after in zip(levels, levels[1:])), levels)

    def test_it_is_fit_for_phones_and_both_schemes(self):
        for part in ('<html lang="en">', 'name="viewport"', "prefers-color-scheme: dark", "@media print"):
            self.assertIn(part, self.html)

    def test_a_larger_value_has_a_longer_bar(self):
        for row in ("odd", "start+join, forkserver", "weight"):
            bars = self.bars(row)
            self.assertGreaterEqual(len(bars), 2)
        odd, start, weight = self.bars("odd"), self.bars("start+join, forkserver"), self.bars("weight")
        self.assertTrue(odd["mp::It"] < odd["a <script>&\"'"] < odd["slow one"] <= 100, odd)
        self.assertTrue(0 < start["raw fork"] < start["mp::It"] < start["Python's forkserver"] <= 100, start)
        self.assertLess(weight["raw | child"], weight["mp::It"])

    def test_a_linear_bar_is_as_long_as_its_value(self):
        bars = self.bars("odd")
        self.assertAlmostEqual(bars["slow one"] / bars["mp::It"], 55 / 16, places=1)

    def test_a_log_scale_is_said_to_be_one(self):
        start = self.html[self.html.index('id="process-1"'):self.html.index('id="process-2"')]
        weight = self.html[self.html.index('id="process-2"'):self.html.index('id="lock"')]
        self.assertIn("log scale", start)
        self.assertNotIn("log scale", weight.partition("<details>")[0])

    def test_more_kills_survived_is_a_longer_bar_and_going_on_is_open_ended(self):
        kills = self.bars("queue, 8 B")
        self.assertTrue(0 < kills["Boost <message_queue>"] < kills["Python's Queue"] < kills["mp::Queue"] < 100, kills)
        for words in ("1,000 kills, goes on", "hangs at kill 2", "damages data at kill 41"):
            self.assertIn(words, "".join(self.page.text))
            self.assertIn(words, self.markdown)

    def test_a_rival_that_wins_is_shown_to(self):
        for words in ("3.0× faster", "3.0× slower than quick rival"):
            self.assertIn(words, "".join(self.page.text))
        self.assertIn("3.0× slower than quick rival", self.markdown)

    def test_rows_that_differ_in_a_size_are_one_chart(self):
        self.assertIn(("h3", "put+get 8 B to 1 MiB, 1 to 1"), self.page.headings)
        self.assertNotIn(("h3", "put+get 4 KiB, 1 to 1"), self.page.headings)

    def test_values_have_fitting_units(self):
        for value in ("240 µs", "18 ms", "200 KiB", "2.1 ms", "16 ns"):
            self.assertIn(value, "".join(self.page.text))
            self.assertIn(value, self.markdown)


class ByHand(unittest.TestCase):
    def test_what_is_written_by_hand_is_kept(self):
        with tempfile.TemporaryDirectory() as folder:
            results, page = Path(folder, "results.jsonl"), Path(folder, "page.md")
            results.write_text(text_of(LINES), encoding="utf-8")
            page.write_text("# Mine\n\n<!-- measured: make bench-page writes what follows -->\nold\n", encoding="utf-8")
            for _ in range(2):
                subprocess.run([sys.executable, "-B", TOOL, results, "--markdown", page], check=True)
                text = page.read_text(encoding="utf-8")
                self.assertTrue(text.startswith("# Mine\n\n<!-- measured: "), text[:100])
                self.assertEqual(text.count("## In short"), 1)
                self.assertNotIn("old", text.splitlines())

    def test_the_page_in_the_repository_shows_the_newest_results(self):
        newest = max((SOURCE / "bench" / "results").glob("*.jsonl"), key=lambda path: path.name)
        shown = (SOURCE / "docs" / "benchmarks.md").read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder, "benchmarks.md")
            page.write_text(shown, encoding="utf-8")
            subprocess.run([sys.executable, "-B", TOOL, newest, "--markdown", page], check=True)
            self.assertEqual(page.read_text(encoding="utf-8"), shown, "run: make bench-page")


class Errors(unittest.TestCase):
    def expect(self, text, *parts):
        done, pages = make(text, "--html", "page.html")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(list(pages), ["results.jsonl"])
        for part in parts:
            self.assertIn(part, done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_a_line_that_is_no_json(self):
        self.expect(text_of(LINES[:2]) + '{"subject": "queue", "row"\n' + text_of(LINES[2:]), "results.jsonl:3: ")

    def test_a_line_that_lacks_something(self):
        self.expect(text_of([RUN, {"subject": "queue", "row": "x", "unit": "ns"}]), "results.jsonl:2: ", "ours is missing")

    def test_a_line_of_another_kind(self):
        for line in ("[]", "7", '{"subject": "growth", "row": "x", "x": "n", "x_unit": "count", "unit": "ns", "series": [{"name": "a", "kind": "ours", "points": []}]}'):
            self.expect(text_of(LINES[:1]) + line + "\n", "results.jsonl:2: ")

    def test_a_number_that_is_none(self):
        for value in ("NaN", "Infinity", "-1", '"7"', "true", "null"):
            line = text_of([measured("lock", "free", 12345)]).replace("12345", value)
            self.expect(text_of(LINES[:1]) + line, "results.jsonl:2: ", "is no measured number")

    def test_a_file_without_results(self):
        self.expect(text_of([RUN]), "results.jsonl", "no results")

    def test_no_page_asked_for(self):
        done, _ = make(text_of(LINES))
        self.assertEqual(done.returncode, 2)
        self.assertIn("--html", done.stderr)


if __name__ == "__main__":
    unittest.main()

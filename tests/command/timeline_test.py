"""chorus timeline: the page is whole and says what the trace says, workers overlap where they did, and a damaged trace is named."""

import json
import os
import re
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

from programs import TooSlow, in_one_run_of_five

BUILD = Path(os.environ["BUILD_DIR"])
COMMAND = BUILD / "command" / "chorus"
ARTICLE = BUILD / "examples" / "article"
VOID = {"meta"}


def event(what, at, process=1, thread=None, **more):
    return {"ph": what, "ts": at, "pid": process, "tid": thread or process, **more}


def name(at, process, text, parent=0):
    return event("M", at, process, name="process_name", args={"name": text, "parent": parent})


def begin(at, text, kind="run", process=1, **more):
    return event("B", at, process, name=text, cat=kind, **more)


def lines(events):
    return "[\n" + "".join(json.dumps(each, separators=(",", ":")) + ",\n" for each in events)


class Balance(HTMLParser):
    """Fails on a tag that is not closed, or closed in the wrong order."""

    def __init__(self):
        super().__init__()
        self.open = []
        self.text = ""

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            raise AssertionError(f"</{tag}> closes nothing")

    def handle_data(self, data):
        self.text += data


class Row:
    """A row of the picture: what it is called, and from where to where each bar goes, in per cent of the width."""

    def __init__(self, group):
        self.spoken = group.get("aria-label")
        texts = group.findall("text")
        self.name = texts[0].text.strip()
        self.bars = {}
        self.all_bars = []
        self.notes = [each.text for each in group.iter("text") if each.get("class") == "note"]
        for each in group:
            title = each.find(".//title")
            if each.tag not in ("svg", "rect") or title is None or each.get("class") == "tick":
                continue
            start, width = (float(each.get(key).rstrip("%")) for key in ("x", "width"))
            self.all_bars.append(title.text)
            self.bars[title.text.split(":")[0]] = (start, start + width)
        self.lines = [float(each.get("x1").rstrip("%")) for each in group.iter("line")]


def picture_in(text):
    """The picture's root, without namespaces."""
    svg = re.search(r"<svg .*</svg>", text, re.DOTALL).group()
    return ElementTree.fromstring(svg.replace(' xmlns="http://www.w3.org/2000/svg"', ""))


def rows_of(text):
    return [Row(each) for each in picture_in(text).iter("g") if (each.get("class") or "").startswith("row")]


class Timeline(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.trace = self.folder / "run.json"

    def run_command(self, *options):
        return subprocess.run([COMMAND, "timeline", self.trace, *options], capture_output=True, text=True, check=False)

    def draw(self, events, *options):
        self.trace.write_text(events if isinstance(events, str) else lines(events))
        result = self.run_command(*options)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.said = result.stdout
        return self.trace.with_suffix(".svg" if "--svg" in options else ".html").read_text()

    def refused(self, text):
        if text is not None:
            self.trace.write_bytes(text)
        result = self.run_command()
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertIn("chorus timeline: ", result.stderr)
        self.assertFalse(self.trace.with_suffix(".html").exists())
        return result.stderr

    # ---- what is drawn ----

    def test_the_page_is_well_formed(self):
        page = self.draw([name(0, 1, "<b>&\"'"), begin(0, "std::vector<int> & more"), event("E", 1e6)])
        balance = Balance()
        balance.feed(page)
        self.assertEqual(balance.open, [])
        self.assertIn("std::vector<int> & more", balance.text)
        self.assertNotIn("<b>", page)
        self.assertNotIn("src=", page)
        self.assertNotIn("http", page.replace("http://www.w3.org/2000/svg", ""))

    def test_bars_lie_where_the_spans_were(self):
        rows = rows_of(self.draw([name(5e6, 1, "MainProcess"), begin(5e6, "main"), begin(6e6, "Lock.acquire", "wait"), event("E", 7e6), event("E", 9e6)]))
        self.assertEqual([row.name for row in rows], ["MainProcess"])
        self.assertEqual(rows[0].bars, {"main": (0, 100), "Lock.acquire": (25, 50)})
        self.assertIn("Lock.acquire: 1 s, from 1 s to 2 s", rows[0].spoken)

    def test_children_stand_below_their_parents(self):
        events = [name(0, 1, "MainProcess"), begin(0, "main"), name(1, 2, "first", 1), begin(1, "a", process=2), name(2, 3, "second", 1),
                  begin(2, "b", process=3), name(3, 4, "grandchild", 2), begin(3, "c", process=4),
                  event("M", 4, 1, 9, name="thread_name", args={"name": "a thread"}), event("B", 4, 1, 9, name="t", cat="run"), event("E", 9, 1, 9)]
        rows = rows_of(self.draw(events))
        self.assertEqual([row.name for row in rows], ["MainProcess", "a thread", "first", "grandchild", "second"])

    def test_workers_stand_in_the_order_of_their_starts(self):
        events = [name(0, 1, "MainProcess"), begin(0, "main")]
        events += [event("i", i / 2, name=f"start T-{i}", cat="life") for i in (1, 2)]
        for at, thread in ((2, 2), (3, 1)):  # the second is quicker
            events += [event("M", at, 1, 10 + thread, name="thread_name", args={"name": f"T-{thread}"}), event("B", at, 1, 10 + thread, name="t", cat="run")]
        events += [event("i", 4, name="start P-1", cat="life", args={"pid": 21}), name(5, 22, "P-2", 1), begin(5, "b", process=22), name(6, 21, "P-1", 1),
                   begin(6, "a", process=21), event("i", 7, name="start P-2", cat="life", args={"pid": 22})]
        self.assertEqual([row.name for row in rows_of(self.draw(events))], ["MainProcess", "T-1", "T-2", "P-1", "P-2"])

    def test_the_dead_ones_spans_end_at_the_death(self):
        death = event("i", 4e6, 2, name="died", cat="life", s="p", args={"story": "killed by SIGSEGV in f at /a/b.cpp:7"})
        events = [name(0, 1, "MainProcess"), begin(0, "main"), name(1e6, 2, "Process-1", 1), begin(1e6, "work", process=2),
                  begin(2e6, "f", "task", process=2, args={"task": 7}), death, event("E", 10e6)]
        page = self.draw(events)
        dead = rows_of(page)[1]
        self.assertEqual(dead.bars, {"work": (10, 40), "f, task 7": (20, 40)})
        self.assertEqual(dead.lines, [40])
        self.assertEqual(dead.notes, ["✕ killed by SIGSEGV in f"])
        self.assertIn("killed by SIGSEGV in f at /a/b.cpp:7", dead.spoken)
        self.assertIn("was killed by SIGSEGV in f at /a/b.cpp:7; heard of at 4 s", page)
        self.assertIn("2 processes, 1 task, 1 death, 10 s", self.said)

    def test_who_left_early_has_no_open_spans(self):
        events = [name(0, 1, "MainProcess"), begin(0, "main"), name(0, 2, "Process-1", 1), begin(1e6, "work", process=2),
                  event("i", 5e6, 2, name="ended", cat="life", args={"exitcode": 4}), event("E", 10e6)]
        left = rows_of(self.draw(events))[1]
        self.assertEqual(left.bars, {"work": (10, 50)})
        self.assertEqual(left.notes, ["exit code 4"])

    def test_what_the_trace_does_not_end_goes_to_its_end(self):
        page = self.draw([name(0, 1, "MainProcess"), begin(0, "main"), begin(5e6, "wait", "wait"), event("i", 8e6, name="put", cat="message")])
        self.assertEqual(rows_of(page)[0].bars, {"main": (0, 100), "wait": (62.5, 100)})
        self.assertIn("not ended when the trace ends", page)

    def test_a_number_used_again_is_another_process(self):
        events = [name(0, 1, "MainProcess"), begin(0, "main"), name(1, 2, "Process-1", 1), begin(1, "a", process=2), event("E", 2, 2),
                  name(3, 2, "Process-2", 1), begin(3, "b", process=2), event("E", 4, 2), event("E", 5)]
        self.assertEqual([row.name for row in rows_of(self.draw(events))], ["MainProcess", "Process-1", "Process-2"])

    def test_many_narrow_spans_are_drawn_as_few(self):
        events = [name(0, 1, "MainProcess"), begin(0, "main")]
        for i in range(20_000):
            events += [begin(i + 0.1, "tiny", "task", args={"task": i + 1}), event("E", i + 0.9)]
        page = self.draw([*events, event("E", 20_000)])
        row = rows_of(page)[0]
        self.assertLess(len(row.all_bars), 2000)
        self.assertEqual(sum(int(found) for title in row.all_bars for found in re.findall(r"^(\d+) tasks", title)) +
                         sum(title.startswith("tiny") for title in row.all_bars), 20_000)
        self.assertLess(len(page), 2_000_000)

    def test_messages_are_joined_from_put_to_got(self):
        events = [name(0, 1, "MainProcess"), begin(0, "main"), name(0, 2, "Process-1", 1), begin(0, "f", process=2)]
        events += [event("i", 1e6, 1, name="put", cat="message", args={"queue": 5, "first": 1, "items": 2, "bytes": 30}),
                   event("i", 2e6, 2, name="got", cat="message", args={"queue": 5, "first": 1, "items": 1, "bytes": 15}), event("E", 4e6, 2), event("E", 4e6)]
        page = self.draw(events)
        self.assertIn("put 2 items, 30 bytes at 1 s", page)
        self.assertIn("got 1 item, 15 bytes at 2 s", page)
        arrows = [each for each in picture_in(page).iter("line") if each.get("class") == "message"]
        self.assertEqual([(each.get("x1"), each.get("x2")) for each in arrows], [("25.000%", "50.000%")])

    def test_the_axis_has_few_ticks_in_one_unit(self):
        for length, last in ((1.0, "1 µs"), (31e3, "30 ms"), (1.55e6, "1.5 s"), (7200e6, "6000 s")):
            axis = [each.text for each in picture_in(self.draw([name(0, 1, "m"), begin(0, "main"), event("E", length)])).find("g[@class='axis']").iter("text")]
            self.assertEqual((axis[0], axis[-1]), ("0", last))
            self.assertLessEqual(len(axis), 7)
            self.assertEqual(len({text.split()[1] for text in axis[1:]}), 1, axis)

    def test_pictures_can_have_one_scale(self):
        page = self.draw([name(0, 1, "m"), begin(0, "main"), event("E", 1e6)], "--seconds", "4")
        self.assertEqual(rows_of(page)[0].bars, {"main": (0, 25)})

    def test_the_picture_alone_stands_by_itself(self):
        picture = self.draw([name(0, 1, "m"), begin(0, "main"), event("E", 1e6)], "--svg")
        root = ElementTree.fromstring(picture)
        self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
        self.assertGreater(int(root.get("width")), 300)
        self.assertIn("prefers-color-scheme: dark", picture)

    # ---- what cannot be drawn ----

    def test_a_damaged_trace_is_named(self):
        self.assertIn("No such file", self.refused(None))
        for text in (b"", b"no trace\n", b"\x00\xff", b'{"traceEvents":[]}\n'):
            self.assertIn("is no trace of Chorus", self.refused(text))
        self.assertIn("without an event", self.refused(b"[\n"))
        whole = lines([name(0, 1, "m")]).encode()
        for text in (b"what is this\n", b"{},\n", b"\xff\xfe\n", b"[[[[[\n", b'{"a":1},\n'):
            self.assertIn("run.json:3: this line is no event", self.refused(whole + text))

    def test_what_somebody_did_not_live_to_write_is_passed_over(self):
        events = [name(0, 1, "m"), begin(0, "main"), begin(10, "f", "task"), event("E", 20), event("E", 100)]
        whole = lines(events)
        torn = '{"ph":"B","ts":5.0,"pid":1,"tid":1,"na'
        before = whole.replace('{"ph":"B","ts":10', torn + '{"ph":"B","ts":10')
        page = self.draw(before)
        self.assertEqual(rows_of(page)[0].bars, {"main": (0, 100), "f": (10, 20)})
        self.assertIn("1 line of the trace", page)
        self.assertEqual(rows_of(self.draw(whole + torn))[0].bars, {"main": (0, 100), "f": (10, 20)})
        for length in range(1, len('{"ph":"') + 1):
            self.assertEqual(rows_of(self.draw(whole + torn[:length]))[0].bars, {"main": (0, 100), "f": (10, 20)})
            self.assertEqual(rows_of(self.draw(whole.replace('{"ph":"B","ts":10', torn[:length] + '{"ph":"B","ts":10')))[0].bars, {"main": (0, 100), "f": (10, 20)})

    def test_a_page_that_cannot_be_written_is_said(self):
        self.trace.write_text(lines([name(0, 1, "m")]))
        result = self.run_command("-o", self.folder / "none" / "out.html")
        self.assertEqual(result.returncode, 1)
        self.assertIn("cannot write", result.stderr)

    def test_the_trace_is_not_written_over(self):
        self.trace = self.folder / "run.html"
        text = lines([name(0, 1, "m")])
        for options in ([], ["-o", self.trace]):
            self.trace.write_text(text)
            result = self.run_command(*options)
            self.assertEqual((result.returncode, result.stdout), (1, ""))
            self.assertIn("the trace itself", result.stderr)
            self.assertEqual(self.trace.read_text(), text)

    def test_processes_that_are_each_others_parents_are_drawn(self):
        page = self.draw([{**name(0, 5, "a"), "args": {"name": "a", "parent": 6}}, {**name(0, 6, "b"), "args": {"name": "b", "parent": 5}},
                          {**begin(0, "f"), "pid": 5, "tid": 5}, {**begin(0, "g"), "pid": 6, "tid": 6}])
        self.assertEqual(len(rows_of(page)), 2)

    def test_too_many_lines_from_row_to_row_are_told(self):
        events = [name(0, 1, "m"), begin(0, "main")]
        for number in range(401):
            events += [{**event("s", number), "id": number + 1, "cat": "task"}, {**event("f", number + 1), "id": number + 1, "cat": "task", "pid": 2, "tid": 2}]
        self.assertIn("Not drawn, since they would hide the rest: 401 lines", self.draw(events))

    # ---- the article's programs ----

    def rows_of_program(self, program):
        if not (ARTICLE / program).exists():
            self.skipTest("the article's programs are not built")
        subprocess.run([ARTICLE / program], env={**os.environ, "CHORUS_TRACE": str(self.trace)}, check=True, stdout=subprocess.DEVNULL)
        self.assertEqual(self.run_command().returncode, 0)
        return rows_of(self.trace.with_suffix(".html").read_text())

    @in_one_run_of_five
    def test_sing_and_dance_overlap(self):
        for program, names in (("s1_1_processes", ["MainProcess", "Process-1", "Process-2"]),
                               ("s2_1_threads", ["MainProcess", "Thread-1 (sing)", "Thread-2 (dance)"])):
            rows = self.rows_of_program(program)
            self.assertEqual([row.name for row in rows], names)
            sing, dance = rows[1].bars["sing"], rows[2].bars["dance"]
            if max(sing[0], dance[0]) >= min(sing[1], dance[1]):
                raise TooSlow(program)

    def test_the_crash_is_seen(self):
        rows = self.rows_of_program("s3_5_fault_isolation")
        self.assertEqual([row.notes for row in rows], [[], [], ["✕ killed by SIGSEGV in steps_of"]])


if __name__ == "__main__":
    unittest.main()

"""chorus report: what its page and its JSON say, and what becomes of it where something is missing."""

import html.parser
import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import unittest
import zlib

from programs import BUILD_DIR, ProgramTest

CHORUS = os.path.join(BUILD_DIR, "command", "chorus")
PARTS = ["sing_and_dance", "cpu_bound", "io_bound", "starting", "passing", "sharing", "crashing"]
VOID = {"meta"}


class Page(html.parser.HTMLParser):
    """What is in a page, checked as it is read: each element is ended by its own end."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.headings, self.tables, self.section = [], [], [], {}, None
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.elements.append((tag, attributes))
        if tag == "section":
            self.section = attributes["id"]
        elif tag == "table" and "class" not in attributes:
            self.tables.setdefault(self.section, []).append([])
        elif tag == "tr" and self.tables.get(self.section):
            self.tables[self.section][-1].append([])
        elif tag == "data":
            self.tables[self.section][-1][-1].append(float(attributes["value"]))
        elif tag in ("h1", "h2", "h3"):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def ids(self):
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]


def complaints(result):
    """What it wrote to standard error; but not what a sanitizer, in a build that has one, says to the crash that is made on purpose."""
    return [line for line in result.err.splitlines() if b"within null pointer" not in line]


def rows_of(chart, across):
    """The numbers of a chart's table, as the JSON has them."""
    for series in chart["series"]:
        for point in series["points"]:
            middle = [point["low"], point["high"]] if point["rounds"] != 0 else []
            yield ([point["at"]] if across else []) + [point["median"]] + middle + [point["rounds"]]


class ReportTest(ProgramTest):
    def setUp(self):
        self.directory = self.make_directory()
        self.page_path = os.path.join(self.directory, "report.html")
        self.json_path = os.path.join(self.directory, "report.json")

    def report(self, *arguments, **options):
        return self.run_program(CHORUS, "report", "--quick", "--json", self.json_path, *arguments, cwd=self.directory, **options)

    def read(self, path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    def page(self):
        return Page(self.read(self.page_path))

    def figures(self):
        return json.loads(self.read(self.json_path))

    def part(self, name):
        return next(part for part in self.figures()["parts"] if part["name"] == name)

    def figure(self, part, chart, series, at=0):
        chart = next(each for each in self.part(part)["charts"] if each["name"] == chart)
        series = next(each for each in chart["series"] if each["name"] == series)
        return next(point for point in series["points"] if point["at"] == at)

    def assert_good(self, result):
        self.assertEqual((result.code, complaints(result)), (0, []), result.out)
        self.assertEqual(sorted(os.listdir(self.directory)), ["report.html", "report.json"])


class Whole(ReportTest):
    def test_a_quick_report_is_whole(self):
        result = self.report()
        self.assert_good(result)
        lines = result.out.decode().splitlines()
        self.assertEqual(lines[-1], "report.html")
        self.assertEqual(len([line for line in lines if " s   " in line]), len(PARTS), lines)
        found = self.figures()
        self.assertEqual([part["name"] for part in found["parts"]], PARTS)
        self.assertEqual([part["name"] for part in found["parts"] if part["failure"] or not part["means"]], [])
        self.assertEqual(len(found["advice"]), 6)
        self.check_form()
        self.check_numbers(found)
        self.check_what_must_be()

    def check_form(self):
        text, page = self.read(self.page_path), self.page()
        self.assertTrue(text.startswith("<!DOCTYPE html>\n"))
        self.assertEqual(page.all("html"), [{"lang": "en"}])
        self.assertEqual(page.all("script"), [])
        self.assertEqual([each for each in page.all("section")], [{"id": name} for name in ["summary", *PARTS, "advice"]])
        self.assertEqual(page.headings.count(1), 1)
        for before, after in zip(page.headings, page.headings[1:]):
            self.assertLessEqual(after, before + 1)
        ids = page.ids()
        self.assertEqual(len(ids), len(set(ids)))
        for _, attributes in page.elements:
            self.assertFalse({"src", "srcset", "data", "action", "xlink:href"} & set(attributes), attributes)
            if "href" in attributes:
                self.assertIn(attributes["href"].removeprefix("#"), ids)
            for name in attributes.get("aria-labelledby", "").split():
                self.assertIn(name, ids)
        for word in ("url(", "@import", "http:", "https:", "//"):
            self.assertNotIn(word, text)
        pictures = [each for each in page.all("svg") if "aria-hidden" not in each]
        self.assertTrue(all(each["role"] == "img" and len(each["aria-labelledby"].split()) == 2 for each in pictures))
        self.assertEqual(len(page.all("desc")), len(pictures))
        self.assertEqual(page.elements[page.elements.index(("body", {})) + 1], ("a", {"class": "skip", "href": "#summary"}))

    def check_numbers(self, found):
        page = self.page()
        for part in found["parts"]:
            tables = [[row for row in table if row] for table in page.tables[part["name"]]]
            self.assertEqual(tables, [list(rows_of(chart, chart["across"])) for chart in part["charts"]], part["name"])
            self.assertIn(part["means"], page.text)
        for advice in found["advice"]:
            self.assertIn(advice["because"], page.text)

    def check_what_must_be(self):
        for who in ("threads", "processes"):
            self.assertEqual(self.figure("sharing", "lost", f"{who}, with a lock")["high"], 0)
        self.assertEqual(self.figure("crashing", "survivors", "one of four threads crashes")["high"], 0)
        self.assertEqual(self.figure("crashing", "survivors", "one of four processes crashes")["low"], 3)
        self.assertGreaterEqual(self.figure("io_bound", "time", "no workers", 1)["low"], 32 * 2e6)
        self.assertGreaterEqual(self.figure("sing_and_dance", "time", "two processes")["low"], 3 * 20e6)
        self.assertGreater(self.figure("starting", "memory", "process, by forkserver")["low"], 0)


class Options(ReportTest):
    def test_only_what_was_asked_for(self):
        self.assert_good(self.report("--only", "crashing", "--only", "sharing"))
        found = self.figures()
        self.assertEqual([part["name"] for part in found["parts"]], ["sharing", "crashing"])
        self.assertEqual([each["use"].split()[0] for each in found["advice"]], ["threads", "processes:"])
        self.assertEqual([each["id"] for each in self.page().all("section")], ["summary", "sharing", "crashing", "advice"])

    def test_a_part_that_is_none_is_named(self):
        result = self.report("--only", "dancing")
        self.assertNotEqual(result.code, 0)
        self.assertIn("dancing", (result.out + result.err).decode())
        self.assertEqual(os.listdir(self.directory), [])

    def test_an_old_report_is_replaced_where_a_link_leads(self):
        target = os.path.join(self.directory, "old.html")
        with open(target, "w") as file:
            file.write("old")
        os.symlink("old.html", self.page_path)
        result = self.report("--only", "crashing")
        self.assertEqual((result.code, complaints(result)), (0, []))
        self.assertTrue(os.path.islink(self.page_path))
        self.assertTrue(self.read(target).startswith("<!DOCTYPE html>"))
        self.assertEqual(sorted(os.listdir(self.directory)), ["old.html", "report.html", "report.json"])


class Missing(ReportTest):
    """What the report does where it lacks something."""

    def assert_refused(self, result, *words):
        self.assertEqual(result.code, 1)
        self.assertTrue(complaints(result)[0].startswith(b"chorus report: "), result.err)
        for word in words:
            self.assertIn(word, result.err.decode())

    def test_a_place_that_cannot_be_written_is_told_before_anything_is_measured(self):
        for place in (os.path.join("nowhere", "report.html"), ".", ""):
            with self.subTest(place):
                result = self.report("-o", place)
                self.assert_refused(result, place)
                self.assertEqual(result.out, b"")
                self.assertEqual(os.listdir(self.directory), [])

    def test_a_full_disk(self):
        self.assert_refused(self.report("--only", "crashing", "-o", "/dev/full"), "/dev/full", os.strerror(28))

    def test_no_room_keeps_the_old_report(self):
        with open(self.page_path, "w") as file:
            file.write("old")

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        result = self.run_program(CHORUS, "report", "--quick", "--only", "starting", cwd=self.directory, preexec_fn=limit)
        self.assertEqual(result.code, 1, result.err)
        self.assertEqual(self.read(self.page_path), "old")
        self.assertEqual(os.listdir(self.directory), ["report.html"])

    def test_one_cpu(self):
        cpu = min(os.sched_getaffinity(0))
        self.assert_good(self.report("--only", "cpu_bound", preexec_fn=lambda: os.sched_setaffinity(0, {cpu})))
        self.assertRegex(self.part("cpu_bound")["means"], "Only one of this machine's|This machine has one CPU")
        self.assertEqual([point["median"] for point in self.part("cpu_bound")["charts"][0]["series"][0]["points"]], [1, 1])

    def test_no_output(self):
        for stream in (1, 2):
            with self.subTest(stream):
                result = self.report("--only", "crashing", preexec_fn=lambda: os.close(stream))
                self.assertEqual(result.code, 0)
                self.assertRegex(self.read(self.page_path), r"\A<!DOCTYPE html>\n(.|\n)*</html>\n\Z")
                self.assertEqual(self.part("crashing")["failure"], "")

    def test_nobody_reads_the_output(self):
        reading, writing = os.pipe()
        os.close(reading)
        running = subprocess.Popen([CHORUS, "report", "--quick", "--only", "crashing"], stdout=writing, stderr=subprocess.PIPE, cwd=self.directory)
        os.close(writing)
        self.assertEqual(self.finish(running).code, 0)
        self.assertEqual(os.listdir(self.directory), ["report.html"])

    def test_no_more_descriptors_than_a_few(self):  # by its name it is left out of the asan preset, as others like it
        result = self.report(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24)))
        self.assertEqual(result.code, 0, result.err)
        parts = self.figures()["parts"]
        self.assertEqual([part["name"] for part in parts], PARTS)
        without = [part["name"] for part in parts if part["failure"]]
        self.assertTrue(without)
        self.assertNotEqual(without, PARTS)
        for part in parts:
            self.assertIn(part["failure"], self.page().text)

    def test_interrupted(self):
        running = subprocess.Popen([CHORUS, "report"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.directory)
        self.assertTrue(running.stdout.read1(1))  # it has begun
        running.send_signal(signal.SIGINT)
        result = self.finish(running)  # and with it all that it has started
        self.assertIn(result.code, (-signal.SIGINT, 130))
        self.assertEqual(os.listdir(self.directory), [])


class Browser(ReportTest):
    def chromium(self, width, height, *more):
        picture = os.path.join(self.directory, f"{width}.png")
        result = self.run_program(
            shutil.which("chromium"), "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr", "--v=0",
            f"--user-data-dir={self.directory}/profile", f"--window-size={width},{height}", f"--screenshot={picture}", *more, f"file://{self.page_path}")
        self.assertEqual(result.code, 0, result.err)
        self.assertNotIn(b"CONSOLE", result.err)
        return picture

    def colours(self, picture):
        """How many different bytes the picture's lines have: a blank page has few."""
        with open(picture, "rb") as file:
            content = file.read()
        size, packed, at = struct.unpack(">II", content[16:24]), b"", 8
        while at < len(content):
            length = struct.unpack(">I", content[at:at + 4])[0]
            if content[at + 4:at + 8] == b"IDAT":
                packed += content[at + 8:at + 8 + length]
            at += length + 12
        return size, len(set(zlib.decompress(packed)))

    @unittest.skipUnless(shutil.which("chromium"), "chromium is not installed")
    def test_a_browser_shows_it_without_complaint(self):
        self.assertEqual(self.report("--only", "sharing", "--only", "crashing").code, 0)
        for width, more in ((1400, ()), (500, ("--blink-settings=preferredColorScheme=0",))):
            size, colours = self.colours(self.chromium(width, 2000, *more))
            self.assertEqual(size, (width, 2000))
            self.assertGreater(colours, 50)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])

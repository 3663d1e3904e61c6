"""thumbnails: what it makes, and what becomes of files that are no pictures, or worse."""

import glob
import os
import random
import re
import signal
import struct
import subprocess
import sys
import unittest
import zlib

from programs import BUILD_DIR, TOOLS_DIR, ProgramTest

FOLDER = os.path.join(os.path.dirname(os.path.abspath(TOOLS_DIR)), "examples", "thumbnails")
sys.path.insert(0, FOLDER)
from picture_bytes import RGB, RGBA, jpeg, png, ppm  # noqa: E402

THUMBNAILS = os.path.join(BUILD_DIR, "examples", "thumbnails")
WAYS = ("threads", "processes")
SUMMARY = r"\Athumbnails: {} made, {} failed, {} pixels, \d+\.\d{{3}} s, \d+\.\d megapixels/s, \d+ {}\n\Z"


def jpeg_size(content):
    """Width and height, from the frame's segment."""
    at = 2
    while content[at + 1] not in (0xC0, 0xC2):
        at += 2 + struct.unpack(">H", content[at + 2:at + 4])[0]
    return struct.unpack(">HH", content[at + 5:at + 9])[::-1]


def png_size(content):
    return struct.unpack(">II", content[16:24])


def paeth(a, b, c):
    return min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]


def png_pixels(content):
    """Of a PNG of red, green, blue and alpha."""
    width, height = png_size(content)
    packed, at = b"", 8
    while at < len(content):
        length = struct.unpack(">I", content[at:at + 4])[0]
        if content[at + 4:at + 8] == b"IDAT":
            packed += content[at + 8:at + 8 + length]
        at += length + 12
    rows = zlib.decompress(packed)
    above, pixels = bytes(4 * width), []
    for y in range(height):
        way, *row = rows[y * (4 * width + 1):(y + 1) * (4 * width + 1)]
        for i, _ in enumerate(row):
            left, up, corner = row[i - 4] if i >= 4 else 0, above[i], above[i - 4] if i >= 4 else 0
            row[i] = (row[i] + (0, left, up, (left + up) // 2, paeth(left, up, corner))[way]) % 256
        pixels += [tuple(row[i:i + 4]) for i in range(0, len(row), 4)]
        above = row
    return pixels


class ThumbnailsTest(ProgramTest):
    def setUp(self):
        os.environ["NO_PROGRESS"] = "1"  # standard error is for what went wrong
        self.source = self.make_directory()
        self.target = os.path.join(self.make_directory(), "small")

    def write(self, name, content):
        path = os.path.join(self.source, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)

    def read(self, name):
        with open(os.path.join(self.target, name), "rb") as file:
            return file.read()

    def thumbnails(self, *arguments):
        return self.run_program(THUMBNAILS, self.source, self.target, *arguments)

    def made(self):
        """All files in the target, temporary ones too."""
        return sorted(os.path.relpath(os.path.join(directory, name), self.target) for directory, _, names in os.walk(self.target) for name in names)

    def assert_good(self, result, count, way, pixels=r"\d+"):
        self.assertEqual((result.code, result.err), (0, b""))
        self.assertRegex(result.out.decode(), SUMMARY.format(count, 0, pixels, way))

    def assert_failures(self, result, made, failures, way="processes"):
        """`failures`: name and reason of each file that has no thumbnail."""
        self.assertEqual(result.code, 1, result.err)
        lines = result.err.decode().splitlines()
        self.assertEqual(len(lines), len(failures), lines)
        for line, (name, reason) in zip(lines, sorted(failures.items())):
            self.assertRegex(line, rf"\Athumbnails: {re.escape(self.source)}/{re.escape(name)}: {reason}\Z")
        self.assertRegex(result.out.decode(), SUMMARY.format(len(made), len(failures), r"\d+", way))
        self.assertEqual(self.made(), sorted(made))


class Good(ThumbnailsTest):
    def test_sizes_and_names(self):
        self.write("wide.jpg", jpeg(1200, 800))
        self.write("a/very large.JPEG", jpeg(6000, 9000))
        self.write("a/b/line.jpg", jpeg(3000, 1))
        self.write("opaque.png", png(512, 300, RGB, bytes(512 * 300 * 3)))
        self.write("alpha.PNG", png(300, 600, RGBA, bytes(300 * 600 * 4)))
        self.write("small.png", png(10, 20, RGBA, bytes(10 * 20 * 4)))
        self.write("small.jpg", jpeg(10, 20))
        self.write("plain.ppm", ppm(257, 256, bytes(257 * 256 * 3)))
        pixels = 1200 * 800 + 6000 * 9000 + 3000 + 512 * 300 + 300 * 600 + 10 * 20 + 10 * 20 + 257 * 256
        for way in WAYS:
            with self.subTest(way):
                self.target = os.path.join(self.make_directory(), "not", "there", "yet")
                self.assert_good(self.thumbnails("--with", way, "--workers", "2"), 8, way, pixels)
                sizes = {name: (png_size if name.lower().endswith("png") else jpeg_size)(self.read(name)) for name in self.made()}
                self.assertEqual(sizes, {
                    "wide.jpg": (256, 171), "a/very large.JPEG": (171, 256), "a/b/line.jpg": (256, 1), "opaque.png.jpg": (256, 150),
                    "alpha.PNG": (128, 256), "small.png": (10, 20), "small.jpg": (10, 20), "plain.ppm.jpg": (256, 255)})

    def pixels_of(self, width, height, samples):
        self.write("picture.png", png(width, height, RGBA, samples))
        self.assert_good(self.thumbnails("--with", "threads"), 1, "threads")
        return png_pixels(self.read("picture.png"))

    def test_what_is_small_enough_stays_as_it_is(self):
        samples = random.Random(1).randbytes(256 * 100 * 4)
        self.assertEqual(self.pixels_of(256, 100, samples), [tuple(samples[i:i + 4]) for i in range(0, len(samples), 4)])

    def test_light_is_averaged_and_not_numbers(self):
        black, white = bytes([0, 0, 0, 255]), bytes([255, 255, 255, 255])
        half = self.pixels_of(512, 512, ((black + white) * 256 + (white + black) * 256) * 256)
        self.assertEqual(set(half), {(188, 188, 188, 255)})  # half the light, in sRGB

    def test_a_pixel_across_a_border_counts_on_both_sides(self):
        black, white = bytes([0, 0, 0, 255]), bytes([255, 255, 255, 255])
        row = self.pixels_of(384, 1, black + white + black * 382)
        self.assertEqual(row, [(156, 156, 156, 255)] * 2 + [(0, 0, 0, 255)] * 254)  # a third of the light each

    def test_colour_of_what_is_transparent_does_not_count(self):
        red, blue = bytes([255, 0, 0, 0]), bytes([0, 0, 255, 255])
        self.assertEqual(set(self.pixels_of(512, 2, (red + blue) * 512)), {(0, 0, 255, 128)})

    def test_other_files_and_links_are_passed_over(self):
        self.write("picture.jpg", jpeg(8, 8))
        self.write("notes.txt", b"no picture")
        self.write("jpg", b"no picture")
        os.symlink("picture.jpg", os.path.join(self.source, "link.jpg"))
        os.symlink(".", os.path.join(self.source, "loop"))
        os.mkfifo(os.path.join(self.source, "fifo.jpg"))
        for way in WAYS:
            with self.subTest(way):
                self.assert_good(self.thumbnails("--with", way), 1, way)
                self.assertEqual(self.made(), ["picture.jpg"])

    def test_no_pictures(self):
        for way in WAYS:
            with self.subTest(way):
                self.assert_good(self.thumbnails("--with", way), 0, way, 0)

    def test_thumbnails_below_the_pictures_are_no_pictures(self):
        self.write("picture.jpg", jpeg(8, 8))
        self.target = os.path.join(self.source, "small")
        for _ in range(2):
            self.assert_good(self.thumbnails("--with", "threads"), 1, "threads", 64)
            self.assertEqual(self.made(), ["picture.jpg"])


class Bad(ThumbnailsTest):
    REASONS = {
        "bomb.jpg": "its header claims 60000 x 60000 pixels, 3600 megapixels; 250 are taken at most",
        "bomb.png": "its header claims 60000 x 60000 pixels, 3600 megapixels; 250 are taken at most",
        "empty.jpg": "empty",
        "empty.png": "empty",
        "garbage.jpg": "damaged: Corrupt JPEG data: bad Huffman code",
        "garbage.png": "damaged: IDAT: .*",
        "text.jpg": "not a JPEG",
        "text.png": "not a PNG",
        "truncated.jpg": "truncated",
        "truncated.png": "truncated",
    }
    CRASH = r"task \d+ \(make_thumbnail\): its worker was killed by SIGBUS in read_ppm at .*ppm\.cpp:\d+; it had at most \d+ MiB in memory"

    def make_hostile(self, *without):
        result = self.run_program(sys.executable, os.path.join(FOLDER, "make_hostile"), self.source)
        self.assertEqual((result.code, result.out, result.err), (0, b"", b""))
        for name in without:
            os.unlink(os.path.join(self.source, name))

    def test_each_file_is_named_with_its_reason(self):
        self.make_hostile("crash.ppm", "memory.png", "slow.jpg")
        for way in WAYS:
            with self.subTest(way):
                self.assert_failures(self.thumbnails("--with", way, "--workers", "2"), ["good.jpg", "good.png"], self.REASONS, way)

    def test_names_the_place_of_a_crash_that_costs_nothing_else(self):
        self.make_hostile("memory.png", "slow.jpg")
        for workers in ("1", "3"):
            with self.subTest(workers):
                result = self.thumbnails("--workers", workers)
                self.assert_failures(result, ["good.jpg", "good.png"], {**self.REASONS, "crash.ppm": self.CRASH})

    def test_crash_in_a_thread_is_the_end_of_the_program(self):
        self.write("crash.ppm", ppm(4000, 3000, b""))
        result = self.thumbnails("--with", "threads")
        self.assertEqual((result.code, result.out), (-signal.SIGBUS, b""))

    def test_memory_is_bounded(self):
        self.make_hostile("crash.ppm", "slow.jpg")
        reason = r"the task needed more than the 536870912 bytes that \.memory allows it"
        self.assert_failures(self.thumbnails(), ["good.jpg", "good.png"], {**self.REASONS, "memory.png": reason})

    def test_time_is_bounded(self):
        self.make_hostile("crash.ppm", "memory.png")
        result = self.thumbnails("--timeout", "5")
        self.assert_failures(result, ["good.jpg", "good.png"], {**self.REASONS, "slow.jpg": r"task \d+ \(make_thumbnail\) took longer than its timeout of 5.* s, and its worker was ended"})
        self.assertGreaterEqual(result.took, 5)

    def test_two_names_for_one_thumbnail(self):
        self.write("a.png", png(8, 8, RGB, bytes(8 * 8 * 3)))
        self.write("a.png.jpg", jpeg(8, 8))
        self.assert_failures(self.thumbnails(), ["a.png.jpg"], {"a.png": "its thumbnail could take the place of that of a.png.jpg"})

    def test_name_with_a_newline_stays_on_one_line(self):
        self.write("a\nb.jpg", b"")
        result = self.thumbnails("--with", "threads")
        self.assertEqual(result.err.decode(), f"thumbnails: {self.source}/a b.jpg: empty\n")


class Halves(ThumbnailsTest):
    def test_worker_killed_while_it_writes_leaves_nothing(self):
        self.write("big.png", png(256, 256, RGBA, random.Random(1).randbytes(256 * 256 * 4)))
        self.write("good.jpg", jpeg(8, 8))
        os.mkdir(self.target)
        # The worker cannot write more into it than a pipe holds without a reader: a quarter of the thumbnail.
        fifo = os.path.join(self.target, ".big.png.part")
        os.mkfifo(fifo)
        with subprocess.Popen([THUMBNAILS, self.source, self.target, "--workers", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            reader = os.open(fifo, os.O_RDONLY)  # when the worker opens its end
            os.kill(self.other_process_that_has_open(fifo), signal.SIGKILL)
            result = self.finish(running)
        os.close(reader)
        self.assert_failures(result, ["good.jpg"], {"big.png": r"task \d+ \(make_thumbnail\): its worker was killed by SIGKILL.*"})

    def other_process_that_has_open(self, path):
        while True:  # a process that has just opened it may not have it in its table yet
            for link in glob.glob("/proc/[0-9]*/fd/*"):
                process = int(link.split("/")[2])
                try:
                    if process != os.getpid() and os.readlink(link) == path:
                        return process
                except OSError:
                    continue

    def test_what_a_killed_run_has_left_is_written_over(self):
        self.write("picture.jpg", jpeg(1200, 800))
        os.mkdir(self.target)
        with open(os.path.join(self.target, ".picture.jpg.part"), "wb") as file:
            file.write(bytes(100_000))
        for way in WAYS:
            with self.subTest(way):
                self.assert_good(self.thumbnails("--with", way), 1, way)
                self.assertEqual(self.made(), ["picture.jpg"])
                self.assertEqual(jpeg_size(self.read("picture.jpg")), (256, 171))
                self.assertEqual(self.read("picture.jpg")[-2:], b"\xff\xd9")

    def test_full_disk_leaves_the_old_thumbnail(self):
        self.write("picture.jpg", jpeg(1200, 800))
        self.write("picture.png", png(16, 16, RGBA, bytes(16 * 16 * 4)))
        names = ["picture.jpg", "picture.png"]
        for way in WAYS:
            with self.subTest(way):
                self.assert_good(self.thumbnails("--with", way), 2, way)
                whole = [self.read(name) for name in names]
                for name in names:
                    os.symlink("/dev/full", os.path.join(self.target, f".{name}.part"))
                result = self.thumbnails("--with", way)
                self.assertEqual(result.code, 1)
                self.assertEqual(result.err.count(b": the thumbnail cannot be written"), 2, result.err)
                self.assertEqual(self.made(), names)
                self.assertEqual([self.read(name) for name in names], whole)


class CommandLine(ThumbnailsTest):
    def assert_refused(self, code, message, *arguments):
        result = self.run_program(THUMBNAILS, *arguments)
        self.assertEqual((result.code, result.out), (code, b""))
        self.assertEqual(result.err.decode(), message)

    def test_pictures_are_never_written_over(self):
        self.write("below/picture.jpg", jpeg(8, 8))
        below, link = os.path.join(self.source, "below"), os.path.join(self.make_directory(), "link")
        os.symlink(self.source, link)
        for source, target in ((below, below), (below, self.source), (below, below + "/../"), (below, link), (link, self.source)):
            with self.subTest(target):
                self.assert_refused(1, f"thumbnails: {target}: thumbnails there could take the place of pictures in {source}\n", source, target)
        self.assertEqual(os.listdir(below), ["picture.jpg"])

    def test_missing_directory(self):
        self.assert_refused(1, f"thumbnails: {self.source}/none: No such file or directory\n", self.source + "/none", self.target)

    def test_file_instead_of_a_directory(self):
        self.write("file.jpg", jpeg(8, 8))
        self.assert_refused(1, f"thumbnails: {self.source}/file.jpg: Not a directory\n", self.source + "/file.jpg", self.target)

    def test_file_instead_of_the_target(self):
        self.write("file.jpg", jpeg(8, 8))
        with open(self.target, "wb"):
            pass
        for way in WAYS:
            with self.subTest(way):
                result = self.thumbnails("--with", way)
                self.assertEqual(result.code, 1)
                self.assertRegex(result.err.decode(), rf"\Athumbnails: {self.source}/file\.jpg: .*Not a directory.*\n\Z")

    def test_no_directory(self):
        self.assert_refused(2, "thumbnails: SRC is required (see --help)\n")

    def test_number_of_workers_out_of_range(self):
        for number in ("0", "-1", "10001", "two"):
            self.assert_refused(2, f"thumbnails: --workers: Value {number} not in range 1 to 10000 (see --help)\n", self.source, self.target, "--workers", number)

    def test_threads_cannot_be_limited(self):
        for limit in ("--timeout", "--memory"):
            self.assert_refused(2, "thumbnails: --with: a thread can be neither ended nor bounded, so --timeout and --memory are for processes (see --help)\n",
                                self.source, self.target, "--with", "threads", limit, "5")

    def test_help(self):
        result = self.run_program(THUMBNAILS, "--help")
        self.assertEqual((result.code, result.err), (0, b""))
        self.assertIn(b"thumbnails [OPTIONS] SRC DST", result.out)


if __name__ == "__main__":
    unittest.main()

"""train: on small pictures made here, which a classifier can learn; and on files that are none."""

import os
import random
import re
import signal
import struct
import subprocess
import unittest

from programs import BUILD_DIR, ProgramTest

TRAIN = os.path.join(BUILD_DIR, "examples", "train")
WAYS = ("threads", "processes")
SIDE = 6
TRIALS = 16


def idx(dimensions, content):
    return struct.pack(f">BBBB{len(dimensions)}I", 0, 0, 8, len(dimensions), *dimensions) + content


def picture(label, chance):
    """Noise, and three bright pixels that tell the label."""
    pixels = [chance.randrange(100) for _ in range(SIDE * SIDE)]
    for pixel in range(3):
        pixels[3 * label + pixel] = 255
    return bytes(pixels)


class TrainTest(ProgramTest):
    def setUp(self):
        os.environ["NO_PROGRESS"] = "1"
        self.directory = self.make_directory()

    def write(self, name, content):
        with open(os.path.join(self.directory, name), "wb") as file:
            file.write(content)

    def write_pictures(self, prefix, count):
        chance = random.Random(count)
        labels = bytes(chance.randrange(10) for _ in range(count))
        self.write(f"{prefix}-images-idx3-ubyte", idx([count, SIDE, SIDE], b"".join(picture(label, chance) for label in labels)))
        self.write(f"{prefix}-labels-idx1-ubyte", idx([count], labels))

    def write_data(self):
        self.write_pictures("train", 1200)
        self.write_pictures("t10k", 150)

    def train(self, *arguments):
        return self.run_program(TRAIN, self.directory, *arguments)


class Search(TrainTest):
    ROW = r"\s*(\d+\.\d\d)%\s+(\d+)\s+([\d.]+)\s+\d+\.\d\d\Z"

    def table(self, result, way, workers=None):
        self.assertEqual((result.code, result.err), (0, b""))
        lines = result.lines
        self.assertEqual(lines[0], "train: 1200 pictures to learn from, 200 of them to choose by, 150 to test with")
        self.assertEqual(lines[1].split(), ["accuracy", "hidden", "units", "rate", "seconds"])
        self.assertRegex(lines[-2], rf"\Atrain: \d+ equal trials: \d+\.\d\d s one after the other, \d+\.\d\d s by {workers or '[0-9]+'} {way}: \d+\.\d\d times as fast \(.*\)\Z")
        self.assertRegex(lines[-1], rf"\Atrain: {TRIALS} trials, 0 failed, \d+\.\d\d s, {workers or '[0-9]+'} {way}\Z")
        rows = []
        for line in lines[2:-3]:
            match = re.match(self.ROW, line)
            self.assertTrue(match, line)
            rows.append((float(match[1]), int(match[2]), float(match[3])))
        return rows, lines[-3]

    def test_learns_and_shows_the_best_first(self):
        self.write_data()
        rows, best = self.table(self.train("--epochs", "10"), "processes")
        self.assertEqual(len({row[1:] for row in rows}), TRIALS)
        self.assertEqual([row[0] for row in rows], sorted((row[0] for row in rows), reverse=True))
        self.assertGreater(rows[0][0], 95)
        match = re.match(r"train: best: (\d+) units, rate ([\d.]+): (\d+\.\d\d)% of the test's pictures right\Z", best)
        self.assertEqual((int(match[1]), float(match[2])), rows[0][1:])
        self.assertGreater(float(match[3]), 95)

    def test_same_table_whoever_computes_it(self):
        self.write_data()
        expected = None
        for way, more in (("threads", []), ("threads", ["--workers", "1"]), ("processes", ["--workers", "3"]), ("processes", ["--start-method", "spawn"])):
            with self.subTest(f"{way} {more}"):
                found = self.table(self.train("--epochs", "1", "--with", way, *more), way, more[1] if "--workers" in more else None)
                expected = expected or found
                self.assertEqual(found, expected)

    def test_by_fork(self):
        self.write_data()
        self.assertEqual(self.table(self.train("--epochs", "1", "--start-method", "fork"), "processes"), self.table(self.train("--epochs", "1"), "processes"))

    def test_quick_takes_some_of_the_pictures(self):
        self.write_pictures("train", 6001)
        self.write_pictures("t10k", 150)
        result = self.train("--quick", "--epochs", "1")
        self.assertEqual(result.code, 0)
        self.assertEqual(result.lines[0], "train: 6000 pictures to learn from, 1000 of them to choose by, 150 to test with")

    def test_ctrl_c_shows_what_there_is(self):
        self.write_data()
        for way in WAYS:
            with self.subTest(way), subprocess.Popen([TRAIN, self.directory, "--epochs", "1000000", "--workers", "2", "--with", way], stdout=subprocess.PIPE,
                                                     stderr=subprocess.PIPE, start_new_session=True) as running:
                running.stdout.readline()
                while not self.handles_interrupts(running.pid):
                    pass
                os.killpg(running.pid, signal.SIGINT)  # as a terminal does it: to all of them
                result = self.finish(running)
                self.assertEqual(result.code, 130)
                done = len(result.lines) - 2 - result.out.count(b"best:")
                self.assertEqual(result.lines[0].split()[0], "accuracy")
                self.assertEqual(result.err.decode(), f"train: stopped by Ctrl-C: {TRIALS - done} trials have not ended\n")
                self.assertEqual(done, 0)  # each would take hours
                self.assertRegex(result.lines[-1], rf"\Atrain: {done} trials, 0 failed, .* 2 {way}\Z")

    def handles_interrupts(self, pid):
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            return int(re.search(r"SigCgt:\t(\w+)", file.read())[1], 16) & 1 << signal.SIGINT - 1


class Faults(TrainTest):
    def assert_refused(self, message):
        for way in WAYS:
            result = self.train("--with", way)
            self.assertEqual((result.code, result.out, result.err.decode()), (1, b"", f"train: {self.directory}/{message}\n"))

    def test_files_that_are_not_there(self):
        self.assert_refused("train-images-idx3-ubyte: No such file or directory; examples/train/fetch_data DIR gets the files")

    def test_files_that_are_cut_short(self):
        for cut in (0, 3, 10, 16, 1000):
            with self.subTest(cut):
                self.write_data()
                os.truncate(os.path.join(self.directory, "t10k-images-idx3-ubyte"), cut)
                self.assert_refused("t10k-images-idx3-ubyte: it is cut short; fetch it again")

    def test_files_that_are_something_else(self):
        self.write_data()
        self.write("train-images-idx3-ubyte", b"\x1f\x8b\x08\x00 packed")
        self.assert_refused("train-images-idx3-ubyte: it is no idx file of bytes; it may have to be unpacked")
        self.write("train-images-idx3-ubyte", idx([5], bytes(5)))
        self.assert_refused("train-images-idx3-ubyte: it has 1 dimensions instead of 3")

    def test_sizes_that_cannot_be(self):
        for dimensions in ([0, 6, 6], [0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF], [100_000, 1000, 1000]):
            self.write("train-images-idx3-ubyte", idx(dimensions, b""))
            self.assert_refused("train-images-idx3-ubyte: it claims to be empty or larger than 4 GiB")

    def test_files_that_do_not_belong_together(self):
        self.write_data()
        self.write("train-labels-idx1-ubyte", idx([3], bytes(3)))
        self.assert_refused("train-labels-idx1-ubyte: 3 labels for 1200 pictures; the two files do not belong together")
        self.write("train-labels-idx1-ubyte", idx([1200], bytes([10] * 1200)))
        self.assert_refused("train-labels-idx1-ubyte: a label is above 9")

    def test_command_line(self):
        for message, arguments in (("DIR is required", []), ("--workers: Value 0 not in range 1 to 1000", ["x", "--workers", "0"]),
                                   ("--with: --start-method is for processes", ["x", "--with", "threads", "--start-method", "fork"])):
            result = self.run_program(TRAIN, *arguments)
            self.assertEqual((result.code, result.out, result.err.decode()), (2, b"", f"train: {message} (see --help)\n"))


if __name__ == "__main__":
    unittest.main()

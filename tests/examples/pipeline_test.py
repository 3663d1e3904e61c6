"""pipeline: what comes out is what went in, also when it is stopped in the middle or its workers are killed."""

import glob
import gzip
import os
import random
import re
import shutil
import signal
import subprocess
import unittest

from programs import BUILD_DIR, ProgramTest

PIPELINE = os.path.join(BUILD_DIR, "examples", "pipeline")
WAYS = ("threads", "processes")
BLOCK = 256 << 10
# Blocks that are given out at once to one reader and two workers: see Flow.
WINDOW = 4 * (1 + 2)
SUMMARY = r"pipeline: {} of {} blocks, {} bytes to \d+, \d+\.\d{{3}} s, \d+\.\d MB/s, \d+ {}\n\Z"


class PipelineTest(ProgramTest):
    def setUp(self):
        os.environ["NO_PROGRESS"] = "1"
        self.directory = self.make_directory()
        self.out = self.path("out.gz")

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content)
        return content

    def read(self, path):
        with open(path, "rb") as file:
            return file.read()

    def pipeline(self, *arguments):
        return self.run_program(PIPELINE, *arguments, cwd=self.directory)

    def assert_good(self, result, blocks, size, way):
        self.assertRegex(result.err.decode(), r"\A" + SUMMARY.format(blocks, blocks, size, way))
        self.assertEqual(result.code, 0)


class Whole(PipelineTest):
    def test_comes_out_as_it_went_in(self):
        lines = "".join(f"line {number}\n" for number in range(200_000)).encode()
        content = self.write("lines", lines) + self.write("one byte", b"x") + self.write("empty", b"") + self.write("zeros", bytes(3 << 20)) + self.write(
            "noise", random.Random(1).randbytes(BLOCK * 2))
        blocks = -(-len(lines) // BLOCK) + 1 + 0 + 12 + 2
        for way in WAYS:
            for more in (["--workers", "1"], ["--workers", "5", "--readers", "3", "--level", "1"]):
                with self.subTest(f"{more} {way}"):
                    result = self.pipeline("out.gz", "lines", "one byte", "empty", "zeros", "noise", "--block", "256", "--with", way, *more)
                    self.assert_good(result, blocks, len(content), way)
                    self.assertTrue(gzip.decompress(self.read(self.out)) == content)
                    self.assertEqual(subprocess.run(["gzip", "--test", self.out], check=False).returncode, 0)
                    os.unlink(self.out)

    def test_each_start_method(self):
        content = self.write("noise", random.Random(1).randbytes(BLOCK * 3))
        for method in ("forkserver", "spawn"):
            with self.subTest(method):
                self.check_start_method(method, content)

    def test_by_fork(self):
        self.check_start_method("fork", self.write("noise", random.Random(1).randbytes(BLOCK * 3)))

    def check_start_method(self, method, content):
        result = self.pipeline("-", "noise", "--block", "64", "--start-method", method)
        self.assert_good(result, 12, len(content), "processes")
        self.assertTrue(gzip.decompress(result.out) == content)

    def test_nothing_at_all_is_a_file_too(self):
        self.write("empty", b"")
        for way in WAYS:
            with self.subTest(way):
                result = self.pipeline("-", "empty", "--with", way)
                self.assert_good(result, 1, 0, way)
                self.assertEqual(gzip.decompress(result.out), b"")
                self.assertGreater(len(result.out), 0)


class Halted(PipelineTest):
    """Its output is not read, so it halts at its first block: the noise overfills a pipe. There is time."""

    def setUp(self):
        super().setUp()
        self.blocks = 40
        self.content = self.write("noise", random.Random(2).randbytes(BLOCK * self.blocks))

    def start(self, way):
        running = subprocess.Popen([PIPELINE, "-", "noise", "--block", str(BLOCK >> 10), "--workers", "2", "--with", way], cwd=self.directory, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        self.begun = os.read(running.stdout.fileno(), 10)
        return running

    def test_ctrl_c_loses_nothing(self):
        for way in WAYS:
            with self.subTest(way), self.start(way) as running:
                os.killpg(running.pid, signal.SIGINT)  # as a terminal does it: to all of them
                result = self.finish(running)
                self.assertEqual(result.code, 130)
                # What was given out is written: as much as may be under way, and neither more nor less.
                size = WINDOW * BLOCK
                self.assertTrue(gzip.decompress(self.begun + result.out) == self.content[:size])
                self.assertRegex(result.err.decode(), rf"\Apipeline: stopped by Ctrl-C at byte {size} of noise: {size} bytes are in the output\n"
                                 + SUMMARY.format(WINDOW, self.blocks, size, way))

    def test_second_ctrl_c_ends_it(self):
        with self.start("processes") as running:
            running.send_signal(signal.SIGINT)
            while self.waiting_signals(running.pid):
                pass
            running.send_signal(signal.SIGINT)
            self.assertEqual(self.finish(running).code, -signal.SIGINT)

    def waiting_signals(self, pid):
        status = self.read(f"/proc/{pid}/status").decode()
        return any(int(mask, 16) & 1 << signal.SIGINT - 1 for mask in re.findall(r"(?:SigPnd|ShdPnd):\t(\w+)", status))

    def test_all_workers_killed_and_nothing_lost(self):
        with self.start("processes") as running:
            children = [int(child) for tasks in glob.glob(f"/proc/{running.pid}/task/*/children") for child in self.read(tasks).split()]
            self.assertGreaterEqual(len(children), 3)
            for child in children:
                os.kill(child, signal.SIGKILL)
            result = self.finish(running)
        self.assertEqual(result.code, 0)
        self.assertTrue(gzip.decompress(self.begun + result.out) == self.content)
        self.assertRegex(result.err.decode(), r"\Apipeline: 3 workers died and were replaced; what they held was given out again\n"
                         + SUMMARY.format(self.blocks, self.blocks, len(self.content), "processes"))

    def test_killed_itself_it_leaves_nobody(self):
        with self.start("processes") as running:
            running.kill()
            self.assertEqual(self.finish(running).code, -signal.SIGKILL)  # which waits for all that it started

    def test_file_that_becomes_shorter_is_named_with_the_place(self):
        size = 20 * BLOCK  # not given out yet
        for way in WAYS:
            self.write("noise", self.content)
            with self.subTest(way), self.start(way) as running:
                os.truncate(self.path("noise"), size + 5)
                result = self.finish(running)
                self.assertEqual(result.code, 1)
                self.assertTrue(gzip.decompress(self.begun + result.out) == self.content[:size])
                self.assertRegex(result.err.decode(), rf"\Apipeline: noise: at byte {size}: it has become shorter\n"
                                 rf"pipeline: stopped at byte {size} of noise: {size} bytes are in the output\n" + SUMMARY.format(20, self.blocks, size, way))


class Resumed(PipelineTest):
    def test_goes_on_behind_the_last_whole_block(self):
        content = self.write("a", random.Random(3).randbytes(BLOCK * 2 + 100)) + self.write("b", bytes(BLOCK * 3))
        self.assertEqual(self.pipeline("whole.gz", "a", "b", "--block", "256").code, 0)
        whole = self.read(self.path("whole.gz"))
        first = int.from_bytes(whole[16:20], "little")
        for way in WAYS:
            for cut, left in ((0, 6), (1, 6), (19, 6), (first - 1, 6), (first, 5), (first + 21, 5), (len(whole) - 1, 1), (len(whole), 0)):
                with self.subTest(f"{cut} {way}"):
                    self.write("out.gz", whole[:cut])
                    result = self.pipeline("out.gz", "a", "b", "--block", "256", "--resume", "--with", way)
                    self.assert_good(result, left, r"\d+", way)
                    self.assertTrue(self.read(self.out) == whole)
        self.assertTrue(gzip.decompress(whole) == content)

    def test_interrupted_and_resumed(self):
        size = 1 << 40  # more than can be compressed before it is interrupted
        for way in WAYS:
            with open(self.path("big"), "wb") as file:
                file.truncate(size)
            with self.subTest(way), subprocess.Popen([PIPELINE, "out.gz", "big", "--level", "1", "--with", way], cwd=self.directory, stdout=subprocess.PIPE,
                                                     stderr=subprocess.PIPE) as running:
                while not os.path.exists(self.out) or os.path.getsize(self.out) == 0:
                    pass
                running.send_signal(signal.SIGINT)
                result = self.finish(running)
                self.assertEqual(result.code, 130)
                self.assertRegex(result.err.decode(), r"which is whole so far; --resume goes on with it\n")
                done = int(re.search(r"at byte (\d+) of big", result.err.decode())[1])
                self.assertEqual(self.zeros(), done)
                self.assertGreater(done, 0)
                os.truncate(self.path("big"), done + 5_000_000)
                self.assert_good(self.pipeline("out.gz", "big", "--resume", "--with", way), 5, 5_000_000, way)
                self.assertEqual(self.zeros(), done + 5_000_000)
                os.unlink(self.out)

    def zeros(self):
        """How many the output holds; it may be much."""
        count = 0
        with gzip.open(self.out) as file:
            while block := file.read(1 << 20):
                self.assertEqual(block.count(0), len(block))
                count += len(block)
        return count

    def test_other_file_is_not_touched(self):
        self.write("a", b"content")
        for other in (b"some text", gzip.compress(b"content"), b"\x1f\x8b\x08\x04 no header of ours"):
            self.write("out.gz", other)
            result = self.pipeline("out.gz", "a", "--resume")
            self.assertEqual((result.code, result.err), (1, b"pipeline: the output was not written by this program: byte 0 begins something else\n"))
            self.assertEqual(self.read(self.out), other)

    def test_files_that_are_shorter_than_the_output(self):
        self.write("a", b"content")
        self.assertEqual(self.pipeline("out.gz", "a").code, 0)
        self.write("a", b"cont")
        result = self.pipeline("out.gz", "a", "--resume")
        self.assertEqual((result.code, result.err), (1, b"pipeline: the output already holds 7 bytes, and the files together only 4\n"))


class Refused(PipelineTest):
    def assert_refused(self, code, message, *arguments):
        result = self.pipeline(*arguments)
        self.assertEqual((result.code, result.out, result.err.decode()), (code, b"", message))

    def test_output_that_is_there(self):
        self.write("a", b"content")
        self.write("out.gz", b"precious")
        self.assert_refused(1, "pipeline: out.gz: it is there already; go on with it by --resume, or remove it\n", "out.gz", "a")
        self.assertEqual(self.read(self.out), b"precious")

    def test_what_is_no_file(self):
        os.mkfifo(self.path("fifo"))
        self.assert_refused(1, "pipeline: none: No such file or directory\n", "out.gz", "none")
        self.assert_refused(1, "pipeline: fifo: it is no regular file\n", "out.gz", "fifo")
        self.assert_refused(1, "pipeline: .: it is no regular file\n", "out.gz", ".")
        self.assertFalse(os.path.exists(self.out))

    def test_unreadable_file_is_named(self):
        self.write("secret", b"content")
        os.chmod(self.path("secret"), 0)
        os.chmod(self.directory, 0o755)
        program, options = PIPELINE, {}
        if os.geteuid() == 0:  # root may read everything
            program = shutil.copy(PIPELINE, self.directory)
            options = {"user": 65534, "group": 65534, "extra_groups": []}
        for way in WAYS:
            result = self.run_program(program, "-", "secret", "--with", way, cwd=self.directory, **options)
            self.assertEqual(result.code, 1)
            self.assertIn(b"pipeline: secret: at byte 0: Permission denied\n", result.err)

    def test_full_disk_is_an_error(self):
        self.write("a", b"content")
        for way in WAYS:
            with open("/dev/full", "wb") as full:
                running = subprocess.run([PIPELINE, "-", self.path("a"), "--with", way], stdout=full, stderr=subprocess.PIPE, check=False)
            self.assertEqual(running.returncode, 1)
            self.assertIn(b"pipeline: the output cannot be written: No space left on device\n", running.stderr)

    def test_command_line(self):
        self.assert_refused(2, "pipeline: OUT is required (see --help)\n")
        self.assert_refused(2, "pipeline: FILE is required (see --help)\n", "out.gz")
        self.assert_refused(2, "pipeline: --workers: Value 0 not in range 1 to 1000 (see --help)\n", "out.gz", "a", "--workers", "0")
        self.assert_refused(2, "pipeline: --with: --start-method is for processes (see --help)\n", "out.gz", "a", "--with", "threads", "--start-method", "fork")
        self.assert_refused(2, "pipeline: --resume: what went to standard output cannot be read again (see --help)\n", "-", "a", "--resume")


if __name__ == "__main__":
    unittest.main()

"""Runs a built program to its end and looks for what it leaves behind."""

import ctypes
import functools
import os
import pty
import subprocess
import tempfile
import time
import unittest

BUILD_DIR = os.environ.get("BUILD_DIR", "build/release")
TOOLS_DIR = os.environ.get("TOOLS_DIR", "tools")
HASH_TREE = os.path.join(BUILD_DIR, "examples", "hash_tree")

PR_SET_CHILD_SUBREAPER = 36


class Result:
    def __init__(self, pid, code, out, err, took):
        self.pid, self.code, self.out, self.err, self.took = pid, code, out, err, took

    @property
    def lines(self):
        return self.out.decode().splitlines()


class TooSlow(AssertionError):
    """Something came later than what sleeps meanwhile allows."""


def in_one_run_of_five(test):
    """For what can be seen only if the machine does not halt as long as a program sleeps: all five runs must be too slow for it to fail."""

    @functools.wraps(test)
    def runs(*arguments):
        for _ in range(4):
            try:
                return test(*arguments)
            except TooSlow:
                continue
        return test(*arguments)

    return runs


class ProgramTest(unittest.TestCase):
    def assert_in_time(self, holds, message):
        if not holds:
            raise TooSlow(message)

    @classmethod
    def setUpClass(cls):
        # What a program leaves behind becomes a child of this process and can be waited for.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def make_directory(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return directory.name

    def run_program(self, *command, **options):
        """To its end and to the end of all it started: a process that stays would hang the test."""
        begin = time.monotonic()
        return self.finish(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options), begin)

    def finish(self, running, begin=0.0):
        out, err = running.communicate()
        took = time.monotonic() - begin
        self.wait_for_orphans()
        return Result(running.pid, running.returncode, out, err, took)

    def run_on_terminal(self, *command, streams, **options):
        """These of its streams are a terminal: what that showed, and what went to standard output if that is none."""
        terminal, other_end = pty.openpty()
        options |= {stream: other_end for stream in streams}
        with subprocess.Popen(command, **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **options}) as running:
            os.close(other_end)
            shown = b""
            while True:
                try:
                    shown += os.read(terminal, 65536)
                except OSError:  # no process has the other end any more
                    break
            out = running.stdout.read() if running.stdout else b""
        os.close(terminal)
        self.assertEqual(running.returncode, 0)
        return shown, out

    def wait_for_orphans(self):
        while True:
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return

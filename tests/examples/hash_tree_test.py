"""hash_tree against find, sort and sha256sum, and against files that misbehave."""

import ctypes
import fcntl
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import unittest

from programs import HASH_TREE, ProgramTest

WAYS = ("serial", "threads", "processes")
NOBODY = 65534
IN_OPEN = 0x20


class HashTreeTest(ProgramTest):
    def setUp(self):
        self.directory = self.make_directory()

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def write(self, name, content):
        with open(os.path.join(os.fsencode(self.directory), name), "wb") as file:
            file.write(content)

    def hash_tree(self, *arguments, **options):
        return self.run_program(HASH_TREE, *arguments, **options)

    def sha256sum(self, directory, cwd=None):
        script = 'find "$0" -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum --'
        return subprocess.run(["bash", "-o", "pipefail", "-c", script, directory], check=True, stdout=subprocess.PIPE, cwd=cwd).stdout

    def check_against_sha256sum(self, directory, way, *more, cwd=None):
        result = self.hash_tree("--with", way, *more, "--", directory, cwd=cwd)
        self.assertEqual(result.code, 0, result.err)
        expected = self.sha256sum(directory, cwd)
        # Not assertEqual: it would spend minutes on the difference of two long texts.
        self.assertTrue(result.out == expected, "the output is not that of sha256sum")
        self.assertRegex(result.err.decode(), rf"\Ahash_tree: {expected.count(10)} files, \d+ bytes, \d+\.\d+ s, \d+\.\d MB/s, (\d+ )?{way}\n\Z")
        return expected


class Output(HashTreeTest):
    def test_usr_include_serial(self):
        self.assertGreater(self.check_against_sha256sum("/usr/include", "serial").count(10), 1000)

    def test_usr_include_threads(self):
        self.check_against_sha256sum("/usr/include", "threads", "--workers", "3")

    def test_usr_include_processes(self):
        self.check_against_sha256sum("/usr/include", "processes", "--workers", "3")

    def test_names_of_any_bytes(self):
        names = [b"new\nline", b"back\\slash", b"carriage\rreturn", b"\xff\xfe", b"-dash", b"--", b" blank ", b"tab\t", b"\x01", b"*", "ü".encode(),
                 b"both\\\n", b"'\"", b"a", b"a.b", b"a-b", b"B"]
        for name in names:
            self.write(name, name)
        os.mkdir(self.path("a b"))  # "a b/x" sorts between "a" and "a-b"
        self.write(b"a b/x", b"")
        for way in WAYS:
            with self.subTest(way):
                expected = self.check_against_sha256sum(self.directory, way)
                self.assertEqual(expected.count(10), len(names) + 1)

    def test_empty_files_and_files_of_many_blocks(self):
        self.write(b"empty", b"")
        self.write(b"one block", bytes(1 << 20))
        self.write(b"one block and one", bytes((1 << 20) + 1))
        self.write(b"many", os.urandom(5_000_000))
        for way in WAYS:
            with self.subTest(way):
                self.check_against_sha256sum(self.directory, way)

    def test_empty_directory(self):
        for way in WAYS:
            with self.subTest(way):
                self.assertEqual(self.check_against_sha256sum(self.directory, way), b"")

    def test_directory_as_it_was_given(self):
        os.makedirs(self.path("-d", "e"))
        self.write(b"-d/e/f", b"f")
        for given in (".", "./", "./-d", self.directory + "//", self.path("-d") + "/"):
            with self.subTest(given):
                self.check_against_sha256sum(given, "threads", cwd=self.directory)
        result = self.hash_tree("--", "-d", cwd=self.directory)
        self.assertRegex(result.out, rb"\A[0-9a-f]{64}  -d/e/f\n\Z")

    def test_what_is_no_regular_file_is_passed_over(self):
        self.write(b"file", b"content")
        os.mkfifo(self.path("fifo"))
        os.symlink("file", self.path("link"))
        os.symlink("nowhere", self.path("broken"))
        os.symlink(".", self.path("loop"))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.path("socket"))
        for way in WAYS:
            with self.subTest(way):
                self.assertEqual(self.check_against_sha256sum(self.directory, way).count(10), 1)

    def test_more_workers_than_files(self):
        self.write(b"file", b"content")
        for way in WAYS:
            with self.subTest(way):
                self.check_against_sha256sum(self.directory, way, "--workers", "500")

    def test_progress_bar_on_a_terminal_only(self):
        for number in range(100):
            self.write(b"%d" % number, bytes(number))
        self.assertNotIn(b"\r", self.hash_tree(self.directory).err)
        shown, _ = self.run_on_terminal(HASH_TREE, self.directory, streams=["stderr"])
        self.assertRegex(shown, rb"\r\[\.+\]  0/100 files")
        self.assertRegex(shown, rb"\r\[#+\]  100/100 files +\d+\.\d MB/s  0:00 left\x1b\[K\r\x1b\[Khash_tree: 100 files, 4950 bytes")


class Faults(HashTreeTest):
    def assert_partial(self, result, good, bad):
        """`good` are the files hashed, `bad` a pattern for each line about one that was not."""
        self.assertEqual(result.code, 1)
        self.assertEqual([line.split(b"  ")[1] for line in result.out.splitlines()], [os.fsencode(self.path(name)) for name in good])
        lines = result.err.decode().splitlines()
        self.assertEqual(len(lines), len(bad) + 1, lines)
        for line, pattern in zip(lines, bad):
            self.assertRegex(line, rf"\Ahash_tree: {re.escape(self.directory)}/{pattern}\Z")
        self.assertTrue(lines[-1].startswith(f"hash_tree: {len(good)} files, "), lines)

    def test_unreadable_file_and_directories_are_named(self):
        os.chmod(self.directory, 0o755)
        for name in ("closed", "listable", "open"):
            os.mkdir(self.path(name))
            self.write(name.encode() + b"/file", b"content")
        self.write(b"secret", b"content")
        self.write(b"z", b"content")
        os.chmod(self.path("closed"), 0)
        os.chmod(self.path("listable"), 0o444)
        os.chmod(self.path("secret"), 0)
        program, options = HASH_TREE, {}
        if os.geteuid() == 0:  # root may read everything
            public = self.make_directory()
            os.chmod(public, 0o755)
            program = shutil.copy(HASH_TREE, public)
            options = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        for way in WAYS:
            with self.subTest(way):
                result = self.run_program(program, self.directory, "--with", way, **options)
                self.assert_partial(result, ["open/file", "z"],
                                    ["closed: Permission denied", "listable/file: Permission denied", "secret: Permission denied"])
        os.chmod(self.path("closed"), 0o755)
        os.chmod(self.path("listable"), 0o755)

    def change_under_way(self, way, change):
        """Calls `change` between the listing of the files "a" and "b" and the reading of "b"."""
        self.write(b"a", b"first")
        self.write(b"b", b"second")
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
        with open(self.path("a"), "r+b") as held:
            try:
                fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            except OSError as error:
                self.skipTest(f"no lease on a file here: {error}")
            # The one worker now waits in its open of "a" until the lease is given up.
            with subprocess.Popen([HASH_TREE, self.directory, "--workers", "1", "--with", way],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
                signal.sigwait({signal.SIGIO})
                change()
                fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_UNLCK)
                result = self.finish(running)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGIO})
        return result

    def test_file_that_vanishes_is_named(self):
        for way in WAYS:
            with self.subTest(way):
                result = self.change_under_way(way, lambda: os.unlink(self.path("b")))
                self.assert_partial(result, ["a"], ["b: No such file or directory"])

    def test_file_that_becomes_a_fifo_is_named(self):
        def make_fifo():
            os.unlink(self.path("b"))
            os.mkfifo(self.path("b"))

        for way in WAYS:
            with self.subTest(way):
                result = self.change_under_way(way, make_fifo)
                self.assert_partial(result, ["a"], ["b: It is no regular file any more"])
                os.unlink(self.path("b"))

    def test_worker_that_dies_costs_its_batch(self):
        self.write(b"a", b"content")
        with open(self.path("big"), "wb") as file:
            file.truncate(64 << 30)  # more than can be hashed before it is found
        self.write(b"c", b"content")
        libc = ctypes.CDLL(None, use_errno=True)
        watch = libc.inotify_init1(os.O_CLOEXEC)
        self.assertGreaterEqual(libc.inotify_add_watch(watch, os.fsencode(self.path("big")), IN_OPEN), 0)
        with subprocess.Popen([HASH_TREE, self.directory, "--workers", "2", "--with", "processes"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            os.read(watch, 4096)
            os.kill(self.process_that_has_open(self.path("big")), signal.SIGKILL)
            result = self.finish(running)
        os.close(watch)
        self.assert_partial(result, ["a", "c"], ["big: Its worker failed: killed by SIGKILL.*"])

    def process_that_has_open(self, path):
        while True:  # a process that has just opened it may not have it in its table yet
            for link in glob.glob("/proc/[0-9]*/fd/*"):
                try:
                    if os.readlink(link) == path:
                        return int(link.split("/")[2])
                except OSError:
                    continue

    def test_full_disk_under_the_output_is_an_error(self):
        self.write(b"file", b"content")
        with open("/dev/full", "wb") as full:
            running = subprocess.run([HASH_TREE, self.directory], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(running.returncode, 1)
        self.assertIn(b"hash_tree: the result could not be written to standard output\n", running.stderr)


class CommandLine(HashTreeTest):
    def assert_refused(self, code, message, *arguments):
        result = self.hash_tree(*arguments)
        self.assertEqual((result.code, result.out), (code, b""))
        self.assertEqual(result.err.decode(), message)

    def test_missing_directory(self):
        for way in WAYS:
            self.assert_refused(1, f"hash_tree: {self.directory}/none: No such file or directory\n", self.path("none"), "--with", way)

    def test_file_instead_of_a_directory(self):
        self.write(b"file", b"")
        self.assert_refused(1, f"hash_tree: {self.directory}/file: Not a directory\n", self.path("file"))

    def test_no_directory(self):
        self.assert_refused(2, "hash_tree: DIR is required (see --help)\n")

    def test_number_of_workers_out_of_range(self):
        for number in ("0", "-1", "-3", "10001", "two", "99999999999999999999"):
            self.assert_refused(2, f"hash_tree: --workers: Value {number} not in range 1 to 10000 (see --help)\n", self.directory, "--workers", number)

    def test_unknown_way(self):
        self.assert_refused(2, "hash_tree: --with: fibers not in {processes,threads,serial} (see --help)\n", self.directory, "--with", "fibers")

    def test_help(self):
        result = self.hash_tree("--help")
        self.assertEqual((result.code, result.err), (0, b""))
        self.assertIn(b"hash_tree [OPTIONS] DIR", result.out)


if __name__ == "__main__":
    unittest.main()

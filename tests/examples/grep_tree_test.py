"""grep_tree against grep -E, and with patterns that std::regex does not survive."""

import os
import re
import shutil
import signal
import subprocess
import unittest

from programs import BUILD_DIR, ProgramTest

GREP_TREE = os.path.join(BUILD_DIR, "examples", "grep_tree")
WAYS = ("threads", "processes")
NOBODY = 65534
SUMMARY = r"grep_tree: {} lines in \d+ of {} files, {} binary, {} failed, \d+\.\d{{3}} s, \d+\.\d MB/s, \d+ {}\n\Z"

OVERFLOWS = "(a|b)*c?"  # on a long line
NEVER_ENDS = "(x*)*y"


class GrepTreeTest(ProgramTest):
    def setUp(self):
        self.directory = self.make_directory()

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def write(self, name, content):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)

    def grep_tree(self, pattern, *arguments, **options):
        return self.run_program(GREP_TREE, *arguments, "--", pattern, self.directory, **options)

    def grep(self, pattern):
        script = 'find "$1" -type f -print0 | LC_ALL=C sort -z | LC_ALL=C xargs -0 -r grep -nHIE -e "$0" --'
        return subprocess.run(["bash", "-c", script, pattern, self.directory], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)

    def make_tree(self):
        source = "static int lock(struct lock* it) {\n\tif (it->held) return -EBUSY;\r\n\treturn ++it->held;  /* 42 */\n}\n\n"
        for number in range(60):
            self.write(f"drivers/{number % 7}/file {number}.c", (source * (number % 5) + f"last line of {number}, without an end").encode())
        self.write("empty", b"")
        self.write("newlines", b"\n\n\n")
        self.write("a:1:b", b"colons: a:1:b\n")
        self.write("latin1", "stra\xdfe\n".encode("latin-1"))
        self.write("long", b"lock " + b"z" * 3000 + b" held\n")
        self.write("binary", b"static int lock\0held\n")
        os.symlink("latin1", self.path("link"))
        os.symlink(".", self.path("loop"))
        os.mkfifo(self.path("fifo"))
        return 65 + 1  # files


class Output(GrepTreeTest):
    PATTERNS = ("lock", "^static", "held;?$", "return (-E|\\+\\+)", "[0-9]{2,}", "^$", "(lock|42).*held", "[[:space:]]+return", "file|line", ".", "a:1:b$", "no such thing",
                "\\*/", "stra.e", "")

    def assert_as_grep(self, pattern, files, way, *arguments):
        expected = self.grep(pattern)
        result = self.grep_tree(pattern, "--with", way, *arguments)
        self.assertEqual(result.out, expected.stdout)
        self.assertEqual(result.code, 0 if expected.stdout else 1)
        self.assertRegex(result.err.decode(), r"\A" + SUMMARY.format(expected.stdout.count(b"\n"), files, 1, 0, way))
        return expected.stdout

    def test_lines_are_those_of_grep(self):
        files = self.make_tree()
        for way in WAYS:
            for pattern in self.PATTERNS:
                with self.subTest(f"{pattern} with {way}"):
                    self.assert_as_grep(pattern, files, way, "--workers", "3")
        self.assertGreater(self.grep("held").stdout.count(b"\n"), 100)

    def test_any_number_of_workers_and_start_method(self):
        files = self.make_tree()
        for arguments in (["--workers", "1"], ["--workers", "40"], ["--start-method", "spawn"]):
            with self.subTest(arguments):
                self.assert_as_grep("held", files, "processes", *arguments)

    def test_by_fork(self):
        self.assert_as_grep("held", self.make_tree(), "processes", "--start-method", "fork")

    def test_nothing_to_search(self):
        for way in WAYS:
            with self.subTest(way):
                result = self.grep_tree("a", "--with", way)
                self.assertEqual((result.code, result.out), (1, b""))
                self.assertRegex(result.err.decode(), r"\A" + SUMMARY.format(0, 0, 0, 0, way))

    def test_on_a_terminal_a_bar_below_the_lines(self):
        self.make_tree()
        environment = {name: value for name, value in os.environ.items() if name != "NO_PROGRESS"}
        shown, _ = self.run_on_terminal(GREP_TREE, "a:1:b$", self.directory, streams=["stdout", "stderr"], env=environment)
        line = re.escape(os.fsencode(self.path("a:1:b"))) + rb":1:colons: a:1:b\r\n"
        self.assertRegex(shown, rb"\r\x1b\[K" + line + rb"\rfiles  ")
        self.assertRegex(shown, rb"\rfiles  100%  \[#+\]  66/66 .*\x1b\[K.*\r\x1b\[Kgrep_tree: 1 lines in 1 of 66 files")


class Faults(GrepTreeTest):
    def assert_failures(self, result, found, failures, way="processes"):
        """`found`: the lines. `failures`: name and reason of each file that failed. Returns what else was said."""
        self.assertEqual(result.code, 2, result.err)
        self.assertEqual(result.out.decode(), "".join(f"{self.directory}/{line}\n" for line in found))
        self.assertRegex(result.err.decode(), SUMMARY.format(len(found), r"\d+", 0, len(failures), way))
        lines = result.err.decode().splitlines()[:-1]
        named = [line for line in lines if line.startswith("grep_tree: ")]
        self.assertEqual(len(named), len(failures), named)
        for line, (name, reason) in zip(named, sorted(failures.items())):
            self.assertRegex(line, rf"\Agrep_tree: {re.escape(self.directory)}/{re.escape(name)}: {reason}\Z")
        return [line for line in lines if line not in named]

    def test_names_the_place_of_a_crash_that_costs_nothing_else(self):
        self.write("a", b"abc\n")
        self.write("m/long", b"a" * 200_000 + b"\n")
        self.write("n", b"b\nno\n")
        self.write("z", b"c\n" * 3)
        # The stack may end in any of the library's functions that the executor calls.
        library = r" at /\S*/c\+\+/\d+/\S+:\d+"
        crash = rf"task \d+ \(search_file\): its worker was killed by SIGSEGV in \S+{library}; it had at most \d+ MiB in memory"
        for workers in ("1", "3"):
            with self.subTest(workers):
                result = self.grep_tree(OVERFLOWS, "--workers", workers)
                stack = self.assert_failures(result, ["a:1:abc", "n:1:b", "n:2:no", "z:1:c", "z:2:c", "z:3:c"], {"m/long": crash})
                self.assertEqual(len(stack), 5)
                for number, frame in enumerate(stack[:4]):
                    self.assertRegex(frame, rf"\A    #{number} .*{library}\Z")
                self.assertIn("_Executor<", "".join(stack[:4]))
                self.assertRegex(stack[4], r"\A    and \d+ more\Z")

    def test_crash_in_a_thread_is_the_end_of_the_program(self):
        self.write("long", b"a" * 200_000 + b"\n")
        result = self.grep_tree(OVERFLOWS, "--with", "threads")
        self.assertEqual(result.code, -signal.SIGSEGV)

    def test_time_is_bounded(self):
        self.write("a", b"yes\n")
        self.write("b", b"x" * 60 + b"\n")
        self.write("c", b"xy\n")
        result = self.grep_tree(NEVER_ENDS, "--timeout", "5")
        self.assert_failures(result, ["a:1:yes", "c:1:xy"], {"b": r"task \d+ \(search_file\) took longer than its timeout of 5.* s, and its worker was ended"})
        self.assertGreaterEqual(result.took, 5)

    def test_unreadable_files_and_directories_are_named(self):
        os.chmod(self.directory, 0o755)
        for name in ("closed/file", "open/file", "secret", "z"):
            self.write(name, b"content\n")
        os.chmod(self.path("open"), 0o755)
        os.chmod(self.path("closed"), 0)
        os.chmod(self.path("secret"), 0)
        program, options = GREP_TREE, {}
        if os.geteuid() == 0:  # root may read everything
            public = self.make_directory()
            os.chmod(public, 0o755)
            program = shutil.copy(GREP_TREE, public)
            options = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        for way in WAYS:
            with self.subTest(way):
                result = self.run_program(program, "content", self.directory, "--with", way, **options)
                self.assert_failures(result, ["open/file:1:content", "z:1:content"], {"closed": "Permission denied", "secret": "Permission denied"}, way)
        os.chmod(self.path("closed"), 0o755)

    def test_ctrl_c_ends_it_and_keeps_what_was_found(self):
        self.write("a", b"yes\n")
        self.write("b", b"x" * 60 + b"\n")
        for way in WAYS:
            with self.subTest(way):
                with subprocess.Popen([GREP_TREE, NEVER_ENDS, self.directory, "--with", way], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      start_new_session=True) as running:
                    line = running.stdout.readline()
                    os.killpg(running.pid, signal.SIGINT)  # as a terminal does it: to all of them
                    result = self.finish(running)
                self.assertEqual((result.code, line, result.out), (-signal.SIGINT, os.fsencode(self.path("a:1:yes\n")), b""))

    def test_full_disk_under_the_output_is_an_error(self):
        self.write("a", b"yes\n")
        with open("/dev/full", "wb") as full:
            running = subprocess.run([GREP_TREE, "yes", self.directory], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual((running.returncode, running.stderr), (2, b"grep_tree: standard output cannot be written: No space left on device\n"))

    def test_reader_of_the_output_that_leaves_ends_it(self):
        for number in range(200):
            self.write(str(number), b"yes\n" * 500)
        with subprocess.Popen([GREP_TREE, "yes", self.directory], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            running.stdout.readline()
            running.stdout.close()
            running.stdout = None
            self.assertEqual(self.finish(running).code, -signal.SIGPIPE)


class CommandLine(GrepTreeTest):
    def assert_refused(self, message, *arguments):
        result = self.run_program(GREP_TREE, *arguments)
        self.assertEqual((result.code, result.out), (2, b""))
        self.assertRegex(result.err.decode(), rf"\A{message}\n\Z")

    def test_bad_pattern(self):
        for pattern in ("(a", "[z-a]", "a{3", "*"):
            with self.subTest(pattern):
                self.assert_refused(r"grep_tree: PATTERN: .* \(see --help\)", pattern, self.directory)

    def test_missing_directory(self):
        self.assert_refused(f"grep_tree: {self.directory}/none: No such file or directory", "a", self.path("none"))

    def test_file_instead_of_a_directory(self):
        self.write("file", b"")
        self.assert_refused(f"grep_tree: {self.directory}/file: Not a directory", "a", self.path("file"))

    def test_no_directory(self):
        self.assert_refused(r"grep_tree: DIR is required \(see --help\)", "a")

    def test_number_of_workers_out_of_range(self):
        for number in ("0", "-1", "10001", "two"):
            self.assert_refused(rf"grep_tree: --workers: Value {number} not in range 1 to 10000 \(see --help\)", "a", self.directory, "--workers", number)

    def test_threads_cannot_be_ended(self):
        for more in (["--timeout", "5"], ["--start-method", "fork"]):
            self.assert_refused(r"grep_tree: --with: --timeout and --start-method are for processes: a thread cannot be ended \(see --help\)", "a", self.directory,
                                "--with", "threads", *more)

    def test_help(self):
        result = self.run_program(GREP_TREE, "--help")
        self.assertEqual((result.code, result.err), (0, b""))
        self.assertIn(b"grep_tree [OPTIONS] PATTERN DIR", result.out)


if __name__ == "__main__":
    unittest.main()

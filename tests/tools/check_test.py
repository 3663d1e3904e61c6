"""tools/check tells a test that failed by chance from one that has failed, and fails when it should."""

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

loader = importlib.machinery.SourceFileLoader("check", str(Path(__file__).resolve().parent.parent.parent / "tools" / "check"))
check = importlib.util.module_from_spec(importlib.util.spec_from_loader("check", loader))
loader.exec_module(check)

# `make STAGE` leaves what the test has prepared for its preset; `make stages` lists those prepared. A test run again passes or fails as listed.
MAKE = """#!/bin/sh
for last in "$@"; do :; done
if [ "$last" = stages ]; then
    echo test
    test ! -e prepared/asan || echo test-asan
    exit
fi
preset=$(echo "$last" | sed 's/^test$/release/; s/^test-//')
echo "$preset" >>ran
if [ -e leaves ]; then
    mkdir -p build
    cp "$(command -v sleep)" build/left_running
    build/left_running "$(cat leaves)" >/dev/null 2>&1 &
fi
cat "prepared/$preset" | { read status; mkdir -p build; cat >"build/$preset.junit.xml"; exit "$status"; }
"""
CTEST = """#!/bin/sh
echo "$@" >>again
read result <outcomes
sed -i 1d outcomes
exit "$result"
"""


class CheckTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        self.root = Path(folder.name)
        for name, text in {"bin/make": MAKE, "bin/ctest": CTEST, "scripts/setup": "#!/bin/sh\n"}.items():
            (self.root / name).parent.mkdir(exist_ok=True)
            (self.root / name).write_text(text)
            (self.root / name).chmod(0o755)
        (self.root / "prepared").mkdir()

    def prepare(self, stage, *cases, status=None):
        """cases: (name, status of ctest, output)"""
        if status is None:
            status = 2 if any(each[1] == "fail" for each in cases) else 0
        rows = "".join(f'<testcase name="{name}" status="{how}" time="1.5"><system-out>{output}</system-out></testcase>' for name, how, output in cases)
        (self.root / "prepared" / stage).write_text(f"{status}\n<testsuite>{rows}</testsuite>\n")

    def run_check(self, *outcomes, flaky=3):
        """outcomes: of each run again, 0 if it passes. Returns the exit status and the lines of the output."""
        (self.root / "outcomes").write_text("".join(f"{each}\n" for each in outcomes))
        out = io.StringIO()
        environment = {"PATH": f"{self.root}/bin:{os.environ['PATH']}", "MAKE": f"{self.root}/bin/make"}
        with mock.patch.object(check, "SOURCE", str(self.root)), mock.patch.object(sys, "argv", ["check", "--flaky", str(flaky)]), \
                mock.patch.dict(os.environ, environment), contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            status = check.main()
        return status, out.getvalue().splitlines()

    def runs_again(self):
        path = self.root / "again"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def test_all_pass(self):
        self.prepare("release", ("a", "run", ""), ("b", "notrun", ""))
        self.prepare("asan", ("a", "run", ""))
        status, lines = self.run_check()
        self.assertEqual((status, lines[-1]), (0, "2 passed, 0 failed, 1 skipped"))

    def test_one_that_passes_three_times_is_flaky_and_told(self):
        self.prepare("release", ("room: a (1)", "fail", "why"), ("b", "run", ""))
        status, lines = self.run_check(0, 0, 0)
        self.assertIn("flaky: room: a (1) 1 of 4", lines)
        self.assertEqual((status, lines[-1], self.runs_again()), (0, "2 passed, 0 failed", 3))
        self.assertIn(r"^room: a \(1\)$", (self.root / "again").read_text())

    def test_one_that_fails_again_has_failed_with_its_output_last(self):
        self.prepare("release", ("a", "fail", "the reason"))
        self.prepare("asan", ("a", "run", ""))
        status, lines = self.run_check(0, 1, 0)
        self.assertEqual((status, lines[-3:]), (1, ["FAILED in test: a (2 of 4, 1.5 s)", "the reason", "0 passed, 1 failed"]))
        self.assertEqual((self.root / "ran").read_text().split(), ["release"], "the stages after it are not run")

    def test_what_cannot_be_chance_is_not_run_again(self):
        for name, output in [("storm: storm", ""), ("every instruction: put", ""), ("q: Q.loses_and_doubles_no_permit", ""), ("q: Q.keeps_order/spawn", ""),
                             ("a", "==1==ERROR: AddressSanitizer: x"), ("a", "WARNING: ThreadSanitizer: data race"), ("a", "f.cpp:1:2: runtime error: y"),
                             ("q", "[  FAILED  ] Q.keeps_order/spawn")]:
            self.prepare("release", (name, "fail", output))
            self.assertEqual(self.run_check(0, 0, 0)[0], 1, name + output)
        self.assertEqual(self.runs_again(), 0)

    def test_more_than_may_be_flaky_have_failed(self):
        self.prepare("release", ("a", "fail", ""), ("b", "fail", ""))
        self.assertEqual(self.run_check(flaky=1)[0], 1)
        self.prepare("release", ("a", "fail", ""))
        self.prepare("asan", ("a", "fail", ""))
        self.assertEqual(self.run_check(0, 0, 0, 0, 0, 0, flaky=1)[0], 1, "the number is that of all stages")

    def test_what_fails_outside_of_tests_is_one_failure(self):
        self.prepare("release", ("a", "run", ""), status=2)
        status, lines = self.run_check()
        self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed"))
        self.assertIn("FAILED: make test; it failed outside of the tests: what it says is above", lines)

    def test_a_process_left_behind_is_one_failure_and_is_ended(self):
        self.prepare("release", ("a", "run", ""))
        self.prepare("asan", ("a", "run", ""))
        (self.root / "leaves").write_text("1000")
        with mock.patch.object(check, "SECONDS_TO_END", 0.2):
            status, lines = self.run_check()
        self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed"))
        said = "FAILED in test: a process was left behind by its tests: build/left_running 1000"
        self.assertIn(said, lines)
        with mock.patch.object(check, "SOURCE", str(self.root)):
            self.assertTrue(all(check.wait_for_end(pid, 60) for pid in check.processes_of_build()))

    def test_a_process_that_is_ending_is_none_left_behind(self):
        self.prepare("release", ("a", "run", ""))
        (self.root / "leaves").write_text("0.3")
        status, lines = self.run_check()
        self.assertEqual((status, lines[-1]), (0, "1 passed, 0 failed"))

    def test_a_failed_setup_says_that_no_test_was_run(self):
        (self.root / "scripts" / "setup").write_text("#!/bin/sh\nexit 1\n")
        self.prepare("release", ("a", "run", ""))
        status, lines = self.run_check()
        self.assertEqual((status, lines), (1, ["check: the set-up failed, as said above: nothing was built, and no test was run"]))


if __name__ == "__main__":
    unittest.main()

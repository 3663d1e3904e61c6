"""Each program of the article does what the article says of it.

Times have lower bounds only: what a program sleeps, it takes. That it does not take longer is told by
the order of its lines, in one run of five.
"""

import os
import re
import subprocess
import time
import unittest

from programs import BUILD_DIR, ProgramTest, in_one_run_of_five

SING_AND_DANCE = ["dance ..."] * 3 + ["sing ..."] * 3


def article_program(name):
    return os.path.join(BUILD_DIR, "examples", "article", name)


class ArticleTest(ProgramTest):
    def run_article(self, name, at_least):
        result = self.run_program(article_program(name))
        self.assertEqual(result.err.decode(), "")
        self.assertEqual(result.code, 0)
        self.assertGreaterEqual(result.took, at_least)
        return result

    def number_in(self, line, text):
        match = re.fullmatch(re.escape(text) + r" (\d+(\.\d+)?)", line)
        self.assertIsNotNone(match, f"{line!r} is not {text!r} and a number")
        return float(match[1])

    def assert_at_the_same_time(self, lines, one="sing ...", other="dance ..."):
        """Neither has ended when the other begins."""
        self.assert_in_time(lines.index(one) < len(lines) - 1 - lines[::-1].index(other), lines)
        self.assert_in_time(lines.index(other) < len(lines) - 1 - lines[::-1].index(one), lines)

    @in_one_run_of_five
    def check_without_join(self, name):
        test = "this is a test ... ..."
        begin = time.monotonic()
        came = []
        with subprocess.Popen([article_program(name)], stdout=subprocess.PIPE, text=True) as running:
            for line in running.stdout:
                came.append((line.rstrip("\n"), time.monotonic()))
        end = time.monotonic()
        self.assertEqual(running.returncode, 0)
        self.assertEqual(sorted(line for line, _ in came), sorted(SING_AND_DANCE + [test]))
        self.assertGreaterEqual(end - begin, 1.5)
        # Main speaks at 1 s, just when the others speak for the last time: in any order, but half a
        # second before they end.
        said = dict(came)[test]
        self.assertGreaterEqual(said - begin, 1.0)
        self.assert_in_time(end - said > 0.1, "main waited for what it started")

    @in_one_run_of_five
    def check_join(self, name):
        lines = self.run_article(name, 2.5).lines
        self.assertEqual(sorted(lines[:-1]), SING_AND_DANCE)
        self.assert_at_the_same_time(lines[:-1])
        self.assertGreaterEqual(self.number_in(lines[-1], "this is a test ... ..., it took:"), 1.0)

    @in_one_run_of_five
    def check_arguments(self, name):
        lines = self.run_article(name, 1.5).lines
        self.assertEqual(sorted(lines), SING_AND_DANCE)
        self.assert_at_the_same_time(lines)

    @in_one_run_of_five
    def check_waits(self, name):
        lines = self.run_article(name, 5.0).lines
        self.assertEqual(sorted(lines), ["the task is done!"] + ["working ..."] * 10)
        self.assert_in_time(lines[-1] != "the task is done!", "main waited before its line")

    @in_one_run_of_five
    def check_daemon(self, name):
        lines = self.run_article(name, 2.0).lines
        self.assertEqual(lines.count("the task is done!"), 1)
        self.assertEqual(set(lines) - {"the task is done!", "working ..."}, set())
        # Ten lines are its work; it is at the fourth when the program ends.
        self.assert_in_time(1 <= lines.count("working ...") <= 8, lines)


class Processes(ArticleTest):
    def test_s1_1_one_after_the_other_takes_the_sum(self):
        result = self.run_article("s1_1_one_after_the_other", 3.0)
        self.assertEqual(result.lines[:-1], ["sing ..."] * 3 + ["dance ..."] * 3)
        self.assertGreaterEqual(self.number_in(result.lines[-1], "time taken:"), 3.0)

    @in_one_run_of_five
    def test_s1_1_processes_run_at_the_same_time(self):
        lines = self.run_article("s1_1_processes", 1.5).lines
        self.assertEqual(sorted(lines[:-1]), SING_AND_DANCE)
        self.assert_at_the_same_time(lines[:-1])
        self.assertGreaterEqual(self.number_in(lines[-1], "time taken:"), 1.5)

    def test_s1_2_without_join_main_goes_on(self):
        self.check_without_join("s1_2_without_join")

    def test_s1_2_join_waits(self):
        self.check_join("s1_2_join")

    def test_s1_3_arguments_by_position_and_by_name(self):
        self.check_arguments("s1_3_arguments")

    def test_s1_4_children_know_their_pids_and_their_parent(self):
        result = self.run_article("s1_4_pids", 1.5)
        values = dict(line.rsplit(": ", 1) for line in result.lines if ": " in line)
        rest = [line for line in result.lines if ": " not in line]
        self.assertEqual(sorted(rest), SING_AND_DANCE)
        pids = {name: int(value) for name, value in values.items()}
        self.assertEqual(pids["pid of the program's parent (the terminal or shell)"], os.getpid())
        self.assertEqual(pids["pid of the program"], result.pid)
        self.assertEqual(pids["pid of sing's parent"], result.pid)
        self.assertEqual(pids["pid of dance's parent"], result.pid)
        self.assertEqual(len({result.pid, os.getpid(), pids["pid of sing"], pids["pid of dance"]}), 4)
        for name in ("sing", "dance"):
            own = [line for line in result.lines if line.startswith((f"pid of {name}", f"{name} ..."))]
            self.assertEqual([line.split(":")[0] for line in own[:2]], [f"pid of {name}'s parent", f"pid of {name}"])

    def test_s1_5_program_waits_for_its_child(self):
        self.check_waits("s1_5_waits_for_child")

    def test_s1_5_daemon_by_attribute_is_ended_with_the_program(self):
        self.check_daemon("s1_5_daemon_attribute")

    def test_s1_5_daemon_by_argument_is_ended_with_the_program(self):
        self.check_daemon("s1_5_daemon_argument")


class Threads(ArticleTest):
    @in_one_run_of_five
    def test_s2_1_threads_run_at_the_same_time(self):
        lines = self.run_article("s2_1_threads", 3.0).lines
        self.assertEqual(sorted(lines[:-1]), ["dancing ..."] * 3 + ["singing ..."] * 3)
        self.assert_at_the_same_time(lines[:-1], "singing ...", "dancing ...")
        self.assertGreaterEqual(self.number_in(lines[-1], "time taken:"), 3.0)

    def test_s2_2_without_join_main_goes_on(self):
        self.check_without_join("s2_2_without_join")

    def test_s2_2_join_waits(self):
        self.check_join("s2_2_join")

    def test_s2_3_arguments_by_position_and_by_name(self):
        self.check_arguments("s2_3_arguments")

    def test_s2_4_program_waits_for_its_thread(self):
        self.check_waits("s2_4_waits_for_thread")

    def test_s2_4_daemon_by_attribute_is_ended_with_the_program(self):
        self.check_daemon("s2_4_daemon_attribute")

    def test_s2_4_daemon_by_argument_is_ended_with_the_program(self):
        self.check_daemon("s2_4_daemon_argument")

    def test_s2_5_five_threads_print_themselves_in_any_order(self):
        lines = self.run_article("s2_5_order", 1.0).lines
        matches = [re.fullmatch(r"<Thread\(Thread-(\d) \(work\), started (\d+)\)>", line) for line in lines]
        self.assertTrue(all(matches), lines)
        self.assertEqual(sorted(match[1] for match in matches), ["1", "2", "3", "4", "5"])
        self.assertEqual(len({match[2] for match in matches}), 5)


class Faults(ArticleTest):
    def test_s3_5_crash_comes_back_as_a_report_and_harms_no_other(self):
        lines = self.run_article("s3_5_fault_isolation", 1.5).lines
        self.assertEqual(lines.count("sing ..."), 3)
        self.assertEqual(lines[-1], "sing was not disturbed, its exit code is 0")
        crash = [line for line in lines if line.startswith("dance crashed: killed by SIGSEGV in ")]
        self.assertEqual(len(crash), 1, lines)
        stack = [line for line in lines if re.match(r"#\d+ ", line)]
        for number, function in enumerate(("steps_of(int const*)", "dance()")):
            self.assertTrue(stack[number].startswith(f"#{number} {function}"), lines)


if __name__ == "__main__":
    unittest.main()

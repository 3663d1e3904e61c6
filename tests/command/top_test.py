"""chorus top: what it shows of a running program, once and on a terminal."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

BUILD_DIR = os.environ["BUILD_DIR"]
CHORUS = os.path.join(BUILD_DIR, "command", "chorus")
WATCHED = os.path.join(BUILD_DIR, "tests", "program_watched")
LIMIT = 60


def eventually(holds, what):
    """Looks again and again, and gives up only after a time that a broken program needs."""
    end = time.monotonic() + LIMIT
    while not (found := tried(holds)):
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {LIMIT} s")
        time.sleep(0.05)
    return found


def tried(holds):
    try:
        return holds()
    except (ValueError, IndexError):  # a row is not there, or not whole: a terminal shows what is written bit by bit
        return None


class Watched:
    """The program that is looked at, from `ready` to the end of its input."""

    def __init__(self, **options):
        self.options = options

    def __enter__(self):
        self.process = subprocess.Popen([WATCHED], **self.options, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        word, pid = self.process.stdout.readline().split()
        assert word == "ready"
        self.pid = int(pid)
        return self

    def say(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def end(self):
        self.process.stdin.close()
        return self.process.wait(LIMIT)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            stream.close()


def top(*arguments, **options):
    return subprocess.run([CHORUS, "top", *map(str, arguments)], capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL, **options)


def asleep(pid, **options):
    """What is shown when none of its processes is on a processor any more."""
    return eventually(lambda: not re.search("  runs$", seen := top(pid, "--once", **options).stdout, re.MULTILINE) and seen, "all asleep")


def row(text, name):
    """The cells of the line that begins with this."""
    (line,) = [line for line in text.splitlines() if line.startswith(name + "  ")]
    return re.split(r" {2,}", line.strip())


class Once(unittest.TestCase):
    def test_shows_pools_queues_and_processes(self):
        with Watched() as watched:
            text = asleep(watched.pid)
            self.assertEqual(row(text, "Squares"), ["Squares", "processes", "2", "5", "2", "-"])
            self.assertEqual(row(text, "Threads"), ["Threads", "threads", "3", "4", "5", "-"])
            self.assertEqual(row(text, "queue 1")[:3], ["queue 1", "7", "100"])
            self.assertEqual(row(text, "queue 1")[-1], "2 processes")
            self.assertEqual(row(text, "MainProcess")[1], str(watched.pid))
            for name in ("holder", "sleeper", "fork server"):
                self.assertEqual(row(text, name)[-1], "waits")
            workers = [re.split(r" {2,}", line) for line in text.splitlines() if line.startswith("Squares-")]
            self.assertEqual([worker[-1] for worker in workers], ["in a task", "in a task"])
            self.assertEqual(sum(int(worker[-2]) for worker in workers), 5)
            self.assertEqual(watched.end(), 0)

    def test_a_worker_leads_to_its_program(self):
        with Watched() as watched:
            worker = row(top(watched.pid, "--once").stdout, "Squares-1")[1]
            self.assertEqual(row(top(worker, "--once").stdout, "MainProcess")[1], str(watched.pid))

    def test_what_is_put_is_seen(self):
        with Watched() as watched:
            watched.say("put")
            eventually(lambda: row(top(watched.pid, "--once").stdout, "queue 1")[1] == "8", "the eighth item")

    def test_a_stopped_program_is_shown_too(self):
        with Watched() as watched:
            os.kill(watched.pid, signal.SIGSTOP)
            eventually(lambda: row(top(watched.pid, "--once").stdout, "MainProcess")[-1] == "stopped", "the stop")
            os.kill(watched.pid, signal.SIGCONT)

    def test_one_that_has_ended_and_is_not_collected_is_shown_to_ordinary_users_too(self):
        somebody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        try:
            subprocess.run([CHORUS, "--version"], check=True, capture_output=True, **somebody)
        except (OSError, subprocess.CalledProcessError):
            self.skipTest("others may not run what is built here")
        with Watched(**somebody) as watched:
            sleeper = int(row(top(watched.pid, "--once", **somebody).stdout, "sleeper")[1])
            os.kill(sleeper, signal.SIGKILL)
            eventually(lambda: row(top(watched.pid, "--once", **somebody).stdout, "sleeper")[-1] == "ended", "its end")
            self.assertEqual(row(asleep(watched.pid, **somebody), "holder")[-1], "waits")

    def test_a_name_moves_no_cursor_and_keeps_its_columns(self):
        with Watched() as watched:
            for locale, name in (("C.UTF-8", "?[31mred?line 中"), ("C", "?[31mred?line ???")):
                text = asleep(watched.pid, env={**os.environ, "LC_ALL": locale})
                self.assertNotIn("\x1b", text)
                self.assertEqual(row(text, name)[-1], "waits")
                lines = [line for line in text.splitlines() if line.endswith("waits") and ("red" in line or line.startswith("sleeper"))]
                ends = {len(line) + line.count("中") for line in lines}
                self.assertEqual((len(lines), len(ends)), (2, 1), text)

    def test_memory_of_that_name_that_is_none_of_chorus(self):
        for content in ("b''", "bytes(4096)", "b'chorus\\0\\1' + b'\\xff' * 4088", "b'chorus\\0\\1' + b'\\xff' * 65536"):
            hold = f"import os, sys\nfd = os.memfd_create('chorus-commons')\nos.write(fd, {content})\nprint(flush=True)\nsys.stdin.read()"
            with subprocess.Popen(["python3", "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
                other.stdout.readline()
                seen = top(other.pid, "--once")
                self.assertIn(seen.returncode, (0, 1), content)
                other.stdin.close()

    def test_a_program_without_chorus(self):
        with subprocess.Popen(["sleep", str(LIMIT)]) as other:
            seen = top(other.pid, "--once")
            self.assertIn("Nothing of Chorus's is shared", seen.stdout)
            self.assertEqual(row(seen.stdout, "sleep")[1], str(other.pid))
            other.kill()

    def test_no_such_process(self):
        seen = top(2**22 - 1)
        self.assertEqual((seen.returncode, seen.stdout), (1, ""))
        self.assertEqual(seen.stderr, f"chorus top: there is no process {2**22 - 1}\n")

    def test_no_pid(self):
        for given in ([], ["0"], ["x"]):
            self.assertNotEqual(top(*given).returncode, 0)


@unittest.skipUnless(shutil.which("tmux"), "tmux is not installed")
class OnATerminal(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.socket = os.path.join(self.folder.name, "tmux")

    def tearDown(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], stderr=subprocess.DEVNULL)
        self.folder.cleanup()

    def tmux(self, *arguments):
        return subprocess.run(["tmux", "-S", self.socket, "-f", "/dev/null", *arguments], capture_output=True, text=True, timeout=LIMIT, check=True).stdout

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def start(self, pid, *arguments):
        # A shell around it: its screen is seen again after the end.
        command = f"echo before; {CHORUS} top {pid} {' '.join(arguments)}; echo ended with $?; cat"
        self.tmux("new-session", "-d", "-x", "100", "-y", "30", command)

    def quit(self):
        """Each test waits for the end: a hang-up while the leak sanitizer is at work makes it spin."""
        self.tmux("send-keys", "q")
        return self.shown("ended with 0")

    def shown(self, text):
        return eventually(lambda: text in (seen := self.screen()) and seen, text)

    def test_is_drawn_again_and_again_until_q(self):
        with Watched() as watched:
            self.start(watched.pid, "--interval", "0.2")
            seen = self.shown("Squares-1")
            self.assertIn(f"MainProcess ({watched.pid}): ", seen)
            self.assertNotIn("before", seen)
            watched.say("put")
            eventually(lambda: row(self.screen(), "queue 1")[1] == "8", "the eighth item")
            eventually(lambda: re.search(r"MainProcess +\d+ +\d+%", self.screen()), "a rate")
            seen = self.quit()
            self.assertIn("before", seen)
            self.assertNotIn("Squares", seen)

    def test_ctrl_c_gives_the_screen_back(self):
        with Watched() as watched:
            self.start(watched.pid)
            self.shown("Squares")
            self.tmux("send-keys", "C-c")
            self.assertIn("before", self.shown("ended with"))

    def test_ctrl_z_gives_the_screen_back_until_it_goes_on(self):
        with Watched() as watched:
            command = f"set -m; echo before; {CHORUS} top {watched.pid}; echo halted; read line; fg; echo ended with $?; cat"
            self.tmux("new-session", "-d", "-x", "100", "-y", "30", command)
            self.shown("Squares")
            self.tmux("send-keys", "C-z")
            self.assertNotIn("Squares", self.shown("halted"))
            self.tmux("send-keys", "Enter")
            self.shown("Squares")
            self.quit()

    def test_a_key_does_not_spoil_the_rates(self):
        with Watched() as watched:
            self.start(watched.pid, "--interval", "3600")
            self.shown("Squares-1")
            for _ in range(3):
                self.tmux("send-keys", "x")
            self.assertRegex(self.screen(), r"MainProcess +\d+ +- ")
            self.quit()

    def test_a_signal_ends_it_at_once(self):
        with Watched() as watched:
            self.start(watched.pid, "--interval", "3600")
            self.shown("Squares")
            subprocess.run(["pkill", "-TERM", "-f", f"^{CHORUS} top {watched.pid} --interval"], check=True)
            self.assertIn("before", self.shown("ended with 0"))

    def test_a_killed_worker_and_its_task_are_seen_to_go(self):
        with Watched() as watched:
            self.start(watched.pid, "--interval", "0.2")
            victim = eventually(lambda: row(self.screen(), "Squares-2")[1], "Squares-2")
            os.kill(int(victim), signal.SIGKILL)
            eventually(lambda: f" {victim} " not in (now := self.screen()) and row(now, "Squares")[3:5] == ["6", "1"], "its end")
            self.quit()

    def test_says_that_the_program_has_ended(self):
        with Watched() as watched:
            self.start(watched.pid, "--interval", "0.2")
            self.shown("Squares")
            self.assertEqual(watched.end(), 0)
        self.assertIn(f"process {watched.pid} has ended", self.shown("ended with 0"))

    def test_says_that_the_program_has_ended_and_is_not_collected(self):
        with Watched() as watched:
            self.start(watched.pid, "--interval", "0.1")
            self.shown("Squares")
            watched.process.stdin.close()
            self.assertIn(f"process {watched.pid} has ended", self.shown("ended with 0"))

    def test_fits_a_small_terminal(self):
        with Watched() as watched:
            self.start(watched.pid, "--interval", "0.2")
            self.shown("Squares")
            self.tmux("resize-window", "-x", "40", "-y", "8")
            seen = self.shown("lines more")
            self.assertTrue(all(len(line) <= 40 for line in seen.splitlines()))
            self.quit()


if __name__ == "__main__":
    unittest.main()

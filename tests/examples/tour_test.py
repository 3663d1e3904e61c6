"""tools/tour as its reader sees it."""

import glob
import os
import re
import subprocess
import sys
import unittest

from programs import BUILD_DIR, TOOLS_DIR, ProgramTest

TOUR = os.path.join(TOOLS_DIR, "tour")


class Tour(ProgramTest):
    def on_terminal(self, **environment):
        shown, _ = self.run_on_terminal(sys.executable, TOUR, BUILD_DIR, "2.5", streams=["stdout"], env={**os.environ, "TERM": "xterm", **environment})
        return shown

    def test_shows_every_program_in_the_articles_order_with_its_time(self):
        result = self.run_program(sys.executable, TOUR, BUILD_DIR)
        self.assertEqual((result.code, result.err), (0, b""))
        self.assertNotIn(b"\x1b", result.out)
        programs = re.findall(r"examples/article/(\w+)\.cpp$", result.out.decode(), re.MULTILINE)
        built = glob.glob(os.path.join(BUILD_DIR, "examples", "article", "s*"))
        self.assertEqual(sorted(programs), sorted(os.path.basename(path) for path in built))
        sections = [re.match(r"s\d_\d", program)[0] for program in programs]
        self.assertEqual(sections, sorted(sections))
        times = re.findall(r"^     took (\d+\.\d\d) s   article (.*)$", result.out.decode(), re.MULTILINE)
        self.assertEqual(len(times), len(programs))
        self.assertEqual([article for _, article in times if not article.startswith("(")], ["3.00 s", "1.50 s", "3.00 s"])
        for took, article in times:
            at_least = re.search(r"\d\.\d\d", article)
            self.assertGreaterEqual(float(took), float(at_least[0]) if at_least else 1.5)

    def test_shows_output_as_it_comes(self):
        with subprocess.Popen([sys.executable, TOUR, BUILD_DIR, "1.2"], stdout=subprocess.PIPE) as running:
            for line in running.stdout:
                if line == b"     | this is a test ... ...\n":
                    break
            self.assertIsNone(running.poll(), "the line came with the end only")
            rest = running.stdout.read()
        self.assertIn(b"| sing ...", rest)
        self.assertEqual(running.returncode, 0)

    def test_is_coloured_on_a_terminal(self):
        self.assertIn(b"\x1b[1;36m2.5  Order of threads\x1b[0m", self.on_terminal(NO_COLOR=""))

    def test_is_plain_when_no_color_is_wanted(self):
        shown = self.on_terminal(NO_COLOR="1")
        self.assertIn(b"2.5  Order of threads\r\n", shown)
        self.assertNotIn(b"\x1b", shown)

    def test_failed_program_is_named_and_fails_the_tour(self):
        build = self.make_directory()
        os.makedirs(os.path.join(build, "examples", "article"))
        path = os.path.join(build, "examples", "article", "s2_5_order")
        with open(path, "w") as script:
            script.write("#!/bin/sh\necho begun\nexit 3\n")
        os.chmod(path, 0o755)
        result = self.run_program(sys.executable, TOUR, build, "2.5")
        self.assertEqual(result.code, 1)
        self.assertIn(b"     | begun\n", result.out)
        self.assertIn(b"s2_5_order failed: exit code 3", result.out)

    def make_build(self, cmake):
        """A folder to build in, and the environment in which `cmake --build FOLDER --target article_NAME` is this script, with NAME in $name."""
        build, tools = self.make_directory(), self.make_directory()
        os.makedirs(os.path.join(build, "examples", "article"))
        with open(os.path.join(tools, "cmake"), "w") as script:
            script.write(f'#!/bin/sh\nname=${{4#article_}} program="$2/examples/article/$name"\n{cmake}\n')
        os.chmod(os.path.join(tools, "cmake"), 0o755)
        return build, {**os.environ, "PATH": tools + ":" + os.environ["PATH"]}

    def test_builds_each_program_before_it_is_shown(self):
        build, environment = self.make_build('printf "#!/bin/sh\\necho I am $name\\n" >"$program" && chmod +x "$program"')
        result = self.run_program(sys.executable, TOUR, "--build", build, "1.2", env=environment)
        self.assertEqual((result.code, result.err), (0, b""))
        self.assertEqual(re.findall(rb"\| I am (\w+)", result.out), [b"s1_2_without_join", b"s1_2_join"])

    def test_a_failed_build_is_told_and_ends_the_tour(self):
        build, environment = self.make_build('test "$name" = s1_2_without_join || { echo why it fails; exit 1; }; printf "#!/bin/sh\\n" >"$program" && chmod +x "$program"')
        result = self.run_program(sys.executable, TOUR, "--build", build, "1.2", env=environment)
        self.assertEqual(result.code, 1)
        self.assertIn(b"1.2  Processes without join", result.out)
        self.assertNotIn(b"1.2  Processes with join", result.out)
        self.assertEqual(result.err, b"why it fails\n")

    def test_says_what_to_build_and_which_sections_there_are(self):
        result = self.run_program(sys.executable, TOUR, self.make_directory())
        self.assertEqual((result.code, result.out), (2, b""))
        self.assertIn(b"s1_1_one_after_the_other is not there; build it first", result.err)
        result = self.run_program(sys.executable, TOUR, BUILD_DIR, "7")
        self.assertEqual((result.code, result.out), (2, b""))
        self.assertIn(b"no program of section 7; there are 1.1 1.2", result.err)


if __name__ == "__main__":
    unittest.main()

"""tools/hash as its reader sees it."""

import os
import re
import sys
import unittest

from programs import BUILD_DIR, TOOLS_DIR, ProgramTest

HASH = os.path.join(TOOLS_DIR, "hash")


class HashRunner(ProgramTest):
    def setUp(self):
        self.directory = self.make_directory()
        for number in range(50):
            with open(os.path.join(self.directory, f"file {number}"), "wb") as file:
                file.write(bytes(1000 * number))

    def make_build(self, script):
        build = self.make_directory()
        os.makedirs(os.path.join(build, "examples"))
        with open(os.path.join(build, "examples", "hash_tree"), "w") as file:
            file.write("#!/bin/sh\n" + script)
        os.chmod(os.path.join(build, "examples", "hash_tree"), 0o755)
        return build

    def test_shows_a_row_for_each_way(self):
        result = self.run_program(sys.executable, HASH, BUILD_DIR, self.directory)
        self.assertEqual((result.code, result.err), (0, b""))
        lines = result.lines
        self.assertEqual(lines[0], f"SHA-256 of 50 files, 1.2 MB, below {self.directory}")
        rows = [re.fullmatch(r"  (serial|\d+ threads|\d+ processes) +(\d+\.\d\d) +(\d+\.\d) +(\d+\.\d\d) x", line) for line in lines[2:5]]
        self.assertTrue(all(rows), lines)
        self.assertEqual([row[1].split()[-1] for row in rows], ["serial", "threads", "processes"])
        self.assertEqual(rows[0][4], "1.00")
        self.assertEqual(lines[5:], ["All three printed the same."])

    def test_names_the_first_difference(self):
        build = self.make_build('echo "same"; echo "by $2"; echo "hash_tree: 2 files, 10 bytes, 0.1 s, 1.0 MB/s, $2" >&2')
        result = self.run_program(sys.executable, HASH, build, self.directory)
        self.assertEqual(result.code, 1)
        self.assertEqual(result.lines[-3:], ["serial and threads differ; first here:", "  by serial", "  by threads"])

    def test_names_what_could_not_be_read(self):
        build = self.make_build('echo "hash_tree: a: No" >&2; echo "hash_tree: 2 files, 10 bytes, 0.1 s, 1.0 MB/s, $2" >&2; exit 1')
        result = self.run_program(sys.executable, HASH, build, self.directory)
        self.assertEqual(result.code, 0)
        self.assertEqual(result.lines[-2:], ["All three printed the same.", "  hash_tree: a: No"])

    def test_missing_directory_is_named(self):
        result = self.run_program(sys.executable, HASH, BUILD_DIR, os.path.join(self.directory, "none"))
        self.assertEqual((result.code, result.out), (1, b""))
        self.assertIn(f"hash_tree: {self.directory}/none: No such file or directory\n".encode(), result.err)

    def test_shows_the_progress_bar_on_a_terminal(self):
        shown, table = self.run_on_terminal(sys.executable, HASH, BUILD_DIR, self.directory, streams=["stderr"])
        self.assertIn(b"50/50 files", shown)
        self.assertTrue(shown.endswith(b"\r\x1b[K"), shown[-40:])
        self.assertIn(b"All three printed the same.", table)


if __name__ == "__main__":
    unittest.main()

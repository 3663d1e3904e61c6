"""Each rule of tools/check_layers.py finds the one thing that breaks it, and says what to do."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CHECK = Path(__file__).resolve().parents[2] / "tools" / "check_layers.py"

# A small library without a fault: each test breaks one thing in it.
SOUND = {
    "CMakeLists.txt": """set(public_headers
    chorus/chorus.hpp
    chorus/errors.hpp
    chorus/worker/thread.hpp)
add_library(chorus chorus/platform/linux/futex.cpp chorus/worker/thread.cpp)
""",
    "chorus/chorus.hpp": "#include <chorus/worker/thread.hpp>\n",
    "chorus/errors.hpp": "#include <stdexcept>\n",
    "chorus/platform/futex.hpp": "#include <cstdint>\n",
    "chorus/platform/linux/futex.cpp": "#include <cerrno>\n#include <chorus/platform/futex.hpp>\n#include <linux/futex.h>\nint e = errno;\n",
    "chorus/worker/thread.hpp": "#include <string>\n#include <cereal/cereal.hpp>\n#include <chorus/errors.hpp>\n",
    "chorus/worker/thread.cpp": "#include <chorus/worker/thread.hpp>\n#include <chorus/platform/futex.hpp>\n// errno\nauto s = \"errno\";\n",
    "examples/first.cpp": "#include <chorus/chorus.hpp>\n",
}


def problems(changes):
    """What the check says of the sound library with these files added or replaced."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in {**SOUND, **changes}.items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        done = subprocess.run([sys.executable, CHECK, folder], capture_output=True, text=True, check=False)
        found = done.stdout.splitlines() if done.returncode else []
        if bool(found) != bool(done.returncode) or done.stderr:
            raise AssertionError(done.stdout + done.stderr)
        return found


class CheckLayers(unittest.TestCase):
    def expect_one(self, changes, beginning, advice):
        found = problems(changes)
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(beginning), found)
        self.assertIn(advice, found[0])

    def test_a_sound_library_passes(self):
        self.assertEqual(problems({}), [])

    def test_an_include_that_points_up(self):
        self.expect_one({"chorus/platform/futex.hpp": "#include <chorus/worker/thread.hpp>\n"}, "chorus/platform/futex.hpp:1:", "move what is needed down")

    def test_a_doorstep_that_includes_a_room(self):
        self.expect_one({"chorus/errors.hpp": "\n#include <chorus/worker/thread.hpp>\n"}, "chorus/errors.hpp:2:", "only errors.hpp and deadline.hpp")

    def test_a_public_header_that_the_shared_library_hides(self):
        shown = SOUND["chorus/worker/thread.hpp"] + "#pragma GCC visibility push(default)\nnamespace chorus {}\n#pragma GCC visibility pop\n"
        self.assertEqual(problems({"chorus/worker/thread.hpp": shown}), [])
        hidden = SOUND["chorus/worker/thread.hpp"] + "namespace chorus {}\n"
        self.expect_one({"chorus/worker/thread.hpp": hidden}, "chorus/worker/thread.hpp:", "between #pragma GCC visibility push(default)")
        unended = shown + "namespace chorus {}\n"
        self.expect_one({"chorus/worker/thread.hpp": unended}, "chorus/worker/thread.hpp:", "as the last line")

    def test_a_private_header_that_the_shared_library_shows(self):
        shown = "#pragma GCC visibility push(default)\n" + SOUND["chorus/platform/futex.hpp"]
        self.expect_one({"chorus/platform/futex.hpp": shown}, "chorus/platform/futex.hpp:", "take the pragma away")

    def test_an_umbrella_used_inside(self):
        self.expect_one({"chorus/worker/thread.cpp": "#include <chorus/platform/futex.hpp>\n#include <chorus/chorus.hpp>\n"}, "chorus/worker/thread.cpp:2:",
                        "include the header of what is used here")

    def test_a_public_header_that_shows_a_private_one(self):
        self.expect_one({"chorus/worker/thread.hpp": "#include <chorus/platform/futex.hpp>\n#include <chorus/errors.hpp>\n"}, "chorus/worker/thread.hpp:1:", "include it in the .cpp")

    def test_a_public_header_that_shows_a_library(self):
        self.expect_one({"chorus/worker/thread.hpp": "#include <openssl/sha.h>\n#include <chorus/errors.hpp>\n"}, "chorus/worker/thread.hpp:1:", "only std and cereal")

    def test_a_system_header_outside_its_room(self):
        for header in ("unistd.h", "sys/mman.h", "linux/futex.h", "pthread.h"):
            self.expect_one({"chorus/worker/thread.cpp": SOUND["chorus/worker/thread.cpp"] + f"#include <{header}>\n"}, "chorus/worker/thread.cpp:5:",
                            "behind a header of platform/")

    def test_a_system_header_in_a_header_of_platform(self):
        self.expect_one({"chorus/platform/futex.hpp": "#include <unistd.h>\n"}, "chorus/platform/futex.hpp:1:", "platform/<system>/")

    def test_errno_outside_its_room(self):
        self.expect_one({"chorus/worker/thread.cpp": "#include <chorus/platform/futex.hpp>\nint e = errno;  // why\n"}, "chorus/worker/thread.cpp:2:",
                        "let a function of platform/")
        self.expect_one({"chorus/worker/thread.cpp": "#include <chorus/platform/futex.hpp>\n#include <cerrno>\n"}, "chorus/worker/thread.cpp:2:",
                        "let a function of platform/")

    def test_a_header_nobody_includes(self):
        self.expect_one({"chorus/worker/lonely.hpp": ""}, "chorus/worker/lonely.hpp:", "nobody includes it")

    def test_a_source_nobody_compiles(self):
        self.expect_one({"chorus/worker/lonely.cpp": ""}, "chorus/worker/lonely.cpp:", "nobody compiles it")

    def test_a_room_that_is_none(self):
        self.expect_one({"chorus/util/string.hpp": "", "chorus/worker/thread.cpp": SOUND["chorus/worker/thread.cpp"] + "#include <chorus/util/string.hpp>\n"},
                        "chorus/util/string.hpp:", "util/ is no room")

    def test_a_header_that_does_not_exist(self):
        self.expect_one({"chorus/worker/thread.cpp": SOUND["chorus/worker/thread.cpp"] + "#include <chorus/worker/gone.hpp>\n"}, "chorus/worker/thread.cpp:5:",
                        "does not exist")

    def test_an_include_by_neighbourhood(self):
        self.expect_one({"chorus/worker/thread.cpp": SOUND["chorus/worker/thread.cpp"] + '#include "thread.hpp"\n'}, "chorus/worker/thread.cpp:5:", "full name")

    def test_an_example_that_looks_inside(self):
        self.expect_one({"examples/first.cpp": "#include <chorus/platform/futex.hpp>\n"}, "examples/first.cpp:1:", "as a user of Chorus would")


if __name__ == "__main__":
    unittest.main()

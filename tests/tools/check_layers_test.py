"""Each rule of tools/check_layers.py finds the one thing that breaks it, and says what to do."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CHECK = Path(__file__).resolve().parents[2] / "tools" / "check_layers.py"

VERSION = "#include <chorus/version.hpp>\n"
KEPT = "#include <chorus/detail/contract.hpp>\n"
# A small library without a fault: each test breaks one thing in it.
SOUND = {
    "CMakeLists.txt": """set(contract
    include/chorus/chorus.hpp
    include/chorus/errors.hpp
    include/chorus/thread.hpp
    include/chorus/version.hpp)
set(detail include/chorus/detail/contract.hpp include/chorus/detail/message/bytes.hpp)
add_library(chorus src/platform/linux/futex.cpp src/worker/thread.cpp)
""",
    "include/chorus/chorus.hpp": VERSION + "#include <chorus/thread.hpp>\n",
    "include/chorus/errors.hpp": VERSION + "#include <stdexcept>\n",
    "include/chorus/version.hpp": "#define CHORUS_VERSION 1\n",
    "include/chorus/detail/contract.hpp": "",
    "include/chorus/detail/message/bytes.hpp": KEPT + "#include <cstdint>\n",
    "include/chorus/thread.hpp": VERSION + "#include <cereal/cereal.hpp>\n#include <chorus/errors.hpp>\n#include <chorus/detail/message/bytes.hpp>\n",
    "src/platform/futex.hpp": "#include <cstdint>\n",
    "src/platform/linux/futex.cpp": "#include <cerrno>\n#include \"platform/futex.hpp\"\n#include <linux/futex.h>\nint e = errno;\n",
    "src/worker/thread.cpp": "#include <chorus/thread.hpp>\n#include \"platform/futex.hpp\"\n// errno\nauto s = \"errno\";\n",
    "examples/first.cpp": "#include <chorus/chorus.hpp>\n",
}
THREAD = "include/chorus/thread.hpp"
FUTEX = "src/platform/futex.hpp"


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
        self.expect_one({FUTEX: "#include <chorus/thread.hpp>\n"}, f"{FUTEX}:1:", "move what is needed down")
        bytes_header = "include/chorus/detail/message/bytes.hpp"
        self.expect_one({bytes_header: KEPT + "#include <chorus/thread.hpp>\n"}, f"{bytes_header}:2:", "move what is needed down")

    def test_a_doorstep_that_includes_a_room(self):
        self.expect_one({"include/chorus/errors.hpp": VERSION + "#include <chorus/thread.hpp>\n"}, "include/chorus/errors.hpp:2:", "only the doorstep")

    def test_a_public_header_that_the_shared_library_hides(self):
        shown = SOUND[THREAD] + "#pragma GCC visibility push(default)\nnamespace chorus {}\n#pragma GCC visibility pop\n"
        self.assertEqual(problems({THREAD: shown}), [])
        hidden = SOUND[THREAD] + "namespace chorus {}\n"
        self.expect_one({THREAD: hidden}, f"{THREAD}:", "between #pragma GCC visibility push(default)")
        unended = shown + "namespace chorus {}\n"
        self.expect_one({THREAD: unended}, f"{THREAD}:", "as the last line")

    def test_a_private_header_that_the_shared_library_shows(self):
        shown = "#pragma GCC visibility push(default)\n" + SOUND[FUTEX]
        self.expect_one({FUTEX: shown}, f"{FUTEX}:", "take the pragma away")

    def test_an_umbrella_used_inside(self):
        self.expect_one({"src/worker/thread.cpp": "#include \"platform/futex.hpp\"\n#include <chorus/chorus.hpp>\n"}, "src/worker/thread.cpp:2:",
                        "include the header of what is used here")

    def test_a_public_header_that_shows_a_private_one(self):
        self.expect_one({THREAD: SOUND[THREAD] + "#include \"platform/futex.hpp\"\n"}, f"{THREAD}:5:", "include it in the .cpp")

    def test_a_public_header_that_shows_a_library(self):
        self.expect_one({THREAD: SOUND[THREAD] + "#include <openssl/sha.h>\n"}, f"{THREAD}:5:", "only std and cereal")

    def test_a_system_header_outside_its_room(self):
        for header in ("unistd.h", "sys/mman.h", "linux/futex.h", "pthread.h"):
            self.expect_one({"src/worker/thread.cpp": SOUND["src/worker/thread.cpp"] + f"#include <{header}>\n"}, "src/worker/thread.cpp:5:",
                            "behind a header of platform/")

    def test_a_system_header_in_a_header_of_platform(self):
        self.expect_one({FUTEX: "#include <unistd.h>\n"}, f"{FUTEX}:1:", "platform/<system>/")

    def test_errno_outside_its_room(self):
        self.expect_one({"src/worker/thread.cpp": "#include \"platform/futex.hpp\"\nint e = errno;  // why\n"}, "src/worker/thread.cpp:2:",
                        "let a function of platform/")
        self.expect_one({"src/worker/thread.cpp": "#include \"platform/futex.hpp\"\n#include <cerrno>\n"}, "src/worker/thread.cpp:2:",
                        "let a function of platform/")

    def test_a_header_that_is_not_included(self):
        self.expect_one({"src/worker/lonely.hpp": ""}, "src/worker/lonely.hpp:", "it is not included")

    def test_a_header_that_is_not_installed(self):
        self.expect_one({"include/chorus/detail/worker/state.hpp": KEPT, THREAD: SOUND[THREAD] + "#include <chorus/detail/worker/state.hpp>\n"},
                        "include/chorus/detail/worker/state.hpp:", "it is not installed")

    def test_a_source_that_is_not_compiled(self):
        self.expect_one({"src/worker/lonely.cpp": ""}, "src/worker/lonely.cpp:", "it is not compiled")

    def test_a_room_that_is_none(self):
        self.expect_one({"src/util/string.hpp": "", "src/worker/thread.cpp": SOUND["src/worker/thread.cpp"] + "#include \"util/string.hpp\"\n"},
                        "src/util/string.hpp:", "util/ is no room")

    def test_a_header_that_keeps_no_program_out(self):
        self.expect_one({"include/chorus/detail/message/bytes.hpp": "#include <cstdint>\n" + KEPT}, "include/chorus/detail/message/bytes.hpp:1:", "contract.hpp")
        self.expect_one({THREAD: SOUND[THREAD].replace(VERSION, "")}, f"{THREAD}:1:", "version.hpp")

    def test_a_room_that_is_named_in_a_string(self):
        for name in ("chorus::detail::worker::State", "chorus::v0::detail::worker::", "worker::State"):
            self.expect_one({FUTEX: f'auto upward = "{name}";\n'}, f"{FUTEX}:1:", "names worker/ above it in a string")
        self.assertEqual(problems({"src/worker/thread.cpp": SOUND["src/worker/thread.cpp"] + 'auto down = "platform::futex";  // "pool::"\n'}), [])

    def test_an_idiom_that_is_banned(self):
        for idiom in ("waits for ever", "who holds it waits", "Nobody is asleep", "what is on its way", "Threads: any."):
            self.expect_one({THREAD: SOUND[THREAD] + f"// {idiom}\n"}, f"{THREAD}:5:", ": ")
        self.assertEqual(problems({THREAD: SOUND[THREAD] + 'auto nobody = "for ever";\n'}), [])

    def test_a_header_that_does_not_exist(self):
        self.expect_one({"src/worker/thread.cpp": SOUND["src/worker/thread.cpp"] + "#include <chorus/gone.hpp>\n"}, "src/worker/thread.cpp:5:",
                        "does not exist")

    def test_an_include_by_neighbourhood(self):
        self.expect_one({"src/worker/thread.cpp": SOUND["src/worker/thread.cpp"] + '#include "threads.hpp"\n'}, "src/worker/thread.cpp:5:", "full name")

    def test_a_private_include_as_users_write_theirs(self):
        self.expect_one({"src/worker/thread.cpp": SOUND["src/worker/thread.cpp"] + "#include <platform/futex.hpp>\n"}, "src/worker/thread.cpp:5:", "write \"platform/futex.hpp\"")

    def test_an_example_that_looks_inside(self):
        self.expect_one({"examples/first.cpp": "#include \"platform/futex.hpp\"\n"}, "examples/first.cpp:1:", "as a user of Chorus would")
        self.expect_one({"examples/first.cpp": "#include <chorus/detail/message/bytes.hpp>\n"}, "examples/first.cpp:1:", "as a user of Chorus would")


if __name__ == "__main__":
    unittest.main()

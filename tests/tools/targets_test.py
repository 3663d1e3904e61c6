"""bench/targets holds what was measured against what was asked for."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

TARGETS = pathlib.Path(__file__).resolve().parents[2] / "bench" / "targets"


def row(subject, name, ours, **others):
    return {"subject": subject, "row": name, "unit": "ns", "ours": {"name": "ours", "median": ours, "spread": 0},
            "others": [{"name": other.replace("_", " "), "kind": kind, "median": median, "spread": 0} for other, (kind, median) in others.items()]}


def verdicts(*lines):
    """Row and rival → what is said at the end of its line."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write("".join(json.dumps(line) + "\n" for line in lines))
        file.flush()
        return subprocess.run([sys.executable, TARGETS, file.name], check=True, capture_output=True, text=True).stdout


class Targets(unittest.TestCase):
    def line(self, said, *parts):
        (found,) = (line for line in said.splitlines() if all(part in line for part in parts))
        return " ".join(found.split())

    def test_a_ratio_to_a_named_one(self):
        for ours, verdict in ((110, "1.10 × holds"), (111, "1.11 × SHORT")):
            said = verdicts(row("lock", "mt::Lock, free", ours, **{"std::mutex": ("rival", 100)}))
            self.assertTrue(self.line(said, "mt::Lock, free").endswith(f"std::mutex ≤ 1.1 × {verdict}"))

    def test_so_many_times_faster_than_the_best_rival(self):
        for ours, verdict in ((50, "2 × holds"), (51, "1.96 × SHORT")):
            said = verdicts(row("queue", "put+get 4 KiB, 1 to 1", ours, pipe=("rival", 100), slow=("rival", 900), bare_ring=("limit", 10)))
            self.assertTrue(self.line(said, "put+get 4 KiB, 1 to 1").endswith(f"pipe ≥ 2 × faster {verdict}"))

    def test_a_bound(self):
        for kib, verdict in ((250, "250 KiB holds"), (251, "251 KiB SHORT")):
            said = verdicts(row("capacity", "1000 idle workers, memory of each (PSS)", kib * 1024))
            self.assertTrue(self.line(said, "memory of each (PSS)").endswith(f"≤ 250 KiB {verdict}"))

    def test_seconds_more(self):
        said = verdicts(row("compile", "a program that uses Process and Thread, g++ -O2", 3.6e9, std=("limit", 2e9)))
        self.assertTrue(self.line(said, "compile:").endswith("≤ +1.5 s +1.60 s SHORT"))

    def test_microseconds_more(self):
        name = "mp::Pool one by one, each throws a type that is not registered"
        said = verdicts(row("pool", name, 45e3, **{"registered": ("limit", 24e3)}))
        self.assertTrue(self.line(said, name, "+20").endswith("registered ≤ +20 µs +21.00 µs SHORT"))
        self.assertTrue(self.line(said, name, "×").endswith("registered ≤ 3 × 1.88 × holds"))

    def test_what_was_not_measured_is_said(self):
        self.assertTrue(self.line(verdicts(), "mt::Lock, two threads").endswith("not measured"))

    def test_kills(self):
        ours = {"subject": "endurance", "row": "lock", "name": "mp::Lock", "kills": 7, "end": "hangs"}
        theirs = {"subject": "endurance", "row": "lock", "name": "another", "kills": 2, "end": "hangs"}
        said = verdicts(ours, theirs)
        self.assertIn("hangs SHORT, 7 kills", self.line(said, "endurance: lock"))


if __name__ == "__main__":
    unittest.main()

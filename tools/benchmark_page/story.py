"""What the pages tell, and in which order: sections, families of rows, the summary."""

import re
from dataclasses import dataclass

from benchmark_page.quantities import comparison, quantity

# Subject → its title, and what is measured.
SUBJECTS = {
    "endurance": ("Crash endurance", "How many kills does it survive? Two workers put and two get, all four take a lock, or run the tasks of a pool. One of "
                                     "them is killed with kill -9 and replaced about every millisecond, until no worker makes progress, data is "
                                     "damaged, or all planned kills are survived. At the end the test counts the items that were lost without a "
                                     "worker that died holding them."),
    "process": ("Processes", "What does it cost to start and join a worker process, by each start method? How much memory does an idle one take?"),
    "thread": ("Threads", "What does it cost to start and join a thread?"),
    "lock": ("Locks", "What does an uncontended lock cost, and one that two threads want?"),
    "queue": ("Queues between processes", "How long does a message take from process to process, 8 bytes to 64 MiB, while messages go one after "
                                          "another as fast as they can? Each is checked at both of its ends."),
    "pipe": ("Pipes", "How long does a message take from one end of a pipe to the other, while messages go one after another as fast as they can?"),
    "thread queue": ("Queues between threads", "How long does an item of 8 bytes take from thread to thread, while items go one after another as "
                                               "fast as they can?"),
    "round trip": ("Round trips", "How long does a message of 8 bytes take to another process and back?"),
    "pool": ("Pools", "What does a nearly empty task cost, many in flight or one by one? What does it cost to call a function for "
                      "each of a million numbers, and what if a task carries megabytes? Each result is checked."),
    "scaling": ("Scaling", "Do two workers do twice as much as one? Do fifty wait at once?"),
    "capacity": ("Capacity", "How many workers can be alive at once, and what CPU time and memory do idle ones take?"),
    "growth": ("Growth", "Does the cost grow with the size of the parent, or with the number of workers, items or tasks?"),
    "compile": ("Compile time", "What does it cost to compile a program that uses Chorus?"),
}

# Subject → what explains its figures: causes, and what was tried where Chorus is behind.
NOTES = {
    "endurance": ("POSIX mq lives in the kernel, where kill -9 interrupts nothing half-way: it survives as well. It is limited to ten messages of 8 KiB "
                  "unless root raises the limits, and has no types.",
                  "A receiver that is killed during a get may take that one item with it. Such items are counted, and no other item may be missing."),
    "process": ("A start costs about what a bare fork of the same small program costs, and Python's own start methods pay for their interpreter on top. "
                "What remains is page faults and wake-ups (design decision 11): a child of the fork server takes 14 page faults.",),
    "queue": ("64 MiB: put and get copy once each, as fast as memory that is in no cache can be read and written; get returns a vector of its own and so "
              "touches fresh pages. A socket hands pieces over while the item is still being written, through the cache. That was not done: the item would "
              "not be whole when its sender is killed. Huge pages for the result, and looking up a block's pages at once, brought 77 ms down to what is "
              "shown. loan and borrow copy nothing, whatever the size.",
              "Two senders and two receivers on two CPUs: the figure depends on which of them sleep when, so its rounds spread most."),
    "pipe": ("8 bytes are at the limit of the target, 2.5 times the bare ring: 2.2 to 3.1 times in six runs of this row. The profile is flat: a lock, an index "
             "and a bell for each end, no part above 8 %, and an eighth of the time in the kernel while an end sleeps.",),
    "pool": ("8 MiB to a process and back are four copies, in and out of shared memory each way; a plain call moves the vector, and finds it in its "
             "cache. Zeroing the vectors before they were filled was taken out (a fifth of the time); the copies are memcpy at the speed of this machine's "
             "memory. What need not be copied goes in an mp::Array, in place.",
             "Over threads, a map by a function's name calls through a pointer, a million times. Given a lambda, as parallel_for is, the call is inlined.",
             "A process pool's task crosses two queues in shared memory, and a worker may be killed at any instruction; a thread pool's never leaves its process."),
    "scaling": ("Two bare threads next to it show what the machine gave in that minute: on a shared machine that is not always twice as much.",),
}

# What the summary shows, chosen before any result is known: subject, a part of the row's name, and what it is in words.
HEADLINES = (
    ("process", "start+join, forkserver", "Start and join a process"),
    ("queue", "put+get 8 B, 1 to 1", "8 bytes to a process"),
    ("queue", "put+get 1 MiB, 1 to 1", "1 MiB to a process"),
    ("lock", "mp::Lock, free", "A free lock for processes"),
    ("thread queue", "8 B, 2 to 2", "8 bytes, two threads to two"),
    ("pool", "mp::Pool tasks in flight", "Tiny task, pool of processes"),
    ("pool", "mt::Pool tasks in flight", "Tiny task, pool of threads"),
    ("pool", "mp::Pool map", "Map over a million numbers"),
)
LEVEL = 0.05  # a difference up to this, or up to what both figures spread (so that the middle halves of their rounds overlap), is none
SIZE = re.compile(r"\b(\d+) (B|KiB|MiB|GiB)\b")
SIZES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
FEWEST_IN_FAMILY = 3
UNIT_WORDS = {"ns": "time", "bytes": "memory"}


@dataclass(frozen=True)
class Family:
    """Rows whose names differ only in a size."""
    name: str
    sizes: tuple[int, ...]
    rows: tuple

    def line_of(self, name, kind):
        """Size → the figure of one contender."""
        found = {}
        for size, row in zip(self.sizes, self.rows):
            found.update({size: each for each in row.contenders() if (each.name, each.kind) == (name, kind)})
        return found

    def names(self):
        """Name and kind of all contenders: ours, rivals, limits."""
        seen = dict.fromkeys((each.name, each.kind) for row in self.rows for each in row.contenders())
        return sorted(seen, key=lambda each: ("ours", "rival", "limit").index(each[1]))


@dataclass(frozen=True)
class Section:
    subject: str
    title: str
    about: str
    items: tuple  # of Row, Family, Growth, or lists of Endurance
    notes: tuple[str, ...] = ()

    @property
    def anchor(self):
        return re.sub(r"\W+", "-", self.subject.lower()).strip("-") or "section"


def size_in(name):
    found = SIZE.findall(name)
    return int(found[0][0]) * SIZES[found[0][1]] if len(found) == 1 else None


def family_of(rows):
    rows = sorted(rows, key=lambda row: size_in(row.name))
    first, last = (SIZE.search(rows[end].name).group() for end in (0, -1))
    return Family(SIZE.sub(f"{first} to {last}", rows[0].name), tuple(size_in(row.name) for row in rows), tuple(rows))


def with_families(rows):
    """The rows, with each family in the place of its first row."""
    alike = {}
    for row in rows:
        key = (SIZE.sub("…", row.name), row.unit) if size_in(row.name) is not None else (row.name, row.unit, id(row))
        alike.setdefault(key, []).append(row)
    for group in alike.values():
        if len({size_in(row.name) for row in group}) == len(group) >= FEWEST_IN_FAMILY:
            yield family_of(group)
        else:
            yield from group


def grouped(things, key):
    groups = {}
    for thing in things:
        groups.setdefault(key(thing), []).append(thing)
    return groups


def sections(results):
    of_subject = {subject: tuple(with_families(rows)) for subject, rows in grouped(results.rows, lambda row: row.subject).items()}
    of_subject["growth"] = tuple(results.growths)
    of_subject["endurance"] = tuple(grouped(results.endurances, lambda each: each.row).values())
    unknown = [subject for subject in of_subject if subject not in SUBJECTS]
    for subject in (*SUBJECTS, *unknown):
        title, about = SUBJECTS.get(subject, (subject[:1].upper() + subject[1:], ""))
        if of_subject.get(subject):
            yield Section(subject, title, about, of_subject[subject], NOTES.get(subject, ()))


def rows_in(section):
    """The measured rows of a section, those of families too."""
    for item in section.items:
        yield from getattr(item, "rows", (item,))


def headlines(results):
    """Rows for the summary, and what each is in words."""
    contested = [row for row in results.rows if row.best_rival()]
    for subject, part, words in HEADLINES:
        yield from [(row, words) for row in contested if row.subject == subject and part in row.name][:1]


@dataclass(frozen=True)
class Score:
    ahead: list
    level: list
    behind: list

    @property
    def total(self):
        return len(self.ahead) + len(self.level) + len(self.behind)


def standing(row):
    """How ours does against the best rival: ahead, level or behind."""
    ours, rival = row.ours, row.best_rival()
    noise = max(LEVEL * min(ours.median, rival.median), ours.median * ours.spread + rival.median * rival.spread)
    if abs(ours.median - rival.median) <= noise:
        return "level"
    return "ahead" if ours.median < rival.median else "behind"


def score(rows):
    """All rows that have a rival, by how ours does."""
    found = Score([], [], [])
    for row in rows:
        if row.best_rival():
            getattr(found, standing(row)).append(row)
    return found


def score_sentence(found):
    return (f"Of {found.total} rows that have a rival, Chorus is ahead of the best one in {len(found.ahead)}, level in {len(found.level)} "
            f"and behind in {len(found.behind)}. Level: within 5 %, or the middle halves of their rounds overlap.")


def ours_against(row, rival):
    """Ours, next to a rival: 5.6× faster than Boost message_queue."""
    word = comparison(row.ours.median, rival.median, row.unit)
    return f"the same as {rival.name}" if word == "same" else f"{word} than {rival.name}"


def figures(row, rival):
    return f"{quantity(row.ours.median, row.unit)} against {quantity(rival.median, row.unit)}"


def end_of(endurance):
    kills = quantity(endurance.kills, "count")
    words = {"goes on": f"{kills} kills, goes on", "hangs": f"hangs at kill {kills}", "lost": f"loses items, {kills} kills",
             "damaged": f"damages data at kill {kills}", "breaks": f"refuses all work at kill {kills}"}
    return words[endurance.end]


def endurance_verdict(endurances):
    """How ours stands, a few words, and the sentence that goes with them."""
    ours = [each for each in endurances if each.kind == "ours"]
    failed = [each for each in ours if not each.goes_on]
    if failed:
        worst = min(failed, key=lambda each: each.kills)
        return "behind", end_of(worst), f"{worst.name} ({worst.row})"
    *names, last = dict.fromkeys(each.name for each in ours)
    names = f"{', '.join(names)} and {last} each" if names else last
    kills = min(each.kills for each in ours)
    return "ahead", f"{quantity(kills, 'count')} kills survived", f"by {names}: kill -9 at random moments, nothing hung, lost or damaged"


def facts(run):
    """Name and value of what is known about the run."""
    memory = quantity(run["memory"], "bytes") if isinstance(run.get("memory"), (int, float)) else None
    cpus = f"{run['cpus']} CPUs" if run.get("cpus") else None
    known = (
        ("Machine", ", ".join(str(part) for part in (run.get("machine"), cpus, memory) if part)),
        ("System", ", ".join(str(part) for part in (run.get("system"), run.get("kernel") and f"kernel {run['kernel']}") if part)),
        ("Compiler", ", ".join(str(run[part]) for part in ("compiler", "build") if run.get(part))),
        ("Python", run.get("python")),
        ("Commit", run.get("commit")),
        ("Date", run.get("date")),
    )
    return [(name, str(value)) for name, value in known if value]

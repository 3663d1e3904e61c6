"""The results of a benchmark run, read from their file: one JSON object a line."""

import json
import math
from dataclasses import dataclass, field


class Damaged(Exception):
    """A line that is not what it should be; the text names file and line."""


@dataclass(frozen=True)
class Contender:
    name: str
    kind: str  # ours, rival, or limit: what the machine itself gives
    median: float
    spread: float  # half the distance between the quartiles, as a share of the median


@dataclass(frozen=True)
class Row:
    subject: str
    name: str
    unit: str  # ns or bytes: less is better
    rounds: int
    ours: Contender
    others: tuple[Contender, ...]

    def of_kind(self, kind):
        return sorted((each for each in self.others if each.kind == kind), key=lambda each: each.median)

    def contenders(self):
        """Ours first, then rivals and limits, each from best to worst."""
        return [self.ours, *self.of_kind("rival"), *self.of_kind("limit")]

    def best_rival(self):
        return next(iter(self.of_kind("rival")), None)


@dataclass(frozen=True)
class Series:
    name: str
    kind: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Growth:
    name: str
    x: str  # what grows
    x_unit: str  # bytes or count
    unit: str
    series: tuple[Series, ...]


@dataclass(frozen=True)
class Endurance:
    row: str
    name: str
    kind: str
    kills: int
    end: str  # goes on, hangs, lost, damaged, breaks

    @property
    def goes_on(self):
        return self.end == "goes on"


@dataclass
class Results:
    run: dict = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    growths: list[Growth] = field(default_factory=list)
    endurances: list[Endurance] = field(default_factory=list)


def number(value):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{value!r} is no measured number")
    return value


def one_of(value, allowed):
    if value not in allowed:
        raise ValueError(f"{value!r} is none of {', '.join(allowed)}")
    return value


def contender_of(line, kind):
    return Contender(str(line["name"]), kind, number(line["median"]), number(line.get("spread", 0)))


def row_of(line):
    others = tuple(contender_of(each, one_of(each["kind"], ("rival", "limit"))) for each in line.get("others", ()))
    return Row(str(line["subject"]), str(line["row"]), one_of(line["unit"], ("ns", "bytes")), number(line.get("rounds", 0)),
               contender_of(line["ours"], "ours"), others)


def series_of(line):
    points = sorted((number(x), number(y)) for x, y in line["points"])
    if not points:
        raise ValueError("a series without points")
    return Series(str(line["name"]), one_of(line["kind"], ("ours", "rival", "limit")), tuple(points))


def growth_of(line):
    series = tuple(series_of(each) for each in line["series"])
    if not series:
        raise ValueError("growth without a series")
    return Growth(str(line["row"]), str(line["x"]), one_of(line["x_unit"], ("bytes", "count")), one_of(line["unit"], ("ns", "bytes")), series)


def endurance_of(line):
    name = str(line["name"])
    kind = line.get("kind", "ours" if name.startswith(("mp::", "mt::")) else "rival")
    end = one_of(line["end"], ("goes on", "hangs", "lost", "damaged", "breaks"))
    return Endurance(str(line["row"]), name, one_of(kind, ("ours", "rival", "limit")), number(line["kills"]), end)


def add(results, line):
    subject = line["subject"]
    if subject == "run":
        results.run = line
    elif subject == "growth":
        results.growths.append(growth_of(line))
    elif subject == "endurance":
        results.endurances.append(endurance_of(line))
    else:
        results.rows.append(row_of(line))


def read(path):
    results = Results()
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        for count, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                add(results, json.loads(text))
            except KeyError as error:
                raise Damaged(f"{path}:{count}: {error.args[0]} is missing") from error
            except (ValueError, TypeError, AttributeError) as error:
                raise Damaged(f"{path}:{count}: {error}") from error
    if not (results.rows or results.growths or results.endurances):
        raise Damaged(f"{path}: no results in it")
    return results

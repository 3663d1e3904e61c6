"""A rival's figures for a row of ours, as a line of JSON: tools/bench puts them beside ours."""
import json
import statistics
import time


def nanoseconds(work):
    begin = time.perf_counter_ns()
    work()
    return time.perf_counter_ns() - begin


def show(subject, row, name, values):
    print(json.dumps({"subject": subject, "row": row, "name": name, "values": values}), flush=True)


def times(work, rounds):
    """In nanoseconds; the first time does not count."""
    work()
    return [nanoseconds(work) for _ in range(rounds)]


def medians(work, rounds, batch):
    """Of so many calls a round, each."""
    return [statistics.median(times(work, batch)) for _ in range(rounds)]

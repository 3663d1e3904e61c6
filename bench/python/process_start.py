"""Start and join a Process of Python, by each start method: one median in nanoseconds a line."""
import json
import multiprocessing
import statistics
import sys
import time


def nothing():
    pass


def measure(method, rounds):
    context = multiprocessing.get_context(method)
    times = []
    for _ in range(rounds + 1):
        begin = time.perf_counter_ns()
        process = context.Process(target=nothing)
        process.start()
        process.join()
        times.append(time.perf_counter_ns() - begin)
    return statistics.median(times[1:])  # the first one starts the fork server


if __name__ == "__main__":
    rounds = int(sys.argv[1])
    print(json.dumps({method: measure(method, rounds) for method in ("forkserver", "fork", "spawn")}))

"""Python's pools as bench/pool_tasks.cpp, pool_map.cpp and pool_payload.cpp measure ours: one line of JSON, nanoseconds.

    pools.py TASKS ROUNDS
"""
import array
import concurrent.futures
import json
import multiprocessing
import statistics
import sys
import time

WORKERS = 2
COUNT = 1_000_000
context = multiprocessing.get_context("fork")  # its quickest


def increment(number):
    return number + 1


def same(numbers):
    """To add to each would measure the interpreter, and not the way."""
    return numbers


def check(good):
    if not good:
        sys.exit("a result is lost or wrong")


def nanoseconds(work):
    begin = time.perf_counter_ns()
    work()
    return time.perf_counter_ns() - begin


def median_of(rounds, work):
    work()
    return statistics.median(nanoseconds(work) for _ in range(rounds))


def each_in_flight(submit, result, tasks):
    def work():
        futures = [submit(i) for i in range(tasks)]
        check(all(result(future) == i + 1 for i, future in enumerate(futures)))
    return work


def measure(tasks, rounds):
    numbers = list(range(COUNT))
    doubles = array.array("d", bytes(8 << 20))
    found = {}
    with context.Pool(WORKERS) as pool:
        work = each_in_flight(lambda i: pool.apply_async(increment, (i,)), lambda future: future.get(), tasks)
        found["Pool.apply_async"] = median_of(rounds, work) / tasks
        found["Pool.map"] = median_of(rounds, lambda: check(pool.map(increment, numbers)[-1] == COUNT))
        found["Pool.apply of 8 MiB"] = median_of(3 * rounds, lambda: check(len(pool.apply(same, (doubles,))) == len(doubles)))
    with concurrent.futures.ProcessPoolExecutor(WORKERS, mp_context=context) as executor:
        work = each_in_flight(lambda i: executor.submit(increment, i), lambda future: future.result(), tasks)
        found["ProcessPoolExecutor.submit"] = median_of(rounds, work) / tasks
    return found


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))

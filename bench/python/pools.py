"""Python's pools as bench/pool_tasks.cpp, pool_map.cpp and pool_payload.cpp measure ours.

    pools.py TASKS ROUNDS
"""
import array
import concurrent.futures
import multiprocessing
import sys

from rows import show, times

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


def each_in_flight(submit, result, tasks):
    def work():
        futures = [submit(i) for i in range(tasks)]
        check(all(result(future) == i + 1 for i, future in enumerate(futures)))
    return work


def show_each(row, name, submit, result, tasks, rounds):
    show("pool", row, name, [value / tasks for value in times(each_in_flight(submit, result, tasks), rounds)])


def measure(tasks, rounds):
    numbers = list(range(COUNT))
    doubles = array.array("d", bytes(8 << 20))
    with context.Pool(WORKERS) as pool:
        show_each("mp::Pool tasks in flight, each", "Python's Pool", lambda i: pool.apply_async(increment, (i,)), lambda future: future.get(), tasks, rounds)
        show("pool", "mp::Pool map of 1,000,000 ints", "Python's Pool", times(lambda: check(pool.map(increment, numbers)[-1] == COUNT), rounds))
        show("pool", "8 MiB to a process and back", "Python's Pool", times(lambda: check(len(pool.apply(same, (doubles,))) == len(doubles)), 3 * rounds))
    for kind, row, options in ((concurrent.futures.ProcessPoolExecutor, "mp::Pool tasks in flight, each", {"mp_context": context}),
                               (concurrent.futures.ThreadPoolExecutor, "mt::Pool tasks in flight, each", {})):
        with kind(WORKERS, **options) as executor:
            show_each(row, f"Python's {kind.__name__}", lambda i: executor.submit(increment, i), lambda future: future.result(), tasks, rounds)


if __name__ == "__main__":
    measure(int(sys.argv[1]), int(sys.argv[2]))

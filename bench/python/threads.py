"""Python's locks and its queue between threads as bench/locks.cpp and bench/thread_queues.cpp measure ours: threads.py ROUNDS"""
import multiprocessing
import queue
import sys
import threading

from rows import nanoseconds, show

TIMES = 20_000


def nanoseconds_of_a_lock(lock):
    def work():
        for _ in range(TIMES):
            lock.acquire()
            lock.release()
    return nanoseconds(work) / TIMES


def nanoseconds_an_item(items):
    there = queue.Queue(maxsize=1024)
    got = []

    def receive():
        got.extend(there.get() for _ in range(items))

    def work():
        receiver = threading.Thread(target=receive)
        receiver.start()
        for number in range(items):
            there.put(number)
        receiver.join()

    elapsed = nanoseconds(work)
    if got != list(range(items)):
        sys.exit("an item is lost or damaged")
    return elapsed / items


if __name__ == "__main__":
    rounds = int(sys.argv[1])
    for row, lock in (("mt::Lock, free", threading.Lock()), ("mp::Lock, free", multiprocessing.Lock())):
        name = "Python's threading.Lock" if row.startswith("mt") else "Python's multiprocessing.Lock"
        show("lock", row, name, [nanoseconds_of_a_lock(lock) for _ in range(rounds)])
    show("thread queue", "mt::Queue 8 B, 1 to 1, at most 1024", "Python's queue.Queue", [nanoseconds_an_item(20_000) for _ in range(rounds)])

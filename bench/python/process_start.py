"""Start and join a Process, by each start method, and a Thread: process_start.py ROUNDS"""
import multiprocessing
import sys
import threading

from rows import medians, show


def nothing():
    pass


def start_and_join(kind):
    worker = kind(target=nothing)
    worker.start()
    worker.join()


if __name__ == "__main__":
    rounds = int(sys.argv[1])
    for method in ("forkserver", "fork", "spawn"):
        context = multiprocessing.get_context(method)
        show("process", f"start+join, {method}", f"Python's Process, {method}", medians(lambda: start_and_join(context.Process), rounds, 5))
    show("thread", "start+join", "Python's Thread", medians(lambda: start_and_join(threading.Thread), rounds, 100))

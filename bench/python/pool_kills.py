"""How many kills Python's pools survive, as bench/endurance.cpp counts ours: pool_kills.py KILLS"""
import collections
import concurrent.futures
import ctypes
import json
import multiprocessing
import os
import random
import signal
import sys
import time

WORKERS = 4
PATIENCE = 3
PR_SET_PDEATHSIG = 1
context = multiprocessing.get_context("fork")
with_its_parent = {"initializer": ctypes.CDLL(None).prctl, "initargs": (PR_SET_PDEATHSIG, signal.SIGKILL)}


def increment(number):
    return number + 1


def give_up(*_):
    raise TimeoutError


def kills_survived(kills, submit, result, pids):
    futures = collections.deque()
    killed = number = 0
    following = time.perf_counter()
    signal.signal(signal.SIGALRM, give_up)  # submit() may hang too
    while killed < kills or futures:
        signal.alarm(2 * PATIENCE)
        try:
            while killed < kills and len(futures) < 1000:
                futures.append((number, submit(number)))
                number += 1
            given, future = futures.popleft()
            if result(future) != given + 1:
                return killed, "damaged"
        except (multiprocessing.TimeoutError, TimeoutError):
            return killed, "hangs"
        except concurrent.futures.process.BrokenProcessPool:
            return killed, "breaks"
        if time.perf_counter() < following or killed == kills:
            continue
        try:
            os.kill(random.choice(pids()), signal.SIGKILL)
            killed += 1
        except (ProcessLookupError, IndexError):  # not replaced yet, or none left
            pass
        following = time.perf_counter() + random.uniform(0.0005, 0.0015)
    return killed, "goes on"


def show(name, kills, end):
    signal.alarm(0)
    print(json.dumps({"subject": "endurance", "row": "pool of 4", "name": name, "kills": kills, "end": end}), flush=True)


if __name__ == "__main__":
    wanted = int(sys.argv[1])
    pool = context.Pool(WORKERS, **with_its_parent)
    show("Python's Pool", *kills_survived(wanted, lambda i: pool.apply_async(increment, (i,)), lambda future: future.get(PATIENCE),
                                          lambda: [process.pid for process in pool._pool]))
    executor = concurrent.futures.ProcessPoolExecutor(WORKERS, mp_context=context, **with_its_parent)
    show("Python's ProcessPoolExecutor", *kills_survived(wanted, lambda i: executor.submit(increment, i), lambda future: future.result(PATIENCE),
                                                         lambda: list(executor._processes or ())))
    os._exit(0)  # neither can be ended in another way, once it hangs; workers go with it

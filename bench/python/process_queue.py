"""Python's multiprocessing.Queue as bench/message_rate.cpp and bench/endurance.cpp measure ours.

    process_queue.py SECONDS KILLS
"""
import json
import multiprocessing
import os
import random
import signal
import sys
import time

from rows import show

context = multiprocessing.get_context("fork")


def send_for(queue, seconds, sent):
    os.sched_setaffinity(0, {0})
    number = 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for _ in range(64):
            number += 1
            queue.put(number)
    sent.value = number


def nanoseconds_an_item(seconds):
    queue = context.Queue()
    sent = context.Value("Q", 0)
    os.sched_setaffinity(0, {1})
    sender = context.Process(target=send_for, args=(queue, seconds, sent))
    begin = time.perf_counter()
    sender.start()
    received = 0
    while sent.value == 0 or received < sent.value:
        if queue.get() != received + 1:
            sys.exit("an item is lost or damaged")
        received += 1
    elapsed = time.perf_counter() - begin
    sender.join()
    return elapsed * 1e9 / received


def put(queue, done):
    number = 0
    while True:
        number += 1
        queue.put((os.getpid(), number))


def get(queue, done):
    while True:
        queue.get()
        done.value += 1


def kills_survived(kills):
    queue = context.Queue(1024)
    done = context.RawValue("Q", 0)
    work = [put, put, get, get]

    def start(target):
        worker = context.Process(target=target, args=(queue, done), daemon=True)
        worker.start()
        return worker

    workers = [start(target) for target in work]
    try:
        for killed in range(1, kills + 1):
            time.sleep(random.uniform(0.0005, 0.0015))
            victim = random.randrange(len(work))
            workers[victim].kill()
            workers[victim].join()
            workers[victim] = start(work[victim])
            before = done.value
            for _ in range(3000):
                if done.value != before:
                    break
                time.sleep(0.001)
            else:
                return killed, "hangs"
        return kills, "goes on"
    finally:
        for worker in workers:
            os.kill(worker.pid, signal.SIGKILL)
        queue.cancel_join_thread()


if __name__ == "__main__":
    everything = os.sched_getaffinity(0)
    show("queue", "put+get 8 B, 1 to 1", "Python's Queue", [nanoseconds_an_item(float(sys.argv[1])) for _ in range(3)])
    os.sched_setaffinity(0, everything)
    killed, end = kills_survived(int(sys.argv[2]))
    print(json.dumps({"subject": "endurance", "row": "queue, 8 B", "name": "Python's Queue", "kills": killed, "end": end}), flush=True)

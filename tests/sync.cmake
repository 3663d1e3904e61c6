chorus_test(sync/lock)
chorus_test(sync/semaphore)
chorus_test(sync/event)
chorus_test(sync/barrier)

chorus_test(channel/thread_queue)

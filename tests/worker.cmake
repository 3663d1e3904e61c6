chorus_test(worker/run)

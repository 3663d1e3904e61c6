chorus_test(memory/raw_value)
chorus_test(sync/value)

chorus_test(memory/raw_value)
chorus_test(memory/shared_memory)
chorus_test(memory/shareable_list)

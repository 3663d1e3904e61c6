# What QEMU can run for ARM64. It refuses robust lists, without which no death is noticed: processes, and objects that are
# shared with them, are an error that names the call. So the tests are those of threads, messages and deadlines.
chorus_test_program(every_part)
add_test(NAME "arm64: every_part" COMMAND program_every_part)
set_tests_properties("arm64: every_part" PROPERTIES
    TIMEOUT 120
    PASS_REGULAR_EXPRESSION "threads: 25\nthread queue: 7\nlock: OsError: Chorus needs the system call get_robust_list.*print: done")
chorus_test(channel/thread_queue)
chorus_test(message/serialize)
chorus_test(platform/deadline)
chorus_test(worker/future_states)
chorus_test(worker/local)
chorus_test(worker/timer)

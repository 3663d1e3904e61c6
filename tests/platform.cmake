chorus_test(platform/deadline TOGETHER)
chorus_test(platform/modules TOGETHER)
target_link_libraries(platform_modules_test PRIVATE thread_library)

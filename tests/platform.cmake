chorus_test(platform/deadline WHOLE)
chorus_test(platform/modules WHOLE)
target_link_libraries(platform_modules_test PRIVATE thread_library)

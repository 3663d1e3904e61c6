add_executable(storm storm/storm.cpp)
target_link_libraries(storm PRIVATE chorus::chorus chorus_warnings)
add_test(NAME storm COMMAND storm 20)
math(EXPR storm_limit "90 * ${SANITIZER_LIMIT}")
set_tests_properties(storm PROPERTIES TIMEOUT ${storm_limit} RUN_SERIAL ON)

# Each operation, killed at each of its instructions; long ones, and all under the sanitizers, at some of them.
add_executable(every_instruction storm/every_instruction.cpp)
target_link_libraries(every_instruction PRIVATE chorus::chorus chorus_warnings)
function(test_every_instruction operation stride)
    if(CMAKE_CXX_FLAGS MATCHES "fsanitize")
        math(EXPR stride "${stride} * 97")
    endif()
    add_test(NAME "every instruction: ${operation}" COMMAND every_instruction ${operation} ${stride})
    # A copy by one repeated instruction would be a step for each byte.
    set_tests_properties("every instruction: ${operation}" PROPERTIES TIMEOUT 300
        ENVIRONMENT GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=0x10000000:glibc.cpu.x86_rep_stosb_threshold=0x10000000)
endfunction()
foreach(operation put put_quickly put_wakes get get_quickly get_makes_room acquire release release_wakes semaphore_release_wakes event_set_wakes)
    test_every_instruction(${operation} 1)
endforeach()
test_every_instruction(send_wakes 3)
test_every_instruction(notify 13)
test_every_instruction(put_grows 61)
if(NOT CMAKE_CXX_FLAGS MATCHES "fsanitize")  # there each copied number is several steps
    test_every_instruction(put_long 1499)
    test_every_instruction(get_long 1499)
endif()

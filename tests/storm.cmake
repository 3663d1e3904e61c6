function(chorus_storm name)
    add_executable(${name} storm/${name}.cpp)
    target_link_libraries(${name} PRIVATE chorus::chorus chorus_warnings)
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)  # what they kill may be private
    add_dependencies(tests ${name})
    precompiled(${name} programs <chorus/chorus.hpp>)
endfunction()

# Random kills, for a few seconds; `make storm` is for longer. One storm at a time, as each keeps all processors busy.
math(EXPR storm_limit "90 * ${SANITIZER_LIMIT}")
foreach(name storm pool_storm last_kill)
    chorus_storm(${name})
    add_test(NAME "storm: ${name}" COMMAND ${name} 5)
    set_tests_properties("storm: ${name}" PROPERTIES TIMEOUT ${storm_limit} RESOURCE_LOCK storm)
endforeach()

# Not kills, but writes where nothing of the worker's own lies.
chorus_storm(memory_storm)
add_test(NAME "storm: memory_storm" COMMAND memory_storm 20)
set_tests_properties("storm: memory_storm" PROPERTIES TIMEOUT ${storm_limit} RESOURCE_LOCK storm)

# Each operation, killed at each of its instructions; long ones at some of them (`make storm`: at each).
if(CMAKE_CXX_FLAGS MATCHES "fsanitize")
    return()  # whose own instructions are most of what would be stepped through; the storms are there
endif()
chorus_storm(every_instruction)
function(test_every_instruction operation stride)
    add_test(NAME "every instruction: ${operation}" COMMAND every_instruction ${operation} ${stride})
    # A copy by one repeated instruction would be a step for each byte.
    set_tests_properties("every instruction: ${operation}" PROPERTIES TIMEOUT 300
        ENVIRONMENT GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=0x10000000:glibc.cpu.x86_rep_stosb_threshold=0x10000000)
endfunction()
foreach(operation put put_quickly get get_quickly acquire release release_wakes semaphore_release_wakes event_set_wakes)
    test_every_instruction(${operation} 1)
endforeach()
test_every_instruction(put_wakes 3)
test_every_instruction(get_makes_room 3)
test_every_instruction(send_wakes 7)
test_every_instruction(notify 13)
test_every_instruction(put_grows 61)
test_every_instruction(put_long 1499)
test_every_instruction(get_long 1499)

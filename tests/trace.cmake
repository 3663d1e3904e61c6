find_package(nlohmann_json REQUIRED)

chorus_test_program(traced)
target_include_directories(program_traced PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
chorus_test(trace/trace)
target_link_libraries(trace_trace_test PRIVATE nlohmann_json::nlohmann_json)
add_dependencies(trace_trace_test program_traced)

# The command that draws it, as a user would run it.
if(TARGET chorus_command)
    add_test(NAME "command: timeline" COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/tools/timeline_test.py)
    set_tests_properties("command: timeline" PROPERTIES TIMEOUT 120 ENVIRONMENT "BUILD_DIR=${PROJECT_BINARY_DIR}")
endif()

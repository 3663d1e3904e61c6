find_package(nlohmann_json REQUIRED)

chorus_test_program(traced)
target_include_directories(program_traced PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
chorus_test(trace/trace)
target_link_libraries(trace_trace_test PRIVATE nlohmann_json::nlohmann_json)
add_dependencies(trace_trace_test program_traced)

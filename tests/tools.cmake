# The tools that are more than a few lines do what they are for.
foreach(tool bench_page check commands docs targets)
    add_test(NAME "tools: ${tool}" COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/tools/${tool}_test.py)
    set_tests_properties("tools: ${tool}" PROPERTIES TIMEOUT 60)
endforeach()

# The tools that are more than a few lines do what they are for.
add_test(NAME "tools: bench_page" COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/tools/bench_page_test.py)
set_tests_properties("tools: bench_page" PROPERTIES TIMEOUT 60)

# The order of the rooms holds, and the check that says so can fail.
add_test(NAME "layers: all includes point down" COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/check_layers.py)
add_test(NAME "layers: the check finds what breaks each rule" COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/tools/check_layers_test.py)
set_tests_properties("layers: all includes point down" "layers: the check finds what breaks each rule" PROPERTIES TIMEOUT 60)

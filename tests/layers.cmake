# The order of the rooms holds, and the check that says so can fail; each file is laid out as all are.
add_test(NAME "layers: all includes point down" COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/check_layers.py)
add_test(NAME "layers: the check finds what breaks each rule" COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/tools/check_layers_test.py)
set_tests_properties("layers: all includes point down" "layers: the check finds what breaks each rule" PROPERTIES TIMEOUT 60)

find_program(CLANG_FORMAT clang-format-16 REQUIRED)
file(GLOB_RECURSE sources CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/bench/*.[ch]pp ${PROJECT_SOURCE_DIR}/include/*.[ch]pp
     ${PROJECT_SOURCE_DIR}/src/*.[ch]pp ${PROJECT_SOURCE_DIR}/command/*.[ch]pp     ${PROJECT_SOURCE_DIR}/examples/*.[ch]pp ${PROJECT_SOURCE_DIR}/tests/*.[ch]pp)
# By comparison: clang-format 16 reports the end of a namespace that is inline as changed, with what stands there already.
add_test(NAME "layers: make format changes nothing"
    COMMAND sh -c "for file; do ${CLANG_FORMAT} $file | cmp - $file || wrong=1; done; exit $wrong" - ${sources}
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
set_tests_properties("layers: make format changes nothing" PROPERTIES TIMEOUT 60)

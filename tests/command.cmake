# The command `chorus`, as a user sees it, from Python: case by case, each with a limit.
if(NOT TARGET chorus_command)
    return()
endif()

# chorus_command_test(top): tests/command/top_test.py, each of its cases registered.
function(chorus_command_test name limit)
    set(file ${CMAKE_CURRENT_SOURCE_DIR}/command/${name}_test.py)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    math(EXPR limit "${limit} * ${SANITIZER_LIMIT}")
    file(STRINGS ${file} lines REGEX "^class |^    def test_")
    foreach(line ${lines})
        if(line MATCHES "^class ([A-Za-z]+)")
            set(class ${CMAKE_MATCH_1})
        elseif(line MATCHES "def (test_[a-z0-9_]+)")
            set(test "command/${name}: ${class}.${CMAKE_MATCH_1}")
            add_test(NAME ${test} COMMAND Python3::Interpreter ${file} ${class}.${CMAKE_MATCH_1})
            set_tests_properties(${test} PROPERTIES TIMEOUT ${limit} ENVIRONMENT "BUILD_DIR=${PROJECT_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1")
        endif()
    endforeach()
endfunction()

chorus_test_program(watched)
chorus_command_test(top 120)

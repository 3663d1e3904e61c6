# The command is run and looked at as a user would, from Python: case by case, each with a limit.
if(NOT TARGET chorus_command)
    return()
endif()

# chorus_command_test(report): tests/command/report_test.py, each of its cases registered.
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
            set_tests_properties(${test} PROPERTIES
                TIMEOUT ${limit}
                ENVIRONMENT "BUILD_DIR=${PROJECT_BINARY_DIR};PYTHONPATH=${CMAKE_CURRENT_SOURCE_DIR}/examples;PYTHONDONTWRITEBYTECODE=1")
        endif()
    endforeach()
endfunction()

chorus_command_test(report 120)

# What follows from figures, tried with figures that no machine has to have.
set(command_report_parts advice.cpp charts.cpp json.cpp markup.cpp page.cpp part.cpp quantities.cpp scales.cpp statistics.cpp)
list(TRANSFORM command_report_parts PREPEND ${PROJECT_SOURCE_DIR}/command/report/)
foreach(name advice page)
    chorus_test(command/${name})
    target_sources(command_${name}_test PRIVATE ${command_report_parts})
    target_include_directories(command_${name}_test PRIVATE ${PROJECT_BINARY_DIR}/command/generated)
endforeach()

chorus_test_program(watched)
chorus_command_test(top 120)

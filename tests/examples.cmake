# The examples are run and looked at as a user would, from Python: case by case, each with a limit.
if(NOT TARGET hash_tree)
    return()
endif()

# chorus_example_test(article): tests/examples/article_test.py, each of its cases registered.
function(chorus_example_test name limit)
    set(file ${CMAKE_CURRENT_SOURCE_DIR}/examples/${name}_test.py)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    math(EXPR limit "${limit} * ${SANITIZER_LIMIT}")
    file(STRINGS ${file} lines REGEX "^class |^    def test_")
    foreach(line ${lines})
        if(line MATCHES "^class ([A-Za-z]+)")
            set(class ${CMAKE_MATCH_1})
        elseif(line MATCHES "def (test_[a-z0-9_]+)")
            set(test "examples/${name}: ${class}.${CMAKE_MATCH_1}")
            add_test(NAME ${test} COMMAND Python3::Interpreter ${file} ${class}.${CMAKE_MATCH_1})
            set_tests_properties(${test} PROPERTIES
                TIMEOUT ${limit}
                SKIP_REGULAR_EXPRESSION "OK .skipped="
                ENVIRONMENT "BUILD_DIR=${PROJECT_BINARY_DIR};TOOLS_DIR=${PROJECT_SOURCE_DIR}/tools;PYTHONDONTWRITEBYTECODE=1")
        endif()
    endforeach()
endfunction()

chorus_example_test(article 60)
chorus_example_test(tour 180)
chorus_example_test(hash_tree 60)
chorus_example_test(hash_runner 60)
chorus_example_test(thumbnails 60)
chorus_example_test(grep_tree 60)
chorus_example_test(pipeline 60)
chorus_example_test(fetch 60)
chorus_example_test(train 60)

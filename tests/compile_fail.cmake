# What must not compile says so in one readable line, and what the interface promises compiles: under
# both compilers, whichever one builds the rest.
set(including "$<TARGET_PROPERTY:chorus::chorus,INTERFACE_INCLUDE_DIRECTORIES>")
file(GLOB compiled_programs CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/compile_fail/*.cpp)
foreach(compiler g++ clang++-16)
    string(MAKE_C_IDENTIFIER "CHORUS_TEST_${compiler}" found)
    find_program(${found} ${compiler})
    if(NOT ${found})
        message(STATUS "tests/compile_fail: ${compiler} is not installed, its diagnostics are not tested")
        continue()
    endif()
    set(check ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/compile_fail/check_compile.py ${${found}}
              ${CMAKE_CURRENT_BINARY_DIR}/compile_fail/${compiler})
    add_test(NAME "compile_fail/header: ${compiler}" COMMAND ${check} --header -- "-I$<JOIN:${including},;-I>" COMMAND_EXPAND_LISTS)
    add_test(NAME "compile_fail/programs: ${compiler}" COMMAND ${check} ${compiled_programs} -- "-I$<JOIN:${including},;-I>" COMMAND_EXPAND_LISTS)
    # What the compiler must be asked for: said first, and nothing after it.
    foreach(option "-std=c++17 C..20" "-std=c++20;-fno-rtti run-time.type.information" "-std=c++20;-fno-exceptions exceptions")
        string(REGEX MATCH "^[^ ]*" flags "${option}")
        string(REGEX MATCH "[^ ]*$" words "${option}")
        add_test(NAME "compile_fail/requirements: ${compiler} ${flags}"
            COMMAND ${${found}} ${flags} -fsyntax-only "-I$<JOIN:${including},;-I>" ${CMAKE_CURRENT_SOURCE_DIR}/compile_fail/string_view.cpp
            COMMAND_EXPAND_LISTS)
        set_tests_properties("compile_fail/requirements: ${compiler} ${flags}" PROPERTIES
            PASS_REGULAR_EXPRESSION "requirements.hpp:[0-9]*:[0-9]*: error:[^\n]*Chorus needs ${words}"
            FAIL_REGULAR_EXPRESSION "error:.*error:.*error:")
    endforeach()
    # Of detail/ a program may include nothing; tools/check_layers.py sees that each header there asks.
    add_test(NAME "compile_fail/detail: ${compiler}"
        COMMAND ${${found}} -std=c++20 -fsyntax-only "-I$<JOIN:${including},;-I>" ${CMAKE_CURRENT_SOURCE_DIR}/compile_fail/alone/detail_header.cpp
        COMMAND_EXPAND_LISTS)
    set_tests_properties("compile_fail/detail: ${compiler}" PROPERTIES
        PASS_REGULAR_EXPRESSION "contract.hpp:[0-9]*:[0-9]*: error:[^\n]*chorus/detail/ is not for programs[^\n]*include <chorus/NAME.hpp>"
        FAIL_REGULAR_EXPRESSION "error:.*error:.*error:")
    set_tests_properties("compile_fail/header: ${compiler}" PROPERTIES FIXTURES_SETUP "compiled header ${compiler}" TIMEOUT 240)
    set_tests_properties("compile_fail/programs: ${compiler}" PROPERTIES FIXTURES_REQUIRED "compiled header ${compiler}" TIMEOUT 600)
endforeach()

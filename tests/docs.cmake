# The documentation's code: each page's blocks become one program, which is run block by block, and what it prints is what the page
# shows. tests/docs/page.py says what a page may say of a block.
#
# Under one compiler, without sanitizers: what the blocks call is tested under all of them elsewhere.
if(CMAKE_CXX_FLAGS MATCHES "fsanitize" OR NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU" OR NOT PROJECT_IS_TOP_LEVEL)
    return()
endif()

set(docs_tests ${CMAKE_CURRENT_SOURCE_DIR}/docs)
set(docs_programs ${CMAKE_CURRENT_BINARY_DIR}/docs)
file(MAKE_DIRECTORY ${docs_programs})
file(GLOB_RECURSE docs_pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/*.md)
list(APPEND docs_pages ${PROJECT_SOURCE_DIR}/README.md)

# As a reader compiles them: debug information, and as quickly as can be.
add_library(chorus_docs_page INTERFACE)
target_link_libraries(chorus_docs_page INTERFACE chorus::chorus chorus_warnings)
target_compile_options(chorus_docs_page INTERFACE -O0)
set(docs_header "")

foreach(page ${docs_pages})
    file(STRINGS ${page} code REGEX "^```(cpp|python)$")
    if(NOT code)
        continue()
    endif()
    cmake_path(RELATIVE_PATH page BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE name)
    string(REGEX REPLACE "\\.md$" "" name ${name})
    string(MAKE_C_IDENTIFIER "page_${name}" target)
    add_custom_command(OUTPUT ${docs_programs}/${target}.cpp
        COMMAND Python3::Interpreter -B ${docs_tests}/page_program.py ${page} ${docs_programs}/${target}.cpp
        DEPENDS ${page} ${docs_tests}/page_program.py ${docs_tests}/page.py
        COMMENT "The programs of ${name}.md")
    add_executable(${target} ${docs_programs}/${target}.cpp)
    target_link_libraries(${target} PRIVATE chorus_docs_page)
    if(docs_header)
        target_precompile_headers(${target} REUSE_FROM ${docs_header})
    else()
        target_precompile_headers(${target} PRIVATE <chorus/chorus.hpp>)
        set(docs_header ${target})
    endif()
    add_test(NAME "docs: ${name}"
        COMMAND Python3::Interpreter -B ${docs_tests}/page_test.py ${page} $<TARGET_FILE:${target}> ${CMAKE_CXX_COMPILER}
                ${CMAKE_CURRENT_BINARY_DIR}/compile_fail/g++ -I${PROJECT_SOURCE_DIR})
    set_tests_properties("docs: ${name}" PROPERTIES TIMEOUT 300 FIXTURES_REQUIRED "compiled header g++")
    list(APPEND docs_targets ${target})
endforeach()
add_custom_target(docs_pages DEPENDS ${docs_targets})

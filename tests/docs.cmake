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
list(PREPEND docs_pages ${PROJECT_SOURCE_DIR}/README.md)

# As a reader compiles them: debug information, and as quickly as can be.
add_library(chorus_docs_page INTERFACE)
target_link_libraries(chorus_docs_page INTERFACE chorus::chorus chorus_warnings)
target_compile_options(chorus_docs_page INTERFACE -O0)

# docs_program(page_x PAGE): the program of a page; docs_program(page_x_3 PAGE 3): of its block 3 alone.
function(docs_program target page)
    add_custom_command(OUTPUT ${docs_programs}/${target}.cpp
        COMMAND Python3::Interpreter -B ${docs_tests}/page_program.py ${page} ${docs_programs}/${target}.cpp ${ARGN}
        DEPENDS ${page} ${docs_tests}/page_program.py ${docs_tests}/page.py
        COMMENT "${target}: the page's programs")
    add_executable(${target} ${docs_programs}/${target}.cpp)
    target_link_libraries(${target} PRIVATE chorus_docs_page)
    precompiled(${target} pages <chorus/chorus.hpp>)
endfunction()

foreach(page ${docs_pages})
    file(STRINGS ${page} code REGEX "^```(cpp|python)$")
    if(NOT code)
        continue()
    endif()
    cmake_path(RELATIVE_PATH page BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE name)
    string(REGEX REPLACE "\\.md$" "" name ${name})
    string(MAKE_C_IDENTIFIER "page_${name}" target)
    docs_program(${target} ${page})
    # Which blocks are alone the page itself says.
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${page})
    execute_process(COMMAND ${Python3_EXECUTABLE} -B ${docs_tests}/page.py ${page} OUTPUT_VARIABLE alone COMMAND_ERROR_IS_FATAL ANY)
    foreach(number ${alone})
        docs_program(${target}_${number} ${page} ${number})
        list(APPEND docs_targets ${target}_${number})
    endforeach()
    add_test(NAME "docs: ${name}"
        COMMAND Python3::Interpreter -B ${docs_tests}/page_test.py ${page} $<TARGET_FILE:${target}> ${CMAKE_CXX_COMPILER}
                ${CMAKE_CURRENT_BINARY_DIR}/compile_fail/g++ -I${PROJECT_SOURCE_DIR}/include)
    set_tests_properties("docs: ${name}" PROPERTIES TIMEOUT 300 FIXTURES_REQUIRED "compiled header g++")
    list(APPEND docs_targets ${target})
endforeach()
add_custom_target(docs_pages DEPENDS ${docs_targets})

# Both quick starts, as a reader follows them, with what tests/install.cmake has installed.
foreach(page quick_start zh/quick_start)
    add_test(NAME "docs: ${page}, by copy and paste"
        COMMAND Python3::Interpreter -B ${docs_tests}/quick_start_test.py ${PROJECT_SOURCE_DIR}/docs/${page}.md
                ${CMAKE_CURRENT_BINARY_DIR}/install/prefix)
    set_tests_properties("docs: ${page}, by copy and paste" PROPERTIES TIMEOUT 300 FIXTURES_REQUIRED installed)
endforeach()

# The site: doxygen has nothing to say, so that every public name is documented, and no link leads nowhere.
find_program(CHORUS_DOXYGEN doxygen)
if(CHORUS_DOXYGEN)
    add_test(NAME "docs: the site" COMMAND Python3::Interpreter -B ${PROJECT_SOURCE_DIR}/tools/docs ${docs_programs}/site)
    set_tests_properties("docs: the site" PROPERTIES TIMEOUT 300)
else()
    message(STATUS "tests/docs: doxygen is not installed, the documentation's site is not tested")
endif()

# What was compiled once with the same options is not compiled again, in this build or in another: by ccache, where it is installed.
#
# The cache serves other checkouts too: paths in it are relative to the checkout. What a compiled header is made of is
# compared by content and not by when it was written.
find_program(CHORUS_CCACHE ccache)
mark_as_advanced(CHORUS_CCACHE)
if(NOT CHORUS_CCACHE OR DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
    return()
endif()
set(CHORUS_CCACHE_SETTINGS CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime)
set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env ${CHORUS_CCACHE_SETTINGS} ${CHORUS_CCACHE})
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-fpch-preprocess)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
endif()

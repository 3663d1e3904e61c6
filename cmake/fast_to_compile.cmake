# What makes a build fast. Each source includes what it needs all the same: with CHORUS_FAST_TO_COMPILE off, each is compiled alone.
option(CHORUS_FAST_TO_COMPILE "Compile several sources at once and common headers beforehand; link by lld, if installed" ON)

# A hundred programs are linked, each in a third of the time. tests/install links by the default linker, as users do.
find_program(CHORUS_LLD ld.lld)
mark_as_advanced(CHORUS_LLD)
if(CHORUS_FAST_TO_COMPILE AND CHORUS_LLD AND NOT CMAKE_CROSSCOMPILING AND PROJECT_IS_TOP_LEVEL)
    add_link_options(-fuse-ld=lld)
endif()

# fast_to_compile(TARGET): eight of its sources are compiled as one, which reads their headers once: the library in a third of the time.
# What they name in unnamed namespaces, the eight have in common.
function(fast_to_compile target)
    if(CHORUS_FAST_TO_COMPILE)
        set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
    endif()
endfunction()

# precompiled(TARGET GROUP <header>…): the target reads these headers compiled. They are compiled once for all targets of a
# group, with the first one's options: all of a group must have the same.
function(precompiled target group)
    if(NOT CHORUS_FAST_TO_COMPILE)
        return()
    endif()
    get_property(first GLOBAL PROPERTY "chorus: precompiled for ${group}")
    if(first)
        target_precompile_headers(${target} REUSE_FROM ${first})
    else()
        set_property(GLOBAL PROPERTY "chorus: precompiled for ${group}" ${target})
        target_precompile_headers(${target} PRIVATE ${ARGN})
    endif()
endfunction()

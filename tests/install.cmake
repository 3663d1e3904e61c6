# Chorus as its users get it: built, installed and linked in each way there is, static and shared.
#
# Sanitizers change nothing in how it is packaged, so the plain builds are enough.
if(CMAKE_CXX_FLAGS MATCHES "fsanitize")
    return()
endif()

set(consumers ${CMAKE_CURRENT_BINARY_DIR}/install)

# They build the library again and again, out of the compiler's cache where there is one. A consumer is a project of its own and
# gets it as a user would set it: by the environment.
set(with_cache)
if(CHORUS_CCACHE)
    set(with_cache "CMAKE_CXX_COMPILER_LAUNCHER=${CHORUS_CCACHE}" ${CHORUS_CCACHE_SETTINGS})
endif()

# install_test(NAME … COMMAND …): one that may build, so it gets both processors and much time.
function(install_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "SETUP" "NEEDS;COMMAND")
    add_test(NAME "install: ${name}" COMMAND ${arg_COMMAND})
    set_tests_properties("install: ${name}" PROPERTIES TIMEOUT 3600 PROCESSORS 2 ENVIRONMENT "${with_cache}")
    if(arg_SETUP)
        set_tests_properties("install: ${name}" PROPERTIES FIXTURES_SETUP ${arg_SETUP})
    endif()
    if(arg_NEEDS)
        set_tests_properties("install: ${name}" PROPERTIES FIXTURES_REQUIRED "${arg_NEEDS}")
    endif()
endfunction()

# The command that builds the consumer project in a folder of that name and runs its programs.
function(consumer_command variable folder)
    set(${variable}
        ${CMAKE_CTEST_COMMAND} --build-and-test ${CMAKE_CURRENT_SOURCE_DIR}/install ${consumers}/${folder}
            --build-generator ${CMAKE_GENERATOR} --build-noclean
            --build-options -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} -DCHORUS_SOURCE=${PROJECT_SOURCE_DIR} --no-warn-unused-cli ${ARGN}
            --test-command ${CMAKE_CTEST_COMMAND} --output-on-failure --no-tests=error
        PARENT_SCOPE)
endfunction()

set(installed ${consumers}/prefix)
set(installed_shared ${consumers}/shared_prefix)
set(into_fresh_prefix ${CMAKE_CURRENT_SOURCE_DIR}/install/into_fresh_prefix.cmake)
set(pkg_config ${CMAKE_CURRENT_SOURCE_DIR}/install/pkg_config.sh)

install_test("into a fresh prefix" SETUP installed
    COMMAND ${CMAKE_COMMAND} -DBUILD=${PROJECT_BINARY_DIR} -DPREFIX=${installed} -P ${into_fresh_prefix})

consumer_command(command find_package -DHOW=find_package -DCMAKE_PREFIX_PATH=${installed} -DEACH_WAY_TO_LINK=ON -DCHECK_HEADERS=ON)
install_test("find_package, and each header alone" NEEDS installed COMMAND ${command})
install_test("pkg-config" NEEDS installed COMMAND ${pkg_config} ${installed} ${CMAKE_CXX_COMPILER})
# The library is g++'s, whose objects hold what clang's link-time optimisation takes for its own.
install_test("pkg-config by clang with link-time optimisation" NEEDS installed
    COMMAND ${CMAKE_COMMAND} -E env AR=llvm-ar-16 ${pkg_config} ${installed} "clang++-16 -flto" --static)
install_test("pkg-config --static" NEEDS installed COMMAND ${pkg_config} ${installed} ${CMAKE_CXX_COMPILER} --static)

consumer_command(command FetchContent -DHOW=FetchContent)
install_test("FetchContent" COMMAND ${command})

# The shared library is built here once, and what comes of it is installed for the others.
consumer_command(command add_subdirectory -DHOW=add_subdirectory -DBUILD_SHARED_LIBS=ON -DCHORUS_INSTALL=ON)
install_test("add_subdirectory as a shared library" SETUP built_shared COMMAND ${command})
install_test("a shared library into a fresh prefix" NEEDS built_shared SETUP installed_shared
    COMMAND ${CMAKE_COMMAND} -DBUILD=${consumers}/add_subdirectory -DPREFIX=${installed_shared} -P ${into_fresh_prefix})
consumer_command(command find_package_shared -DHOW=find_package -DCMAKE_PREFIX_PATH=${installed_shared} -DEACH_WAY_TO_LINK=ON)
install_test("find_package of a shared library" NEEDS installed_shared COMMAND ${command})
install_test("pkg-config of a shared library" NEEDS installed_shared COMMAND ${pkg_config} ${installed_shared} ${CMAKE_CXX_COMPILER})

install_test("a shared library shows what is public" NEEDS built_shared
    COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/install/shown_names.py
            ${consumers}/add_subdirectory/chorus/libchorus.so ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})

# ---- the Debian packages ----

set(debian ${consumers}/debian)
install_test("Debian packages" SETUP debian COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/install/debian_package.sh ${PROJECT_SOURCE_DIR} ${debian})
# One processor is enough for it: it runs beside other tests.
add_test(NAME "install: the Debian packages, by lintian" COMMAND sh -c
    "exec lintian --display-experimental --fail-on=error,warning,experimental \
        --allow-root ${debian}/chorus_*.changes")
set_tests_properties("install: the Debian packages, by lintian" PROPERTIES
    TIMEOUT 600 FIXTURES_REQUIRED debian)
foreach(kind shared static)
    consumer_command(command find_package_debian_${kind} -DHOW=find_package -DKIND=${kind} -DCMAKE_PREFIX_PATH=${debian}/system/usr)
    install_test("find_package of the Debian packages, ${kind}" NEEDS debian COMMAND ${command})
endforeach()
install_test("pkg-config of the Debian packages, shared" NEEDS debian COMMAND ${pkg_config} ${debian}/system ${CMAKE_CXX_COMPILER})
install_test("pkg-config of the Debian packages, static" NEEDS debian COMMAND ${pkg_config} ${debian}/system ${CMAKE_CXX_COMPILER} --static -static)

# ---- what is written ----

add_test(NAME "install: one version" COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/install/one_version.py ${PROJECT_SOURCE_DIR})
install_test("the README's programs" NEEDS installed
    COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/install/readme.py ${PROJECT_SOURCE_DIR}/README.md ${installed} ${CMAKE_CXX_COMPILER})

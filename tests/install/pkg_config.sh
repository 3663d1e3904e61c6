#!/bin/sh
# As a user without CMake: pkg_config.sh PREFIX COMPILER [FLAG for pkg-config [FLAG for the linker]]
set -eu
prefix=$1 compiler=$2 flag=${3:-} link=${4:-}
here=$(dirname "$0")
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name chorus.pc)")
export PKG_CONFIG_PATH
# No flag is no word.
# shellcheck disable=SC2086
cflags=$(pkg-config $flag --cflags chorus)
# shellcheck disable=SC2086
libs=$(pkg-config $flag --libs chorus)
# Where a shared library lies is the user's to say.
LD_LIBRARY_PATH=$(pkg-config --variable=libdir chorus)
export LD_LIBRARY_PATH

# C++20 is the default, and the user's word counts.
case $cflags in *-std=c++20*) ;; *) exit 1 ;; esac
# shellcheck disable=SC2086
case $(pkg-config $flag --define-variable=std=-std=c++23 --cflags chorus) in *-std=c++20*) exit 1 ;; *-std=c++23*) ;; *) exit 1 ;; esac

set -x
# The options are words: they are to be split.
# shellcheck disable=SC2086
{
    $compiler -c "$here/start_each_way.cpp" $cflags -o "$build/start_each_way.o"
    $compiler "$here/main.cpp" "$build/start_each_way.o" $cflags $libs $link -o "$build/direct"
    "$build/direct"

    $compiler -c "$here/main.cpp" $cflags -o "$build/main.o"
    "${AR:-ar}" rcs "$build/libpart.a" "$build/main.o" "$build/start_each_way.o"
    $compiler "$build/libpart.a" $libs $link -o "$build/main_in_library"
    "$build/main_in_library"
}

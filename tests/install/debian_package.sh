#!/bin/sh
# Builds the Debian packages and installs them into a system of their own: debian_package.sh SOURCE WORK
#
# What was built for an earlier run stays and is built upon; the machine's own packages are left alone.
set -eu
source=$1 work=$2

mkdir -p "$work/chorus"
find "$work/chorus" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
rm -rf "$work/system" "$work"/*.deb
tar -C "$source" --exclude=./build --exclude=./.git --exclude=./.cache -cf - . | tar -C "$work/chorus" -xf -

cd "$work/chorus"
# Not optimised, without debug information and hardly compressed: it is the packages that are tried here, and a third of the time is
# enough for them.
export DEB_BUILD_OPTIONS="noopt noautodbgsym parallel=$(nproc)" DEB_CXXFLAGS_APPEND=-g0 DPKG_DEB_COMPRESSOR_LEVEL=0
env -u CC -u CXX -u CFLAGS -u CXXFLAGS -u LDFLAGS dpkg-buildpackage --no-sign --build=binary --no-pre-clean
cd "$work"
mkdir -p system/var/lib/dpkg/info system/var/lib/dpkg/updates
touch system/var/lib/dpkg/status
# In this system there is nothing that they depend on: the machine has it.
fakeroot dpkg --root="$work/system" --log=/dev/null --force-depends --install libchorus0.2_*.deb libchorus-dev_*.deb chorus_*.deb
version=$(dpkg-parsechangelog --file "$work/chorus/debian/changelog" --show-field Version)
library=$(dirname "$(find "$work/system" -name 'libchorus.so')")
test "$(LD_LIBRARY_PATH=$library system/usr/bin/chorus --version)" = "$version"

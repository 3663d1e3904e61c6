# Debian's cross compiler for ARM64, and QEMU to run what it makes. Of cereal and libdw only headers are needed, which
# are the same for all architectures: they are taken from this machine, by links, since its /usr/include has those of
# its own C library too.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)

set(headers "${CMAKE_BINARY_DIR}/headers")
foreach(header cereal elfutils dwarf.h gelf.h libelf.h)
    file(MAKE_DIRECTORY "${headers}")
    file(CREATE_LINK "/usr/include/${header}" "${headers}/${header}" SYMBOLIC)
endforeach()
file(WRITE "${headers}/cereal-config.cmake"
    "add_library(cereal::cereal INTERFACE IMPORTED)\n"
    "target_include_directories(cereal::cereal INTERFACE \"${headers}\")\n")
set(cereal_DIR "${headers}" CACHE PATH "")
set(LIBDW_INCLUDE_DIR "${headers}" CACHE PATH "")

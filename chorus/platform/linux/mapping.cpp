#include <chorus/platform/mapping.hpp>

#include <chorus/platform/syscall.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace chorus::platform {

FileDescriptor make_anonymous_file(const char* label) { return above_standard_streams(check(::memfd_create(label, MFD_CLOEXEC), "make a shared memory file")); }

void reserve(int descriptor, std::size_t size) { reserve(descriptor, 0, size); }

void reserve(int descriptor, std::size_t offset, std::size_t size) {
    const int code = retry([&] { return ::fallocate(descriptor, 0, static_cast<off_t>(offset), static_cast<off_t>(size)); });
    if (code < 0) throw os_error("reserve " + std::to_string(size) + " bytes of shared memory", errno);
}

void set_file_size(int descriptor, std::size_t size) {
    check(retry([&] { return ::ftruncate(descriptor, static_cast<off_t>(size)); }), "set the size of shared memory");
}

std::size_t file_size(int descriptor) {
    struct stat status {};
    check(::fstat(descriptor, &status), "ask for the size of shared memory");
    return static_cast<std::size_t>(status.st_size);
}

void write_at(int descriptor, std::size_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const auto written = retry([&] { return ::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
        if (written < 0) throw os_error("write " + std::to_string(bytes.size()) + " bytes to shared memory", errno);
        bytes = bytes.subspan(static_cast<std::size_t>(written));
        offset += static_cast<std::size_t>(written);
    }
}

Mapping::Mapping(int descriptor, std::size_t offset, std::size_t size, Access access) {
    if (size == 0) return;
    const int protection = access == Access::read ? PROT_READ : PROT_READ | PROT_WRITE;
    void* address = ::mmap(nullptr, size, protection, MAP_SHARED, descriptor, static_cast<off_t>(offset));
    if (address == MAP_FAILED) throw os_error("map " + std::to_string(size) + " bytes of shared memory", errno);
    bytes_ = {static_cast<std::byte*>(address), size};
}

Mapping::~Mapping() {
    if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

}  // namespace chorus::platform

#include "platform/mapping.hpp"

#include "platform/available_memory.hpp"
#include "platform/linux/file_size_limit.hpp"
#include "platform/linux/newer_calls.hpp"
#include "platform/page.hpp"
#include "platform/syscall.hpp"

#include <string_view>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace chorus::inline v0::detail::platform {
namespace {

// The path to which shm_open maps a name, under each C library of Linux. shm_open itself is not used:
// it gives a name first and memory afterwards, so that other processes find memory without a size, and
// a death in between leaves it.
constexpr std::string_view memory_folder = "/dev/shm/";

// In bytes: below it the limit of the control group is not checked.
constexpr std::size_t large = std::size_t{16} << 20;

std::string path_of(const std::string& name) { return std::string(memory_folder) + name; }

std::string quoted(const std::string& name) { return "'" + name + "'"; }

FileNotFound not_found(const std::string& operation, const std::string& name) {
    return FileNotFound(os_error(operation + " shared memory " + quoted(name), ENOENT).what() +
                            std::string("; it was never created, or is unlinked: check the name, and unlink "
                                        "only when all have attached"),
                        ENOENT);
}

FileExists taken(const std::string& name) {
    return FileExists(
        os_error("create shared memory " + quoted(name), EEXIST).what() +
            std::string("; attach to it, unlink it if it is unused, or leave the name out to get a free one"),
        EEXIST);
}

OsError no_room(std::size_t size, int code, const struct statvfs& volume) {
    std::string text = os_error("reserve " + std::to_string(size) + " bytes of shared memory", code).what();
    if ((code == ENOSPC || code == ENOMEM) && volume.f_blocks > 0) {
        text += "; " + std::to_string(volume.f_bavail * volume.f_frsize) + " of " +
                std::to_string(volume.f_blocks * volume.f_frsize) +
                " bytes are free: ask for less, unlink what is not needed in " + std::string(memory_folder) +
                ", or make that larger (its mount option size; for a container, an option like docker's "
                "--shm-size)";
    }
    return OsError(text, code);
}

}  // namespace

FileDescriptor make_anonymous_file(const char* label) {
    auto file = above_standard_streams(
        check(::memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING), "make a shared memory file"));
    check(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL), "seal a shared memory file");
    return file;
}

FileDescriptor make_nameable_file() {
    const int file = retry([] { return ::open(memory_folder.data(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); });
    return above_standard_streams(
        check(file, "make shared memory in /dev/shm (is that a tmpfs, and may you write there?)"));
}

void require_free_memory_name(const std::string& name) {
    if (::faccessat(AT_FDCWD, path_of(name).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) throw taken(name);
}

void give_memory_name(int descriptor, const std::string& name) {
    const std::string file = "/proc/self/fd/" + std::to_string(descriptor);
    if (::linkat(AT_FDCWD, file.c_str(), AT_FDCWD, path_of(name).c_str(), AT_SYMLINK_FOLLOW) == 0) return;
    if (errno == EEXIST) throw taken(name);
    throw os_error("create shared memory " + quoted(name), errno);
}

FileDescriptor open_named_memory(const std::string& name) {
    // Non-blocking: there may be a pipe of that name.
    const std::string path = path_of(name);
    const int opened =
        retry([&] { return ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); });
    if (opened < 0 && errno == ENOENT) throw not_found("attach to", name);
    if (opened < 0) throw os_error("attach to shared memory " + quoted(name), errno);
    FileDescriptor file = above_standard_streams(opened);
    struct stat status {};
    check(::fstat(file.get(), &status), "ask for the kind of shared memory");
    if (!S_ISREG(status.st_mode))
        throw os_error("attach to shared memory " + quoted(name) + ", which is no memory", EINVAL);
    return file;
}

void remove_memory_name(const std::string& name) {
    if (::unlink(path_of(name).c_str()) == 0) return;
    if (errno == ENOENT) throw not_found("unlink", name);
    throw os_error("unlink shared memory " + quoted(name), errno);
}

void reserve(int descriptor, std::size_t size) { reserve(descriptor, 0, size); }

void reserve(int descriptor, std::size_t offset, std::size_t size) {
    struct statvfs volume {};
    check(::fstatvfs(descriptor, &volume), "ask for the room for shared memory");
    // Checked first, because the kernel would fill all available memory before it refuses. A file
    // system without a limit reports 0 of 0.
    if (volume.f_blocks > 0 && size / volume.f_frsize > volume.f_bavail) throw no_room(size, ENOSPC, volume);
    // Beyond the limit of a control group the kernel does not refuse: it kills the process.
    if (size >= large) expect_available_memory(size);
    const int code = without_size_signal([&] {
        return retry(
            [&] { return ::fallocate(descriptor, 0, static_cast<off_t>(offset), static_cast<off_t>(size)); });
    });
    if (code < 0) throw no_room(size, errno, volume);
}

void set_file_size(int descriptor, std::size_t size) {
    check(without_size_signal(
              [&] { return retry([&] { return ::ftruncate(descriptor, static_cast<off_t>(size)); }); }),
          "set the size of shared memory");
}

std::size_t file_size(int descriptor) {
    struct stat status {};
    check(::fstat(descriptor, &status), "ask for the size of shared memory");
    return static_cast<std::size_t>(status.st_size);
}

void write_at(int descriptor, std::size_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const auto written = without_size_signal([&] {
            return retry(
                [&] { return ::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
        });
        if (written < 0)
            throw os_error("write " + std::to_string(bytes.size()) + " bytes to shared memory", errno);
        bytes = bytes.subspan(static_cast<std::size_t>(written));
        offset += static_cast<std::size_t>(written);
    }
}

Mapping::Mapping(int descriptor, std::size_t offset, std::size_t size, Access access) {
    if (size == 0) return;
    const int protection = access == Access::read ? PROT_READ : PROT_READ | PROT_WRITE;
    void* address = ::mmap(nullptr, size, protection, MAP_SHARED, descriptor, static_cast<off_t>(offset));
    if (address == MAP_FAILED)
        throw os_error("map " + std::to_string(size) + " bytes of shared memory", errno);
    bytes_ = {static_cast<std::byte*>(address), size};
}

void Mapping::make_writable(std::size_t offset, std::size_t size) {
    check(::mprotect(bytes_.data() + offset, size, PROT_READ | PROT_WRITE), "make shared memory writable");
}

void Mapping::unmap_beginning(std::size_t size) noexcept {
    ::munmap(bytes_.data(), size);
    bytes_ = bytes_.subspan(size);
}

namespace {

void set_lock(int descriptor, std::size_t offset, short type) noexcept {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = static_cast<off_t>(offset);
    lock.l_len = 1;
    // EDEADLK: the kernel takes the threads of a process for one, which would wait for itself. A retry
    // resolves it.
    while (retry([&] { return ::fcntl(descriptor, F_SETLKW, &lock); }) < 0 && errno == EDEADLK)
        ::sched_yield();
}

}  // namespace

void lock_byte(int descriptor, std::size_t offset) noexcept { set_lock(descriptor, offset, F_WRLCK); }
void unlock_byte(int descriptor, std::size_t offset) noexcept { set_lock(descriptor, offset, F_UNLCK); }

void Mapping::look_up_all() noexcept {
    // Since Linux 5.14. Before, each page is mapped when it is touched.
    if (!bytes_.empty()) ::madvise(bytes_.data(), bytes_.size(), populate_for_writing);
}

void prefer_large_pages(void* memory, std::size_t bytes) noexcept {
    const auto begin = (reinterpret_cast<std::uintptr_t>(memory) + page_size - 1) & ~(page_size - 1);
    const auto end = (reinterpret_cast<std::uintptr_t>(memory) + bytes) & ~(page_size - 1);
    if (end > begin) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

Mapping::~Mapping() {
    if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

}  // namespace chorus::inline v0::detail::platform

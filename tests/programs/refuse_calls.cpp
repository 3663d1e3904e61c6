// Runs a program in which the kernel refuses system calls, as an older kernel or a sandbox does:
//     refuse_calls ERRNO CALL,CALL,… PROGRAM ARGUMENT…
// `newer` as a call means all that are newer than Linux 5.4.
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>

#include <seccomp.h>
#include <unistd.h>

namespace {

[[noreturn]] void fail(const std::string& text) {
    std::fprintf(stderr, "refuse_calls: %s\n", text.c_str());
    std::exit(125);
}

// By number, as libseccomp has no names for the newest. The numbers are the same on all architectures; the
// last ones are of calls that do not exist yet.
constexpr int first_newer_call = 436;  // close_range, Linux 5.9
constexpr int last_newer_call = 480;

int number_of(const std::string& name) {
    const int number = ::seccomp_syscall_resolve_name(name.c_str());
    if (number == __NR_SCMP_ERROR) fail("there is no system call " + name);
    return number;
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 4) fail("usage: refuse_calls ERRNO NAME,NAME,... PROGRAM ARGUMENT...");
    const auto code = static_cast<std::uint32_t>(std::atoi(arguments[1]));
    auto* const filter = ::seccomp_init(SCMP_ACT_ALLOW);
    if (filter == nullptr) fail("seccomp_init failed");
    std::istringstream names(arguments[2]);
    const auto refuse = [&](int number) {
        if (::seccomp_rule_add(filter, SCMP_ACT_ERRNO(code), number, 0) != 0)
            fail("no rule can be made for call " + std::to_string(number));
    };
    for (std::string name; std::getline(names, name, ',');) {
        if (name == "newer") {
            for (int number = first_newer_call; number <= last_newer_call; ++number) refuse(number);
        } else {
            refuse(number_of(name));
        }
    }
    if (::seccomp_load(filter) != 0) fail("the kernel does not take the filter");
    ::execv(arguments[3], arguments + 3);
    fail(std::string("cannot execute ") + arguments[3]);
}

#include "platform/resource_limits.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fstream>

#include "platform/syscall.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

namespace chorus::inline v0::detail::platform {
namespace {

/// Layout of the bytes.
struct LimitsRecord {
    cpu_set_t cpus;
    std::array<struct rlimit, RLIM_NLIMITS> limits;
};

}  // namespace

ResourceLimits resource_limits() {
    LimitsRecord record{};
    ::sched_getaffinity(0, sizeof record.cpus, &record.cpus);
    for (std::size_t i = 0; i < record.limits.size(); ++i)
        ::getrlimit(static_cast<__rlimit_resource>(i), &record.limits[i]);
    ResourceLimits bytes(sizeof record);
    std::memcpy(bytes.data(), &record, sizeof record);
    return bytes;
}

void apply_resource_limits(const ResourceLimits& bytes) noexcept {
    LimitsRecord record{};
    if (bytes.size() != sizeof record) return;
    std::memcpy(&record, bytes.data(), sizeof record);
    ::sched_setaffinity(0, sizeof record.cpus, &record.cpus);
    for (std::size_t i = 0; i < record.limits.size(); ++i)
        ::setrlimit(static_cast<__rlimit_resource>(i), &record.limits[i]);
}

void limit_memory(std::size_t bytes) {
    std::ifstream file("/proc/self/statm");
    std::size_t field = 0;
    std::size_t data_pages = 0;
    for (int i = 0; i < 6 && file >> field; ++i) data_pages = field;
    const rlim_t limit = data_pages * static_cast<std::size_t>(::getpagesize()) + bytes;
    struct rlimit bound {};
    check(::getrlimit(RLIMIT_DATA, &bound), "ask for a process's memory limit");
    bound.rlim_cur = std::min(limit, bound.rlim_max);
    check(::setrlimit(RLIMIT_DATA, &bound), "limit a process's memory");
}

void lift_memory_limit() noexcept {
    struct rlimit bound {};
    if (::getrlimit(RLIMIT_DATA, &bound) != 0) return;
    bound.rlim_cur = bound.rlim_max;
    ::setrlimit(RLIMIT_DATA, &bound);
}

namespace {

// A copy made by fork has no timers.
struct CpuTimer {
    timer_t timer{};
    int pid = 0;
};
CpuTimer cpu_timer;

void set_cpu_timer(std::chrono::nanoseconds more) noexcept {
    itimerspec when{};
    when.it_value.tv_sec = static_cast<time_t>(more.count() / 1'000'000'000);
    when.it_value.tv_nsec = static_cast<long>(more.count() % 1'000'000'000);
    ::timer_settime(cpu_timer.timer, 0, &when, nullptr);
}

}  // namespace

void limit_cpu_time(std::chrono::nanoseconds more) {
    if (cpu_timer.pid != ::getpid()) {
        sigevent event{};
        event.sigev_notify = SIGEV_SIGNAL;
        event.sigev_signo = SIGXCPU;
        check(::timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &cpu_timer.timer),
              "limit a process's CPU time");
        cpu_timer.pid = ::getpid();
    }
    ::signal(SIGXCPU, SIG_DFL);
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGXCPU);
    ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    set_cpu_timer(std::max(more, std::chrono::nanoseconds(1)));  // 0 would mean never
}

void lift_cpu_time_limit() noexcept {
    if (cpu_timer.pid == ::getpid()) set_cpu_timer({});
}

}  // namespace chorus::inline v0::detail::platform

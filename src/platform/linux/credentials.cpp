#include "platform/credentials.hpp"

#include <algorithm>

#include <linux/capability.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace chorus::inline v0::detail::platform {

Credentials credentials() {
    Credentials here;
    auto& ids = here.users_and_groups;
    ::getresuid(&ids[0], &ids[1], &ids[2]);
    ::getresgid(&ids[3], &ids[4], &ids[5]);
    here.further_groups.resize(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0)));
    const int groups = ::getgroups(static_cast<int>(here.further_groups.size()), here.further_groups.data());
    here.further_groups.resize(static_cast<std::size_t>(std::max(groups, 0)));
    __user_cap_header_struct version{_LINUX_CAPABILITY_VERSION_3, 0};
    static_assert(sizeof here.capabilities == _LINUX_CAPABILITY_U32S_3 * sizeof(__user_cap_data_struct));
    ::syscall(SYS_capget, &version, here.capabilities.data());
    here.process_group_and_session = {::getpgrp(), ::getsid(0)};
    struct stat root {};
    if (::stat("/", &root) == 0) here.root_directory = {root.st_dev, root.st_ino};
    here.renounced = {::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), ::prctl(PR_GET_SECCOMP)};
    return here;
}

bool has_rights_of_another() noexcept { return ::getauxval(AT_SECURE) != 0; }

}  // namespace chorus::inline v0::detail::platform

#include "sync/process_names.hpp"

#include <algorithm>

#include "platform/process_id.hpp"
#include "sync/shared_runtime.hpp"

namespace chorus::inline v0::detail::sync {

void publish_process_name(int pid, std::string_view name) noexcept {
    ProcessName& tag = process_name_at(shared_runtime().process_names(), pid);
    ProcessName::Text text{};
    std::copy_n(name.data(), std::min(name.size(), text.size() - 1), text.data());
    std::int32_t seen = tag.pid;
    if (seen == pid && tag.read() == text) return;
    if (seen < 0 && platform::process_exists(-seen)) return;  // another one writes there: that one counts
    if (!tag.pid.compare_exchange_strong(seen, -platform::process_id())) return;
    tag.write(text);
    tag.pid = pid;
}

}  // namespace chorus::inline v0::detail::sync

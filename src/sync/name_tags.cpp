#include "sync/name_tags.hpp"

#include <algorithm>

#include "platform/os_process.hpp"
#include "sync/commons.hpp"

namespace chorus::sync {

void hang_name_tag(int pid, std::string_view name) noexcept {
    NameTag& tag = name_tag_at(commons().name_tags(), pid);
    NameTag::Text text{};
    std::copy_n(name.data(), std::min(name.size(), text.size() - 1), text.data());
    std::int32_t seen = tag.pid;
    if (seen == pid && tag.read() == text) return;
    if (seen < 0 && platform::process_exists(-seen)) return;  // another one writes there: that one counts
    if (!tag.pid.compare_exchange_strong(seen, -platform::process_id())) return;
    tag.write(text);
    tag.pid = pid;
}

}  // namespace chorus::sync

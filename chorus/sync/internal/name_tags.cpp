#include <chorus/sync/internal/name_tags.hpp>

#include <algorithm>

#include <chorus/sync/internal/commons.hpp>

namespace chorus::sync {

void hang_name_tag(int pid, std::string_view name) noexcept {
    NameTag& tag = name_tag_at(commons().name_tags(), pid);
    if (tag.pid == pid && name.substr(0, sizeof tag.name - 1) == tag.name) return;
    tag.pid = 0;
    const auto end = std::copy_n(name.data(), std::min(name.size(), sizeof tag.name - 1), tag.name);
    std::fill(end, std::end(tag.name), '\0');
    tag.pid = pid;
}

}  // namespace chorus::sync

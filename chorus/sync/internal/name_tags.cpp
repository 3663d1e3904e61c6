#include <chorus/sync/internal/name_tags.hpp>

#include <algorithm>
#include <cstring>

#include <chorus/sync/internal/commons.hpp>

namespace chorus::sync {
namespace {

NameTag& place_of(Commons& here, int pid) noexcept { return here.name_tags()[static_cast<std::size_t>(pid) % most_name_tags]; }

}  // namespace

void hang_name_tag(int pid, std::string_view name) noexcept {
    NameTag& tag = place_of(commons(), pid);
    if (tag.pid == pid && name.substr(0, sizeof tag.name - 1) == tag.name) return;
    tag.pid = 0;
    const auto end = std::copy_n(name.data(), std::min(name.size(), sizeof tag.name - 1), tag.name);
    std::fill(end, std::end(tag.name), '\0');
    tag.pid = pid;
}

std::string name_tag_of(Commons& commons, int pid) {
    const NameTag& tag = place_of(commons, pid);
    return tag.pid == pid ? std::string(tag.name, ::strnlen(tag.name, sizeof tag.name)) : std::string();
}

}  // namespace chorus::sync

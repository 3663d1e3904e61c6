#include "timeline/trace_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <string_view>

#include <nlohmann/json.hpp>

namespace command::timeline {
namespace {

using Json = nlohmann::json;

constexpr std::string_view beginning = "{\"ph\":\"";

std::optional<Event> event_of(std::string_view line) {
    if (!line.empty() && line.back() == ',') line.remove_suffix(1);
    const Json json = Json::parse(line, nullptr, false);
    if (!json.is_object()) return std::nullopt;
    Event event;
    try {
        event.what = json.at("ph").get<std::string>().at(0);
        event.time = json.at("ts").get<double>();
        event.process = json.at("pid").get<std::int64_t>();
        event.thread = json.at("tid").get<std::int64_t>();
        event.name = json.value("name", "");
        event.kind = json.value("cat", "");
        event.arrow = json.value("id", std::int64_t{0});
        const Json arguments = json.value("args", Json::object());
        for (const auto& [key, value] : arguments.items()) {
            if (value.is_string()) {
                event.texts[key] = value.get<std::string>();
            } else {
                event.numbers[key] = value.get<std::int64_t>();
            }
        }
    } catch (const std::exception&) {
        return std::nullopt;
    }
    return event;
}

std::string printable(std::string text) {
    std::ranges::replace_if(
        text, [](char c) { return c < ' ' || c > '~'; }, '?');
    return text;
}

// It begins as an event does, as far as it goes or up to the next one.
bool is_torn(std::string_view line) {
    const auto same = std::ranges::mismatch(line, beginning);
    return same.in2 == beginning.end() || same.in1 == line.end() ||
           std::string_view(same.in1, line.end()).starts_with(beginning);
}

// What is left of a line whose writer did not come to its end: the event of the next one, if that went on in
// it.
std::optional<Event> after_a_tear(std::string_view line) {
    const auto next = line.rfind(beginning);
    return next == 0 || next == std::string_view::npos ? std::nullopt : event_of(line.substr(next));
}

}  // namespace

std::string Event::text(const std::string& key) const {
    const auto found = texts.find(key);
    return found == texts.end() ? "" : found->second;
}

std::int64_t Event::number(const std::string& key, std::int64_t otherwise) const {
    const auto found = numbers.find(key);
    return found == numbers.end() ? otherwise : found->second;
}

Trace read_trace(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    if (!file) throw BadTrace("cannot read " + path + ": " + std::strerror(errno));
    if (!std::getline(file, line) || line != "[") {
        throw BadTrace(path + " is no trace of Chorus: its first line is no [. Make one by CHORUS_TRACE=" +
                       path + " ./program");
    }
    Trace trace;
    for (std::size_t number = 2; std::getline(file, line); ++number) {
        if (line.empty() || line == "]") continue;
        auto event = event_of(line);
        if (!event && is_torn(line)) {
            ++trace.torn;
            event = after_a_tear(line);
            if (!event) continue;
        }
        if (!event)
            throw BadTrace(path + ":" + std::to_string(number) +
                           ": this line is no event of a trace: " + printable(line.substr(0, 60)));
        trace.events.push_back(std::move(*event));
    }
    if (trace.events.empty()) throw BadTrace(path + " is a trace without an event");
    std::ranges::stable_sort(trace.events, {}, &Event::time);
    return trace;
}

}  // namespace command::timeline

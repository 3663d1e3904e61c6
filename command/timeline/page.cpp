#include "timeline/page.hpp"

#include <algorithm>

#include "markup.hpp"
#include "timeline/picture.hpp"
#include "timeline/styles.hpp"
#include "timeline/words.hpp"

namespace command::timeline {
namespace {

constexpr std::size_t most_in_table = 2000;

template <class Is>
std::size_t count_spans(const Timeline& timeline, Is is) {
    std::size_t count = 0;
    for (const auto& row : timeline.rows)
        count += static_cast<std::size_t>(std::ranges::count_if(row.spans, is));
    return count;
}

bool has(const Timeline& timeline, Mark::Kind kind) {
    return std::ranges::any_of(timeline.rows, [kind](const Row& row) { return row.has(kind); });
}

std::string legend(const Timeline& timeline) {
    std::string out = "<ul class=\"legend\" aria-label=\"Legend\">\n";
    const auto entry = [&](bool shown, const char* look, const char* text) {
        if (shown) out += std::string("<li><i class=\"") + look + "\"></i>" + text + "</li>\n";
    };
    const auto some = [&](const char* kind) {
        return count_spans(timeline, [kind](const Span& span) { return span.kind == kind; }) != 0;
    };
    entry(some("run"), "run", "a function runs");
    entry(some("task"), "task", "a pool's task");
    entry(some("wait"), "wait", "waits");
    entry(has(timeline, Mark::Kind::put), "put", "puts a message");
    entry(has(timeline, Mark::Kind::got), "got", "gets a message");
    entry(has(timeline, Mark::Kind::died), "died", "died");
    return out + "</ul>\n";
}

std::string deaths(const Timeline& timeline) {
    std::string out;
    for (const auto& row : timeline.rows) {
        for (const auto& mark : row.marks) {
            if (mark.kind != Mark::Kind::died) continue;
            out += "<li><strong>" + escape(row.name) + "</strong>, process " + std::to_string(row.process) +
                   ", was " + escape(mark.text) + "; heard of at " + time_text(mark.at) + "</li>\n";
        }
    }
    return out.empty() ? ""
                       : "<section>\n<h2>Deaths</h2>\n<ul class=\"deaths\">\n" + out + "</ul>\n</section>\n";
}

std::string table(const Timeline& timeline) {
    std::string out =
        "<details>\n<summary>The same as a table</summary>\n<div class=\"scroll\" tabindex=\"0\" "
        "role=\"region\" aria-label=\"All spans\"><table>\n"
        "<thead><tr><th scope=\"col\">Worker</th><th scope=\"col\">What</th><th scope=\"col\">Kind</th><th "
        "scope=\"col\" class=\"right\">From</th>"
        "<th scope=\"col\" class=\"right\">Took</th><th scope=\"col\">Ended by</th></tr></thead>\n<tbody>\n";
    std::size_t written = 0;
    for (const auto& row : timeline.rows) {
        for (const auto& span : row.spans) {
            if (++written > most_in_table) break;
            out += "<tr><th scope=\"row\">" + escape(row.name) + "</th><td>" + escape(span.name) +
                   (span.task != 0 ? " · task " + std::to_string(span.task) : "") + "</td><td>" +
                   escape(span.kind) + "</td><td class=\"right\">" + time_text(span.from) +
                   "</td><td class=\"right\">" + time_text(span.to - span.from) + "</td><td>" +
                   escape(in_short(span.ending)) + "</td></tr>\n";
        }
    }
    const auto all = count_spans(timeline, [](const Span&) { return true; });
    out += "</tbody></table></div>\n";
    if (all > most_in_table)
        out += "<p class=\"note\">The first " + std::to_string(most_in_table) + " of " + std::to_string(all) +
               ".</p>\n";
    return out + "</details>\n";
}

std::string notes(const Timeline& timeline) {
    std::string out;
    if (timeline.rows.size() > most_rows) {
        out += "<p class=\"note\">Drawn are the first " + std::to_string(most_rows) + " of " +
               std::to_string(timeline.rows.size()) + " workers.</p>\n";
    }
    if (const auto arrows = drawable_arrows(timeline); arrows > most_arrows) {
        out += "<p class=\"note\">Not drawn, since they would hide the rest: " + std::to_string(arrows) +
               " lines from row to row, of tasks and messages.</p>\n";
    }
    if (timeline.torn != 0)
        out += "<p class=\"note\">Cut short by a death or a full disk, and passed over: " +
               counted(timeline.torn, "line") + " of the trace.</p>\n";
    return out;
}

}  // namespace

std::string summary_of(const Timeline& timeline) {
    const auto processes = static_cast<std::size_t>(std::ranges::count_if(timeline.rows, &Row::is_main));
    const std::size_t threads = timeline.rows.size() - processes;
    const auto tasks = count_spans(timeline, [](const Span& span) { return span.kind == "task"; });
    const auto dead = static_cast<std::size_t>(
        std::ranges::count_if(timeline.rows, [](const Row& row) { return row.has(Mark::Kind::died); }));
    std::string text = counted(processes, "process");
    if (threads != 0) text += ", " + counted(threads, "thread") + " besides";
    if (tasks != 0) text += ", " + counted(tasks, "task");
    if (dead != 0) text += ", " + counted(dead, "death");
    return text + ", " + time_text(timeline.length);
}

std::string write_page(const Timeline& timeline) {
    const std::string program = escape(timeline.program);
    return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
           "content=\"width=device-width, initial-scale=1\">\n"
           "<title>" +
           program + " – timeline</title>\n<style>" + page_style +
           "</style>\n</head>\n<body>\n<header>\n<h1>" + program + "</h1>\n<p class=\"lead\">" +
           summary_of(timeline) + ".</p>\n</header>\n<main>\n" + legend(timeline) + "<figure>\n" +
           draw(timeline, Place::in_page) + "</figure>\n" + notes(timeline) + deaths(timeline) +
           table(timeline) + "</main>\n</body>\n</html>\n";
}

}  // namespace command::timeline

#include "page.hpp"

#include "charts.hpp"
#include "markup.hpp"
#include "page_style.hpp"

namespace command::report {
namespace {

constexpr const char* title = "Threads or processes?";
constexpr const char* lead =
    "What a widely read article says about Python's threads and processes, measured on this machine for C++ "
    "with Chorus: each claim, the "
    "figures, and what they mean here. At the end is what to take for which work.";
constexpr const char* quick_notice =
    "This was a quick run, with less work and fewer rounds: good for a first look, not for a decision.";

Markup link(const std::string& anchor, const std::string& words) {
    return tag("a", {{"href", "#" + anchor}}, words);
}

Markup masthead(const Results& results) {
    Markup known;
    for (const auto& [name, value] : results.facts)
        known += tag("div", {}, tag("dt", {}, name), tag("dd", {}, value));
    Markup notices;
    if (results.quick) notices += tag("p", {{"class", "notice"}}, quick_notice);
    if (!results.busy.empty()) notices += tag("p", {{"class", "notice"}}, results.busy);
    return tag("header", {}, tag("h1", {}, title), tag("p", {{"class", "lead"}}, lead), notices,
               tag("dl", {}, known));
}

Markup contents(const Results& results) {
    Markup links = tag("li", {}, link("summary", "In short"));
    for (const auto& part : results.parts) links += tag("li", {}, link(part.name, part.title));
    links += tag("li", {}, link("advice", "What to take"));
    return tag("nav", {{"aria-label", "Parts of the report"}}, tag("ul", {}, links));
}

Markup card(const Part& part) {
    return tag(
        "li", {},
        tag("a", {{"class", "card"}, {"href", "#" + part.name}},
            tag("strong", {{"class", "big"}}, part.headline.big), " ", tag("span", {}, part.headline.words)));
}

std::string not_measured(const Part& part) {
    return (part.means.empty() ? "Could not be measured: " : "Not all could be measured: ") + part.failure +
           ".";
}

Markup summary(const Results& results) {
    Markup cards, failed;
    for (const auto& part : results.parts) {
        if (!part.headline.big.empty()) cards += card(part);
        if (!part.failure.empty())
            failed += tag("p", {{"class", "notice"}}, link(part.name, part.title), ": " + not_measured(part));
    }
    return tag("section", {{"id", "summary"}}, tag("h2", {}, "In short"),
               tag("ul", {{"class", "cards"}}, cards), failed);
}

Markup figure(const Part& part, const Chart& chart) {
    return tag("figure", {}, tag("h3", {}, chart.title),
               chart.shape == Shape::table ? Markup{} : picture(chart, part.name + "-" + chart.name),
               tag("details", {}, tag("summary", {}, "The figures"), table(chart)));
}

Markup paragraph(const char* name, const std::string& label, const std::string& words) {
    return words.empty() ? Markup{} : tag("p", {{"class", name}}, tag("b", {}, label), " ", words);
}

Markup section(const Part& part) {
    Markup words = paragraph("claim", "The article:", part.claim);
    words += paragraph("done", "Measured:", part.done);
    words += paragraph("means", "Here:", part.means);
    for (const auto& note : part.notes) words += tag("p", {{"class", "note"}}, note);
    if (!part.failure.empty()) {
        words += tag("p", {{"class", "notice"}}, not_measured(part));
    }
    Markup pictures;
    for (const auto& chart : part.charts) {
        if (!chart.series.empty()) pictures += figure(part, chart);
    }
    if (!part.output.empty()) {
        pictures += tag("figure", {}, tag("h3", {}, "What its caller was told"), tag("pre", {}, part.output));
    }
    return tag("section", {{"id", part.name}}, tag("h2", {}, part.title),
               tag("div", {{"class", "panel"}}, tag("div", {{"class", "words"}}, words),
                   tag("div", {{"class", "pictures"}}, pictures)));
}

Markup advice_part(const Results& results) {
    Markup rows;
    for (const auto& [work, use, because] : results.advice) {
        rows += tag("tr", {}, tag("th", {{"scope", "row"}}, "Your work " + work),
                    tag("td", {}, tag("b", {}, use)), tag("td", {}, because));
    }
    Markup inside = tag("h2", {}, "What to take");
    if (results.advice.empty()) {
        inside += tag("p", {{"class", "notice"}},
                      "For advice, figures are missing: the parts above say why, or were not asked for.");
    } else {
        const Markup head =
            tag("tr", {}, tag("th", {{"scope", "col"}}, "Your case"), tag("th", {{"scope", "col"}}, "Take"),
                tag("th", {{"scope", "col"}}, "Because here"));
        inside += tag("table", {{"class", "advice"}}, tag("thead", {}, head), tag("tbody", {}, rows));
    }
    inside += tag("p", {{"class", "note"}},
                  "When several cases are yours, the lowest of them in the table decides. Only the namespace "
                  "changes between both: chorus::threading and "
                  "chorus::multiprocessing have the same names, so that a program can be tried both ways. A "
                  "task that has to be ended when it takes too "
                  "long or too much memory needs a process, too: a thread cannot be ended.");
    return tag("section", {{"id", "advice"}}, inside);
}

Markup footer() {
    return tag(
        "footer", {},
        tag("p", {},
            "Figures are medians, and the thin line in a bar is the middle half of the rounds. What is "
            "compared was measured by turns in the same "
            "rounds, and each result was checked. Figures of other machines and other hours differ; run ",
            tag("code", {}, "chorus report"), " there."));
}

}  // namespace

std::string page(const Results& results) {
    const Markup head =
        tag("head", {}, tag("meta", {{"charset", "utf-8"}}),
            tag("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}}),
            tag("meta", {{"name", "color-scheme"}, {"content", "light dark"}}), tag("title", {}, title),
            tag("style", {}, Markup{page_style}));
    Markup main = summary(results);
    for (const auto& part : results.parts) main += section(part);
    main += advice_part(results);
    const Markup body =
        tag("body", {}, tag("a", {{"class", "skip"}, {"href", "#summary"}}, "Skip to the results"),
            masthead(results), contents(results), tag("main", {}, main), footer());
    return "<!DOCTYPE html>\n" + tag("html", {{"lang", "en"}}, head, body).text + "\n";
}

}  // namespace command::report

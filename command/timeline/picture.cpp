#include "timeline/picture.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "markup.hpp"
#include "timeline/styles.hpp"
#include "timeline/words.hpp"

namespace command::timeline {
namespace {

// Pixels.
constexpr int head = 30;  // the axis
constexpr int name_height = 21;
constexpr int bar_height = 18;
constexpr int level_height = bar_height + 2;
constexpr int note_height = 16;
constexpr int tick_height = 9;
constexpr int row_padding = 5;
constexpr int row_gap = 5;
constexpr int indent = 14;
constexpr int width_alone = 900;
constexpr int margin_alone = 14;

// Parts of the whole that are narrower than this are not visible.
constexpr double finest = 1.0 / 1500;
constexpr double wide_enough_for_text = 0.035;

/// A span, or many that lie too close together to be told apart.
struct Bar {
    double from = 0;
    double to = 0;
    std::size_t level = 0;
    std::string kind;
    std::string text;
    std::string title;
    std::size_t count = 1;
    double busy = 0;
    bool is_cut = false;
};

std::string title_of(const Span& span) {
    std::string title = span.name;
    if (span.task != 0) title += ", task " + std::to_string(span.task);
    title += ": " + time_text(span.to - span.from) + ", from " + time_text(span.from) + " to " +
             time_text(span.to);
    if (!span.ending.empty()) title += "; " + span.ending;
    return title;
}

std::vector<Bar> bars_of(const Row& row, double length) {
    std::vector<Bar> bars;
    std::map<std::pair<std::size_t, std::string>, std::size_t>
        last;  // of a level and kind: its last bar, if that is a narrow one
    for (const auto& span : row.spans) {
        const std::pair key{span.level, span.kind};
        const bool narrow = span.to - span.from < finest * length;
        const auto before = last.find(key);
        if (narrow && before != last.end() && span.from - bars[before->second].to < finest * length) {
            Bar& bar = bars[before->second];
            bar.to = std::max(bar.to, span.to);
            bar.busy += span.to - span.from;
            ++bar.count;
            bar.title = counted(bar.count, span.kind) + ", " + time_text(bar.busy) + " in all, from " +
                        time_text(bar.from) + " to " + time_text(bar.to);
            continue;
        }
        bars.push_back({span.from, span.to, span.level, span.kind, span.name, title_of(span), 1,
                        span.to - span.from, !span.ending.empty()});
        if (narrow) {
            last[key] = bars.size() - 1;
        } else {
            last.erase(key);
        }
    }
    return bars;
}

/// What a row takes of the picture's height.
struct Heights {
    int ticks = 0;
    int notes = 0;
    int all = 0;
};

Heights heights_of(const Row& row) {
    Heights heights;
    if (row.has(Mark::Kind::put) || row.has(Mark::Kind::got)) heights.ticks = tick_height;
    if (row.has(Mark::Kind::died) || row.has(Mark::Kind::left)) heights.notes = note_height;
    heights.all = name_height + static_cast<int>(row.levels()) * level_height + heights.ticks +
                  heights.notes + row_padding;
    return heights;
}

double step_for(double length, double most_steps) {
    const double rough = std::max(length / most_steps, 1e-3);
    const double power = std::pow(10, std::floor(std::log10(rough)));
    for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor * power >= rough) return factor * power;
    }
    return 10 * power;
}

bool is_drawable(const Arrow& arrow, std::size_t rows) {
    return arrow.from_row < rows && arrow.to_row < rows && arrow.from_row != arrow.to_row;
}

class Picture {
public:
    Picture(const Timeline& timeline, Place place)
        : timeline_(timeline), place_(place), length_(std::max(timeline.scale, 1e-3)) {}

    std::string draw() {
        const std::size_t shown = std::min(timeline_.rows.size(), most_rows);
        int y = head;
        for (std::size_t i = 0; i < shown; ++i) {
            tops_.push_back(y);
            y += heights_of(timeline_.rows[i]).all + row_gap;
        }
        const int height = y + 4;
        begin(height);
        for (std::size_t i = 0; i < shown; ++i) draw_band(timeline_.rows[i], tops_[i]);
        draw_axis(height);
        draw_arrows();  // bars hide them where they cross
        for (std::size_t i = 0; i < shown; ++i) draw_row(timeline_.rows[i], tops_[i]);
        return out_ + (place_ == Place::alone ? "</svg></svg>\n" : "</svg>\n");
    }

private:
    std::string x(double at) const { return percent(at, length_); }
    static std::string px(int pixels) { return std::to_string(pixels); }

    void begin(int height) {
        const bool alone = place_ == Place::alone;
        out_ += "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + (alone ? px(width_alone) : "100%") +
                "\" height=\"" + px(height) +
                (alone ? "\" viewBox=\"0 0 " + px(width_alone) + " " + px(height) : std::string()) +
                "\" role=\"group\" aria-label=\"Timeline of " + escape(timeline_.program) +
                "\" class=\"timeline\">\n<style>" + picture_style + "</style>\n";
        out_ +=
            "<defs><pattern id=\"waits\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
            "patternTransform=\"rotate(45)\"><rect class=\"between\" "
            "width=\"6\" height=\"6\"/><rect class=\"hatch\" width=\"1.5\" height=\"6\"/></pattern></defs>\n";
        if (!alone) return;
        out_ += "<rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n";
        out_ += "<svg x=\"" + px(margin_alone) + "\" width=\"" + px(width_alone - 2 * margin_alone) +
                "\" height=\"" + px(height) + "\">\n";
    }

    void draw_band(const Row& row, int top) {
        out_ += "<rect class=\"band\" width=\"100%\" y=\"" + px(top) + "\" height=\"" +
                px(heights_of(row).all) + "\" rx=\"6\"/>\n";
    }

    void draw_axis(int height) {
        const double step = step_for(length_, 5);
        out_ += "<g class=\"axis\" aria-hidden=\"true\">\n";
        for (int i = 0; i * step <= length_; ++i) {
            const double at = i * step;
            // A label would be cut off at the right edge.
            const std::string anchor = i == 0 ? "start" : at > 0.95 * length_ ? "end" : "middle";
            out_ += "<line x1=\"" + x(at) + "\" x2=\"" + x(at) + "\" y1=\"22\" y2=\"" + px(height) +
                    "\"/><text x=\"" + x(at) + "\" y=\"15\" text-anchor=\"" + anchor + "\">" +
                    (i == 0 ? "0" : time_text(at, length_)) + "</text>\n";
        }
        out_ += "</g>\n";
    }

    void draw_row(const Row& row, int top) {
        const int left = 8 + indent * static_cast<int>(row.depth);
        out_ += "<g class=\"row\" tabindex=\"0\" role=\"img\" aria-label=\"" + escape(spoken(row)) +
                "\">\n<rect class=\"focus\" x=\"1\" y=\"" + px(top + 1) + "\" height=\"" +
                px(heights_of(row).all - 2) + "\" rx=\"5\"/>\n";
        out_ += "<text class=\"" + std::string(row.is_main ? "name" : "name of-thread") + "\" x=\"" +
                px(left) + "\" y=\"" + px(top + 15) + "\">" + escape(row.name) + " <tspan class=\"quiet\">" +
                (row.is_main ? "process " : "thread ") + std::to_string(row.thread) + "</tspan></text>\n";
        const int bars = top + name_height;
        for (const auto& bar : bars_of(row, length_))
            draw_bar(bar, bars + static_cast<int>(bar.level) * level_height);
        const int below = bars + static_cast<int>(row.levels()) * level_height;
        draw_ticks(row, below);
        for (const auto& mark : row.marks) {
            if (mark.kind == Mark::Kind::died || mark.kind == Mark::Kind::left)
                draw_end(row, mark, bars, below);
        }
        out_ += "</g>\n";
    }

    void draw_bar(const Bar& bar, int y) {
        const std::string box = "x=\"" + x(bar.from) + "\" y=\"" + px(y) + "\" width=\"" +
                                x(std::max(bar.to - bar.from, finest * length_)) + "\" height=\"" +
                                px(bar_height) + "\"";
        const std::string look = "class=\"bar " + escape(bar.kind) + (bar.is_cut ? " cut" : "") + "\"";
        const std::string title = "<title>" + escape(bar.title) + "</title>";
        if (bar.count > 1 || bar.to - bar.from < wide_enough_for_text * length_) {
            out_ += "<rect " + look + " " + box + ">" + title + "</rect>\n";
            return;
        }
        out_ += "<svg " + box + "><rect " + look + " width=\"100%\" height=\"100%\" rx=\"3\">" + title +
                "</rect><text class=\"in " + escape(bar.kind) + "\" x=\"6\" y=\"13\">" + escape(bar.text) +
                "</text></svg>\n";
    }

    // One for all that lie too close together.
    void draw_ticks(const Row& row, int y) {
        for (const auto kind : {Mark::Kind::put, Mark::Kind::got}) {
            std::map<long, std::pair<std::size_t, const Mark*>> places;
            for (const auto& mark : row.marks) {
                if (mark.kind != kind) continue;
                auto& place = places[std::lround(mark.at / (4 * finest * length_))];
                if (++place.first == 1) place.second = &mark;
            }
            const bool is_put = kind == Mark::Kind::put;
            for (const auto& [number, place] : places) {
                const auto& [count, first] = place;
                const std::string title = count == 1
                                              ? first->text + " at " + time_text(first->at)
                                              : counted(count, is_put ? "message put" : "message got") +
                                                    " about " + time_text(first->at);
                out_ += "<svg x=\"" + x(first->at) + "\" y=\"" + px(y) +
                        "\" width=\"9\" height=\"9\" class=\"tick\"><path class=\"" +
                        (is_put ? "put" : "got") + "\" d=\"" + (is_put ? "M-4 7h8l-4-7z" : "M-4 0h8l-4 7z") +
                        "\"><title>" + escape(title) + "</title></path></svg>\n";
            }
        }
    }

    void draw_end(const Row& row, const Mark& mark, int top, int below) {
        const bool died = mark.kind == Mark::Kind::died;
        const int note = below + heights_of(row).ticks + 12;
        const bool on_the_left = mark.at < 0.6 * length_;
        out_ += std::string("<g class=\"") + (died ? "died" : "left") + "\"><title>" +
                escape(mark.text + " at " + time_text(mark.at)) + "</title>";
        out_ += "<line x1=\"" + x(mark.at) + "\" x2=\"" + x(mark.at) + "\" y1=\"" + px(top - 3) + "\" y2=\"" +
                px(note + 2) + "\"/>";
        out_ += "<text class=\"note\" x=\"" + x(mark.at) + "\" dx=\"" + (on_the_left ? "5" : "-5") +
                "\" y=\"" + px(note) + "\" text-anchor=\"" + (on_the_left ? "start" : "end") + "\">" +
                (died ? "✕ " : "") + escape(in_short(mark.text)) + "</text></g>\n";
    }

    void draw_arrows() {
        if (drawable_arrows(timeline_) > most_arrows) return;  // they would hide what they join
        out_ += "<g class=\"arrows\" aria-hidden=\"true\">\n";
        for (const auto& arrow : timeline_.arrows) {
            if (!is_drawable(arrow, tops_.size())) continue;
            const auto middle = [&](std::size_t row) {
                const auto levels = static_cast<int>(timeline_.rows[row].levels());
                return px(tops_[row] + name_height + levels * level_height -
                          (arrow.kind == "task" ? level_height / 2 : -4));
            };
            out_ += "<line class=\"" + arrow.kind + "\" x1=\"" + x(arrow.from) + "\" y1=\"" +
                    middle(arrow.from_row) + "\" x2=\"" + x(arrow.to) + "\" y2=\"" + middle(arrow.to_row) +
                    "\"/>\n";
        }
        out_ += "</g>\n";
    }

    // For readers that cannot see it.
    std::string spoken(const Row& row) const {
        constexpr std::size_t most = 8;
        std::string text =
            row.name + (row.is_main ? ", process " : ", thread ") + std::to_string(row.thread) + ".";
        std::size_t told = 0;
        for (const auto& span : row.spans) {
            if (++told > most) break;
            text += " " + title_of(span) + ".";
        }
        if (row.spans.size() > most) text += " And " + std::to_string(row.spans.size() - most) + " more.";
        for (const auto& mark : row.marks) {
            if (mark.kind == Mark::Kind::died || mark.kind == Mark::Kind::left)
                text += " " + mark.text + " at " + time_text(mark.at) + ".";
        }
        return text;
    }

    const Timeline& timeline_;
    const Place place_;
    const double length_;
    std::vector<int> tops_;
    std::string out_;
};

}  // namespace

std::size_t drawable_arrows(const Timeline& timeline) {
    const std::size_t rows = std::min(timeline.rows.size(), most_rows);
    return static_cast<std::size_t>(std::ranges::count_if(
        timeline.arrows, [rows](const Arrow& arrow) { return is_drawable(arrow, rows); }));
}

std::string draw(const Timeline& timeline, Place place) { return Picture(timeline, place).draw(); }

}  // namespace command::timeline

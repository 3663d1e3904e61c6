#include "report/page.hpp"

#include <gmock/gmock.h>

#include "report/json.hpp"
#include "report/quantities.hpp"
#include "report/scales.hpp"
#include "report/statistics.hpp"

namespace {

using namespace command;
using namespace command::report;
using testing::AllOf;
using testing::ElementsAre;
using testing::Ge;
using testing::HasSubstr;
using testing::Le;
using testing::Not;
using testing::SizeIs;

TEST(Page, shows_text_as_text) {
    Part part{.name = "part",
              .title = "<b>1 & 2</b>",
              .claim = "\"so\"",
              .done = "\xff\x01 \xe2\x82\xac \xe2\x82 \xef\xbf\xbf"};
    part.failure = "no <room>";
    EXPECT_THAT(page({.parts = {part}}),
                AllOf(HasSubstr("&lt;b&gt;1 &amp; 2&lt;/b&gt;"), HasSubstr("&quot;so&quot;"),
                      HasSubstr("\uFFFD\uFFFD € \uFFFD\uFFFD \uFFFD"),
                      HasSubstr("Could not be measured: no &lt;room&gt;."), Not(HasSubstr("<b>1"))));
}

TEST(Page, shows_a_part_that_broke_off) {
    Part part{.name = "part", .title = "", .claim = "", .done = ""};
    part.add_chart({.name = "empty", .title = "nothing was added"});
    Chart& chart = part.add_chart({.name = "some", .title = "something was added", .shape = Shape::lines});
    chart.add("one", Kind::threads, {0, 0, 0, 1}, 8);
    part.failure = "no room";
    EXPECT_THAT(page({.parts = {part}}), AllOf(HasSubstr("something was added"),
                                               Not(HasSubstr("nothing was added")), Not(HasSubstr("nan"))));
}

TEST(Json, escapes) {
    Part part{.name = "part", .title = "a \"b\" \\ \n\xff", .claim = "", .done = ""};
    EXPECT_THAT(json({.parts = {part}}), HasSubstr(R"("title": "a \"b\" \\ \n)"
                                                   "\uFFFD\""));
}

TEST(Quantity, is_what_people_read) {
    EXPECT_EQ(quantity(0, Unit::nanoseconds), "0");
    EXPECT_EQ(quantity(0.4, Unit::nanoseconds), "0.4\u00a0ns");
    EXPECT_EQ(quantity(999.6, Unit::nanoseconds), "1\u00a0µs");
    EXPECT_EQ(quantity(1254, Unit::nanoseconds), "1.25\u00a0µs");
    EXPECT_EQ(quantity(1.2e13, Unit::nanoseconds), "12,000\u00a0s");
    EXPECT_EQ(quantity(0x1p26, Unit::bytes), "64\u00a0MiB");
    EXPECT_EQ(quantity(1234567, Unit::count), "1,234,567");
    EXPECT_EQ(quantity(1.949, Unit::times), "1.9×");
    EXPECT_EQ(quantity(31.6, Unit::times), "32×");
    EXPECT_EQ(quantity(0.04, Unit::percent), "0.04\u00a0%");
    EXPECT_EQ(quantity(49.7, Unit::percent), "50\u00a0%");
    EXPECT_EQ(counted(1, Kind::processes), "1 process");
    EXPECT_EQ(counted(2, Kind::threads), "2 threads");
}

TEST(Quantity, is_exact_for_programs) {
    for (const double value : {0.1, 1.0 / 3, 1e300, 5e-300, 123456789.0})
        EXPECT_EQ(std::stod(exactly(value)), value);
}

TEST(Figure, is_the_middle_of_its_rounds) {
    const Figure figure = figure_of({7, 1, 5, 3, 100, 2, 6});
    EXPECT_EQ(figure.median, 5);
    EXPECT_EQ(figure.low, 2);
    EXPECT_EQ(figure.high, 7);
    EXPECT_EQ(figure.rounds, 7U);
    EXPECT_EQ(figure_of({4}).high, 4);
}

TEST(Scale, begins_at_nothing_unless_values_span_decades) {
    const Scale linear = scale_of_bars({10, 40}, Unit::nanoseconds);
    EXPECT_FALSE(linear.logarithmic);
    EXPECT_THAT(linear.ticks, ElementsAre(0, 20, 40));
    EXPECT_EQ(linear.place(20), 0.5);
    const Scale logarithmic = scale_of_bars({10, 10'000}, Unit::nanoseconds);
    EXPECT_TRUE(logarithmic.logarithmic);
    EXPECT_GT(logarithmic.place(10), 0);
    EXPECT_EQ(logarithmic.place(10'000), 1);
    EXPECT_THAT(scale_of_bars({0, 0}, Unit::percent).place(0), 0);
}

TEST(Scale, keeps_its_marks_apart) {
    const Scale across = scale_across({8, 512, 4096, 65536, 0x1p20, 0x1p23, 0x1p26});
    EXPECT_EQ(across.ticks.front(), 8);
    EXPECT_EQ(across.ticks.back(), 0x1p26);
    for (std::size_t i = 1; i < across.ticks.size(); ++i)
        EXPECT_GT(across.place(across.ticks[i]) - across.place(across.ticks[i - 1]), 0.17);
    EXPECT_THAT(scale_across({4}).place(4), AllOf(Ge(0.4), Le(0.6)));
}

}  // namespace

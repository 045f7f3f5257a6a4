#include "tools/compare/html_report.h"

#include <cmath>
#include <fstream>

#include "base/html_testing.h"
#include "gtest/gtest.h"
#include "tools/compare/plot_axis.h"

namespace skep {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Tags that are opened are closed, in order; what XML parsers refuse first.
void ExpectWellFormed(const std::string& text) {
  EXPECT_EQ(MisplacedTag(text), "");
  EXPECT_EQ(text.find("nan"), std::string::npos);
  EXPECT_EQ(text.find("inf"), std::string::npos);
}

LinePlot ExampleLines() {
  LinePlot plot;
  plot.title = "Latency <against> load";
  plot.x = {.label = "calls a second"};
  plot.y = {
      .label = "latency", .unit = PlotUnit::kNanoseconds, .scale = PlotScale::kLog};
  plot.series = {{"median", {{1000, 2e5, 1.8e5, 2.2e5}, {2000, 3e5}, {5000, 4e6}}},
                 {"p99", {{1000, 2e6}, {2000, 5e6}, {5000, 9e7}}}};
  plot.marks = {{"limit", 2500}};
  return plot;
}

BarPlot ExampleBars() {
  BarPlot plot;
  plot.title = "Mean latency";
  plot.y = {.label = "service times"};
  plot.groups = {"fixed", "1 % slow"};
  plot.series = {{"round robin", {{1.2, 1.1, 1.3}, {9.9, 9.0, 11.0}}},
                 {"least pending", {{1.1, 1.0, 1.2}, {kNan}}}};
  return plot;
}

TEST(SvgPlotTest, ValuesAreShort) {
  EXPECT_EQ(FormatPlotValue(0, PlotUnit::kNanoseconds), "0");
  EXPECT_EQ(FormatPlotValue(12'300, PlotUnit::kNanoseconds), "12.3 us");
  EXPECT_EQ(FormatPlotValue(999'700, PlotUnit::kNanoseconds), "1 ms");
  EXPECT_EQ(FormatPlotValue(2.5e9, PlotUnit::kNanoseconds), "2.5 s");
  EXPECT_EQ(FormatPlotValue(1234, PlotUnit::kNumber), "1234");
  EXPECT_EQ(FormatPlotValue(20'000, PlotUnit::kNumber), "20k");
  EXPECT_EQ(FormatPlotValue(12.5, PlotUnit::kPercent), "12.5 %");
}

TEST(SvgPlotTest, AxesPlaceTheirValues) {
  const PlacedAxis linear(PlotScale::kLinear, {3, 9.5, kNan}, 0, 100,
                          PlacedAxis::Zero::kNearby);
  EXPECT_EQ(linear.low(), 0);
  EXPECT_EQ(linear.high(), 10);
  EXPECT_DOUBLE_EQ(linear.At(5), 50);
  EXPECT_EQ(linear.Ticks().size(), 6);
  const PlacedAxis far(PlotScale::kLinear, {1000, 1010}, 0, 100,
                       PlacedAxis::Zero::kNearby);
  EXPECT_GE(far.low(), 990) << "values far from zero need no zero";
  const PlacedAxis sizes(PlotScale::kLinear, {8, 14}, 0, 100, PlacedAxis::Zero::kNo);
  EXPECT_EQ(sizes.low(), 8);
  EXPECT_EQ(sizes.high(), 14);
  const PlacedAxis log(PlotScale::kLog, {1, 0, 1e6}, 0, 100, PlacedAxis::Zero::kNearby);
  EXPECT_NEAR(log.At(1e3), 50, 0.5);
  EXPECT_EQ(log.Ticks().size(), 7);
  // However little there is between: more than one tick.
  for (const double high : {1.5, 3.0, 3.9, 7.0, 30.0, 300.0}) {
    const PlacedAxis narrow(PlotScale::kLog, {1.2, 1.2 * high}, 0, 100,
                            PlacedAxis::Zero::kNearby);
    EXPECT_GE(narrow.Ticks().size(), 3) << high;
    EXPECT_LE(narrow.Ticks().size(), 10) << high;
  }
  EXPECT_EQ(log.At(-1), 0) << "what has no logarithm is drawn at the least";
  const PlacedAxis tail(PlotScale::kTail, {0, 50, 99.99, 100}, 0, 100,
                        PlacedAxis::Zero::kNearby);
  EXPECT_NEAR(tail.At(99), 50, 0.1);
  EXPECT_NEAR(tail.At(100), 100, 0.1);
  EXPECT_EQ(tail.TickText(99.9, PlotUnit::kPercent), "99.9 %");
  const PlacedAxis equal(PlotScale::kLinear, {0, 0}, 0, 100, PlacedAxis::Zero::kNearby);
  EXPECT_GT(equal.high(), equal.low());
}

TEST(SvgPlotTest, LinesHaveTheirPointsErrorBarsAndNames) {
  const std::string svg = PlotSvg(ExampleLines());
  ExpectWellFormed(svg);
  for (const char* part :
       {"Latency &lt;against&gt; load", "median, 1000: 200 us (180 us to 220 us)",
        "p99, 5000: 90 ms", "calls a second", "limit", "prefers-color-scheme:dark"}) {
    EXPECT_NE(svg.find(part), std::string::npos) << part;
  }
}

TEST(SvgPlotTest, ANarrowAndAnEmptyPlotAreDrawn) {
  LinePlot plot = ExampleLines();
  plot.series = {{"one", {{1, 5}}}};
  ExpectWellFormed(PlotSvg(plot));
  plot.style = LinePlot::Style::kArea;
  ExpectWellFormed(PlotSvg(plot));
  plot.series.clear();
  EXPECT_NE(PlotSvg(plot).find("nothing was measured"), std::string::npos);
}

TEST(SvgPlotTest, TicksMayBeThoseOfThePoints) {
  LinePlot plot = ExampleLines();
  plot.series = {{"one", {{14, 5}, {15, 6}}}};
  EXPECT_NE(PlotSvg(plot).find(">14.2<"), std::string::npos);
  plot.x.ticks_at_points = true;
  const std::string svg = PlotSvg(plot);
  EXPECT_EQ(svg.find(">14.2<"), std::string::npos);
  EXPECT_NE(svg.find(">14<"), std::string::npos);
  EXPECT_NE(svg.find(">15<"), std::string::npos);
}

// Values are written over bars only where they do not touch one another.
TEST(SvgPlotTest, ValuesOfNarrowBarsAreHintsOnly) {
  BarPlot plot = ExampleBars();
  EXPECT_NE(PlotSvg(plot).find(">9.9<"), std::string::npos);
  // All of them, or none.
  BarPlot one_long = plot;
  for (int i = 0; i < 5; ++i) one_long.series.push_back(plot.series[0]);
  one_long.series[0].bars[0] = {.value = 1.23e-4};
  EXPECT_EQ(PlotSvg(one_long).find(">9.9<"), std::string::npos);
  plot.series.assign(16, plot.series[0]);
  const std::string svg = PlotSvg(plot);
  EXPECT_EQ(svg.find(">9.9<"), std::string::npos);
  EXPECT_NE(svg.find("1 % slow, round robin: 9.9"), std::string::npos);
}

TEST(SvgPlotTest, BarsLeaveOutWhatIsMissing) {
  const std::string svg = PlotSvg(ExampleBars());
  ExpectWellFormed(svg);
  EXPECT_NE(svg.find("1 % slow, round robin: 9.9 (9 to 11)"), std::string::npos);
  EXPECT_EQ(svg.find("1 % slow, least pending"), std::string::npos);
}

TEST(HtmlReportTest, LeavesOutColumnsWithoutAnything) {
  HtmlReport report("page");
  report.Table({.columns = {"name", "bytes", "rounds", "remark"},
                .rows = {{"a", "-", "-", ""}, {"b", "3 KiB", "-", ""}}});
  report.Table(
      {.columns = {"what"}, .rows = {{"a sentence"}, {"2 sentences"}}, .text = true});
  const std::string page = report.Finish();
  ExpectWellFormed(page);
  EXPECT_EQ(page.find("rounds"), std::string::npos);
  EXPECT_EQ(page.find("remark"), std::string::npos);
  // What is not known stands where numbers stand.
  EXPECT_NE(page.find("<th class=\"n\">bytes</th>"), std::string::npos);
  EXPECT_NE(page.find("<td class=\"n\">-</td>"), std::string::npos);
  EXPECT_NE(page.find("<div class=\"scroll text\">"), std::string::npos);
  EXPECT_NE(page.find("<td>2 sentences</td>"), std::string::npos);
}

TEST(HtmlReportTest, IsOnePageThatLoadsNothing) {
  HtmlReport report("compare <x>");
  report.Environment({{"processor", "a & b"}});
  report.Section("Part \"one\"");
  report.Paragraph("text");
  report.Table({.columns = {"policy", "mean"},
                .rows = {{"random", "1.5 +-0.1"}, {"other", "< 2"}},
                .caption = "what it is"});
  report.Plot(ExampleLines());
  report.Plot(ExampleBars());
  const std::string page = report.Finish();
  ExpectWellFormed(page);
  for (const char* part :
       {"<title>compare &lt;x&gt;</title>", "a &amp; b", "Part &quot;one&quot;",
        "<th class=\"n\">mean</th>", "<td class=\"n\">1.5 +-0.1</td>",
        "<td class=\"n\">&lt; 2</td>", "<td>random</td>", "what it is"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
  for (const char* outside : {"<script", "src=", "@import", "url("}) {
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
  }
  // To look at it: TEST_UNDECLARED_OUTPUTS_DIR is Bazel's.
  if (const char* dir = std::getenv("TEST_UNDECLARED_OUTPUTS_DIR")) {
    std::ofstream(std::string(dir) + "/report.html") << page;
  }
}

}  // namespace
}  // namespace skep

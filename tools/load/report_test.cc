#include "tools/load/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "gtest/gtest.h"
#include "tools/load/plot.h"

namespace skep {
namespace {

LoadReport Example() {
  LoadReport report;
  LoadStats& stats = report.stats;
  stats.sent = 103;
  stats.outcomes[0] = 100;
  stats.outcomes[static_cast<size_t>(absl::StatusCode::kUnavailable)] = 3;
  stats.in_flight = 7;
  for (uint64_t us = 1; us <= 100; ++us) stats.latency.Record(us * 1000);
  report.elapsed = absl::Seconds(2);
  report.client_cpu = absl::Microseconds(206);
  report.cpu_of.push_back({42, absl::Microseconds(103)});
  return report;
}

TEST(LoadReportTest, TextHasTheFamilysNumbers) {
  const std::string text = LoadReportText("echo", Example());
  for (const char* part :
       {"echo\n", "sent 103", "received 100 (50/s)", "failed 3", "unanswered 0",
        "min 1.0", "max 100.0", "average 50.5", "median 50.0", "p90 89.9", "p99 99.1",
        "cpu: 2.00 us a call here, 1.00 us in process 42",
        "failed, 2.91 % of those sent: UNAVAILABLE 3"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
  }
  EXPECT_EQ(text.find("sent late"), std::string::npos) << "not an open loop";
}

TEST(LoadReportTest, JsonHasThemToo) {
  const auto json = nlohmann::json::parse(LoadReportJson("echo", Example()));
  EXPECT_EQ(json["received"], 100);
  EXPECT_EQ(json["errors"]["UNAVAILABLE"], 3);
  EXPECT_EQ(json["latency_us"]["max"], 100.0);
  EXPECT_EQ(json["latency_us"]["average"], 50.5);
  EXPECT_EQ(json["cpu_us_per_call"]["42"], 1.0);
}

TEST(LoadReportTest, AnEmptyRunIsReported) {
  EXPECT_NE(LoadReportText("x", {}).find("received 0 (0/s)"), std::string::npos);
  EXPECT_EQ(LoadHistogramFile({}), "");
}

TEST(LoadReportTest, TheHistogramFileHasBucketsOfFiveMicroseconds) {
  EXPECT_EQ(LoadHistogramFile({{0, 1}, {3, 2}, {2000, 1}}),
            "   0     1 25.00\n"
            "  15     2 75.00\n"
            "10000     1 100.00\n");
}

// Every element that is opened is closed, and the coordinates are in the picture.
TEST(LatencyPlotTest, IsWellFormed) {
  Random random(5);
  Histogram latency;
  for (int i = 0; i < 10'000; ++i) {
    latency.Record(50'000 + random.Below(1 << (10 + random.Below(17))));
  }
  const std::string svg = LatencyPlotSvg("a < b & c", {{"", latency}});
  EXPECT_EQ(svg.rfind("<svg ", 0), 0);
  EXPECT_NE(svg.find("a &lt; b &amp; c"), std::string::npos);
  EXPECT_NE(svg.find("median"), std::string::npos);
  EXPECT_NE(svg.find("99.99 %"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
  EXPECT_EQ(svg.substr(svg.size() - 7), "</svg>\n");
}

TEST(LatencyPlotTest, DrawsNothingAndOneValue) {
  EXPECT_NE(LatencyPlotSvg("x", {{"", Histogram()}}).find("nothing was"),
            std::string::npos);
  Histogram one;
  one.Record(1000);
  const std::string svg = LatencyPlotSvg("x", {{"", one}});
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_NE(svg.find("polyline"), std::string::npos);
}

std::vector<LoadMeasurement> Ramp() {
  std::vector<LoadMeasurement> runs;
  for (const char* target : {"a:1", "b:2"}) {
    for (const double rate : {1000.0, 2000.0, 4000.0}) {
      LoadMeasurement run{.what = "echo", .target = target, .rate = rate};
      for (int i = 1; i <= 100; ++i) {
        run.report.stats.latency.Record(static_cast<uint64_t>(rate) * 100 * i);
        ++run.report.stats.outcomes[0];
      }
      run.report.elapsed = absl::Seconds(1);
      runs.push_back(std::move(run));
    }
  }
  return runs;
}

TEST(LoadTableTest, HasALineForEachRun) {
  const std::string text = LoadTableText(Ramp());
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 7);
  EXPECT_NE(text.find("b:2"), std::string::npos);
  const auto json = nlohmann::json::parse(LoadTableJson(Ramp()));
  ASSERT_EQ(json.size(), 6);
  EXPECT_EQ(json[5]["target"], "b:2");
  EXPECT_EQ(json[5]["rate"], 4000);
  EXPECT_EQ(json[0]["received"], 100);
}

TEST(RampPlotTest, HasALineForEachTarget) {
  const std::string svg = RampPlotSvg("ramp", Ramp());
  for (const char* part : {"a:1, 1000", "b:2, 4000", "99th percentile"}) {
    EXPECT_NE(svg.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

}  // namespace
}  // namespace skep

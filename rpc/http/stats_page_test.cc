#include "rpc/http/stats_page.h"

#include <map>
#include <sstream>

#include "gtest/gtest.h"

namespace skep {
namespace {

StatsReport Example() {
  CallCounts counts;
  for (int i = 1; i <= 100; ++i) {
    counts.Begin();
    counts.End(i <= 97 ? absl::StatusCode::kOk : absl::StatusCode::kUnavailable,
               absl::Microseconds(10 * i));
  }
  counts.Begin();
  StatsReport report;
  report.title = "echo on <here>";
  report.started = absl::UnixEpoch();
  report.now = report.started + absl::Seconds(65);
  report.connections = 7;
  report.rows.push_back(StatsReport::RowOf("a.B.\"C\"", counts));
  report.slow.push_back({.ended = report.now - absl::Seconds(3),
                         .method = "a.B.C",
                         .peer = "10.0.0.1:5",
                         .code = absl::StatusCode::kCancelled,
                         .queued = absl::Milliseconds(20),
                         .handler = absl::Milliseconds(130)});
  return report;
}

TEST(StatsPageTest, HtmlShowsTheNumbersAndEscapes) {
  const std::string html = StatsHtml(Example());
  for (const char* part :
       {"echo on &lt;here&gt;", "a.B.&quot;C&quot;", "Up for 1m5s", "7 connections",
        "<td>101</td><td>1</td><td>3</td><td>505.0</td>", "UNAVAILABLE 3", "10.0.0.1:5",
        "<td>20.0</td><td>130.0</td>", "CANCELLED", "<td>3s</td>"}) {
    EXPECT_NE(html.find(part), std::string::npos) << part << " is not in\n" << html;
  }
  EXPECT_EQ(html.find("<here>"), std::string::npos);
}

TEST(StatsPageTest, PrometheusTextIsWellFormedAndRight) {
  std::map<std::string, double> values;
  std::istringstream lines(StatsPrometheus(Example()));
  double last_bucket = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ") || line.starts_with("# TYPE ")) continue;
    const size_t space = line.rfind(' ');
    ASSERT_NE(space, std::string::npos) << line;
    const double value = std::stod(line.substr(space + 1));
    EXPECT_TRUE(values.emplace(line.substr(0, space), value).second) << line;
    if (line.starts_with("skep_call_seconds_bucket")) {
      EXPECT_GE(value, last_bucket) << "buckets are cumulative: " << line;
      last_bucket = value;
    }
  }
  EXPECT_EQ(values["skep_connections"], 7);
  EXPECT_EQ(values["skep_uptime_seconds"], 65);
  EXPECT_EQ(values[R"(skep_calls_pending{method="a.B.\"C\""})"], 1);
  EXPECT_EQ(values[R"(skep_calls_total{method="a.B.\"C\"",code="OK"})"], 97);
  EXPECT_EQ(values[R"(skep_calls_total{method="a.B.\"C\"",code="UNAVAILABLE"})"], 3);
  EXPECT_EQ(values[R"(skep_call_seconds_count{method="a.B.\"C\""})"], 100);
  EXPECT_NEAR(values[R"(skep_call_seconds_sum{method="a.B.\"C\""})"], 0.0505, 1e-9);
  EXPECT_NEAR(values[R"(skep_call_seconds_bucket{method="a.B.\"C\"",le="0.0005"})"], 50,
              1);
  EXPECT_EQ(values[R"(skep_call_seconds_bucket{method="a.B.\"C\"",le="+Inf"})"], 100);
}

TEST(StatsPageTest, BackendsHaveAState) {
  StatsReport report;
  report.kind = "backend";
  report.rows.push_back({.name = "h:1", .state = "up"});
  report.rows.push_back({.name = "h:2", .state = "draining"});
  EXPECT_NE(StatsHtml(report).find("draining"), std::string::npos);
  const std::string text = StatsPrometheus(report);
  EXPECT_NE(text.find("skep_backend_up{backend=\"h:1\"} 1\n"), std::string::npos);
  EXPECT_NE(text.find("skep_backend_up{backend=\"h:2\"} 0\n"), std::string::npos);
}

TEST(StatsPageTest, PagesTakeAReportEachTime) {
  int taken = 0;
  const HttpPages pages = StatsPages([&taken] {
    ++taken;
    return Example();
  });
  EXPECT_EQ(pages.at("/")("").content_type, "text/html; charset=utf-8");
  EXPECT_EQ(pages.at("/metrics")("").body, StatsPrometheus(Example()));
  EXPECT_EQ(taken, 2);
}

}  // namespace
}  // namespace skep

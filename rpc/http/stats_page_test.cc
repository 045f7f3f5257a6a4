#include "rpc/http/stats_page.h"

#include <map>
#include <sstream>

#include "absl/time/clock.h"
#include "base/html_testing.h"
#include "gtest/gtest.h"
#include "rpc/http/sparkline.h"

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
  report.slow_rule = "the slow ones";
  report.slow.push_back({.ended = report.now - absl::Seconds(3),
                         .method = "a.B.C",
                         .peer = "10.0.0.1:5",
                         .code = absl::StatusCode::kCancelled,
                         .request_bytes = 2048,
                         .reply_bytes = 100,
                         .trace = 0xabc,
                         .queued = absl::Milliseconds(20),
                         .handler = absl::Milliseconds(130),
                         .encoding = absl::Microseconds(7),
                         .writing = absl::Milliseconds(50)});
  report.sections.push_back(
      {.title = "Own",
       .page = "/own",
       .figures = {{"things", 1234567, "skep_own_things_total", true}}});
  return report;
}

// Tags that are opened are closed, in order.
void ExpectWellFormed(std::string text) {
  text.erase(text.find("<style>"), text.find("</style>") - text.find("<style>") + 8);
  text.erase(text.find("<script>"), text.find("</script>") - text.find("<script>") + 9);
  EXPECT_EQ(MisplacedTag(text), "");
}

TEST(StatsPageTest, HtmlShowsTheNumbersAndEscapes) {
  StatsHistory history;
  StatsReport report = Example();
  for (int second = 0; second < 5; ++second) {
    report.now += absl::Seconds(1);
    report.rows[0].ended[0] += 250;
    history.Add(report, {});
  }
  report.now = Example().now;
  const std::string html = StatsHtml(report, history, {.resident_bytes = 3 << 20});
  ExpectWellFormed(html);
  for (const char* part :
       {"echo on &lt;here&gt;", "a.B.&quot;C&quot;", "up for 1m5s", "<td>101</td>",
        "UNAVAILABLE 3", "10.0.0.1:5", "<td>20 ms</td><td>130 ms</td><td>7 us</td>",
        "CANCELLED", "<td>3s</td>", "200 ms", "2 KiB", "0000000000000abc", "3 MiB",
        "the slow ones", "href=\"/own\"", "1,234,567", "<b>250</b>", "polyline"}) {
    EXPECT_NE(html.find(part), std::string::npos) << part << " is not in\n" << html;
  }
  EXPECT_EQ(html.find("<here>"), std::string::npos);
  for (const char* outside : {"src=", "@import", "url(", "http://", "https://"}) {
    EXPECT_EQ(html.find(outside), std::string::npos) << outside;
  }
}

TEST(StatsPageTest, ANewServersPageIsWhole) {
  StatsReport report;
  report.title = "new";
  report.slow_rule = "the slow ones";
  const std::string html = StatsHtml(report, {}, {});
  ExpectWellFormed(html);
  EXPECT_NE(html.find("None so far."), std::string::npos);
}

TEST(StatsPageTest, PrometheusTextIsWellFormedAndRight) {
  std::map<std::string, double> values;
  std::istringstream lines(StatsPrometheus(Example(), {.cpu_seconds = 1.5}));
  double last_bucket = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ") || line.starts_with("# TYPE ")) continue;
    const size_t space = line.rfind(' ');
    ASSERT_NE(space, std::string::npos) << line;
    const double value = std::stod(line.substr(space + 1));
    EXPECT_TRUE(values.emplace(line.substr(0, space), value).second) << line;
    if (line.starts_with("skep_call_duration_seconds_bucket")) {
      EXPECT_GE(value, last_bucket) << "buckets are cumulative: " << line;
      last_bucket = value;
    }
  }
  EXPECT_EQ(values["skep_own_things_total"], 1234567);
  EXPECT_EQ(values["process_cpu_seconds_total"], 1.5);
  EXPECT_EQ(values["skep_connections"], 7);
  EXPECT_EQ(values["skep_uptime_seconds"], 65);
  EXPECT_EQ(values[R"(skep_calls_pending{method="a.B.\"C\""})"], 1);
  EXPECT_EQ(values[R"(skep_calls_total{method="a.B.\"C\"",code="OK"})"], 97);
  EXPECT_EQ(values[R"(skep_calls_total{method="a.B.\"C\"",code="UNAVAILABLE"})"], 3);
  EXPECT_EQ(values[R"(skep_call_duration_seconds_count{method="a.B.\"C\""})"], 100);
  EXPECT_NEAR(values[R"(skep_call_duration_seconds_sum{method="a.B.\"C\""})"], 0.0505,
              1e-9);
  EXPECT_NEAR(
      values[R"(skep_call_duration_seconds_bucket{method="a.B.\"C\"",le="0.0005"})"],
      50, 1);
  EXPECT_EQ(
      values[R"(skep_call_duration_seconds_bucket{method="a.B.\"C\"",le="+Inf"})"],
      100);
}

TEST(StatsPageTest, BackendsHaveAState) {
  StatsReport report;
  report.kind = "backend";
  report.rows.push_back({.name = "h:1", .state = "up"});
  report.rows.push_back({.name = "h:2", .state = "draining"});
  report.slow_rule = "the slow ones";
  report.rows[1].pending = 100;
  report.rows[1].held_errors = 4;
  report.rows.push_back({.name = "balancer"});
  report.rows.back().ended[8] = 5;
  report.methods.push_back({.name = "s.M"});
  report.methods.back().ended[0] = 9;
  report.slow.push_back({.method = "s.M",
                         .backend = "h:1",
                         .queued = absl::Milliseconds(3),
                         .handler = absl::Milliseconds(4)});
  const std::string html = StatsHtml(report, {}, {});
  ExpectWellFormed(html);
  EXPECT_NE(html.find("draining"), std::string::npos);
  EXPECT_NE(html.find("<td>3 ms</td><td>4 ms</td><td class=\"t\">s.M</td>"
                      "<td class=\"t\">h:1</td>"),
            std::string::npos);
  EXPECT_NE(html.find("100 + 4 errors"), std::string::npos);
  EXPECT_NE(html.find("RESOURCE_EXHAUSTED 5"), std::string::npos);
  const std::string text = StatsPrometheus(report, {});
  EXPECT_NE(text.find("skep_backend_up{backend=\"h:1\"} 1\n"), std::string::npos);
  EXPECT_NE(text.find("skep_backend_up{backend=\"h:2\"} 0\n"), std::string::npos);
  EXPECT_EQ(text.find("skep_backend_up{backend=\"balancer"), std::string::npos);
  EXPECT_NE(text.find("skep_backend_held_errors{backend=\"h:2\"} 4\n"),
            std::string::npos);
  EXPECT_NE(text.find("skep_calls_total{backend=\"balancer\",code=\"RESOURCE_"
                      "EXHAUSTED\"} 5\n"),
            std::string::npos);
  EXPECT_NE(text.find("skep_method_calls_total{method=\"s.M\",code=\"OK\"} 9\n"),
            std::string::npos);
}

// What the points of a line are made of.
TEST(StatsHistoryTest, APointIsWhatCameBetweenTwoReadings) {
  CallCounts counts;
  StatsHistory history;
  const auto read = [&](double second) {
    StatsReport report;
    report.now = absl::UnixEpoch() + absl::Seconds(second);
    report.connections = 3;
    report.rows.push_back(StatsReport::RowOf("s.M", counts));
    history.Add(report, {.cpu_seconds = second / 2});
  };
  const auto calls = [&](int number, absl::Duration latency, absl::StatusCode code) {
    for (int i = 0; i < number; ++i) {
      counts.Begin();
      counts.End(code, latency);
    }
  };
  calls(1000, absl::Seconds(1), absl::StatusCode::kInternal);
  read(10);
  EXPECT_TRUE(history.server().empty()) << "one reading is no interval";
  EXPECT_EQ(history.Of("s.M"), nullptr);
  calls(300, absl::Microseconds(100), absl::StatusCode::kOk);
  calls(100, absl::Microseconds(100), absl::StatusCode::kUnavailable);
  counts.Begin();
  read(12);
  ASSERT_EQ(history.server().size(), 1);
  const StatsHistory::ServerPoint& point = history.server()[0];
  EXPECT_EQ(point.calls_per_second, 200);
  EXPECT_EQ(point.failed_per_second, 50);
  EXPECT_EQ(point.pending, 1);
  EXPECT_EQ(point.connections, 3);
  EXPECT_EQ(point.cpu, 0.5);
  EXPECT_NEAR(point.p99, 100e3, 500);
  ASSERT_NE(history.Of("s.M"), nullptr);
  EXPECT_EQ(history.Of("s.M")->back().calls_per_second, 200);
  for (int second = 13; second < 400; ++second) read(second);
  EXPECT_EQ(history.server().size(), StatsHistory::kPoints);
  EXPECT_EQ(history.server().back().p99, 0) << "no calls in the last second";
}

TEST(SparklineTest, NumbersAreShort) {
  EXPECT_EQ(ShortTime(0), "-");
  EXPECT_EQ(ShortTime(999'600), "1 ms");
  EXPECT_EQ(ShortTime(12'340), "12.3 us");
  EXPECT_EQ(ShortNumber(123'456), "123k");
  EXPECT_EQ(ShortBytes(1000), "1000 B");
  EXPECT_EQ(ShortBytes(1023.9 * 1024 * 1024), "1 GiB");
  EXPECT_EQ(GroupedNumber(0), "0");
  EXPECT_EQ(GroupedNumber(999), "999");
  EXPECT_EQ(GroupedNumber(1'234'567), "1,234,567");
}

TEST(ProcessStatsTest, KnowsThisProcess) {
  const ProcessStats stats = ReadProcessStats();
  EXPECT_GT(stats.resident_bytes, 1u << 20);
  EXPECT_GE(stats.open_descriptors, 3);
  EXPECT_GE(stats.threads, 1);
  EXPECT_NEAR(stats.start_unix_seconds,
              absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()), 3600);
}

}  // namespace
}  // namespace skep

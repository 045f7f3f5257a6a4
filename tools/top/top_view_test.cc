#include "tools/top/top_view.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "rpc/http/stats_page.h"
#include "tools/top/http_get.h"

namespace skep {
namespace {

// Readings as a server makes them.
class Server {
 public:
  void Calls(int count, absl::Duration latency,
             absl::StatusCode code = absl::StatusCode::kOk) {
    for (int i = 0; i < count; ++i) {
      counts_.Begin();
      counts_.End(code, latency);
    }
  }
  MetricsSample Read(double uptime, const std::string& kind = "method") {
    StatsReport report;
    report.kind = kind;
    report.started = absl::UnixEpoch();
    report.now = report.started + absl::Seconds(uptime);
    report.connections = 3;
    report.rows.push_back(StatsReport::RowOf("a.\"B\".C", counts_));
    report.rows[0].state = kind == "backend" ? "down" : "";
    report.rows.push_back({.name = "z.Idle"});
    if (kind == "backend") report.methods.push_back({.name = "not.a.Backend"});
    auto sample = ParseMetrics(StatsPrometheus(report, {}));
    EXPECT_TRUE(sample.ok()) << sample.status();
    return sample.ok() ? *sample : MetricsSample();
  }

 private:
  CallCounts counts_;
};

TEST(TopViewTest, ShowsTheIntervalNotThePast) {
  Server server;
  server.Calls(1000, absl::Seconds(1), absl::StatusCode::kInternal);
  const MetricsSample before = server.Read(10);
  server.Calls(198, absl::Microseconds(100));
  server.Calls(2, absl::Milliseconds(20), absl::StatusCode::kUnavailable);
  const std::vector<TopRow> rows = Compare(before, server.Read(12));
  ASSERT_EQ(rows.size(), 2);
  EXPECT_EQ(rows[0].name, "a.\"B\".C");
  EXPECT_EQ(rows[0].calls_per_second, 100);
  EXPECT_EQ(rows[0].failed_per_second, 1);
  EXPECT_NEAR(rows[0].p50_us, 100, 35);
  EXPECT_LE(rows[0].p99_us, 150);
  EXPECT_EQ(rows[1].calls_per_second, 0);
  EXPECT_EQ(rows[1].p99_us, 0);
}

TEST(TopViewTest, ARestartedServerBeganAtZero) {
  Server old, fresh;
  old.Calls(1000, absl::Seconds(1));
  fresh.Calls(30, absl::Milliseconds(1));
  const std::vector<TopRow> rows = Compare(old.Read(500), fresh.Read(3));
  EXPECT_EQ(rows[0].calls_per_second, 10);
  EXPECT_NEAR(rows[0].p50_us, 1000, 350);
}

TEST(TopViewTest, ScreenAndLines) {
  Server server;
  const MetricsSample before = server.Read(10);
  server.Calls(5, absl::Milliseconds(1));
  const MetricsSample after = server.Read(11);
  EXPECT_NE(TopScreen("h:1", before, after).find("5 calls/s"), std::string::npos);
  const std::string lines = TopLines(absl::UnixEpoch(), before, after);
  EXPECT_NE(lines.find("1970-01-01T00:00:00Z method=a.\"B\".C calls_per_s=5.0 "),
            std::string::npos)
      << lines;
  EXPECT_EQ(lines.find("z.Idle"), std::string::npos);
  EXPECT_NE(TopLines(absl::UnixEpoch(), after, server.Read(12)).find("idle"),
            std::string::npos);
}

TEST(TopViewTest, ABackendThatIsDownIsShown) {
  Server server;
  const MetricsSample a = server.Read(1, "backend"), b = server.Read(2, "backend");
  EXPECT_NE(TopScreen("h:1", a, b).find("(down)"), std::string::npos);
  EXPECT_NE(TopLines(absl::UnixEpoch(), a, b).find("state=down"), std::string::npos);
}

TEST(TopViewTest, OtherPagesAreRefused) {
  EXPECT_EQ(ParseMetrics("").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ParseMetrics("<html>").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ParseMetrics("up 1\n").status().code(), absl::StatusCode::kDataLoss);
  for (const char* bad : {"x{", "x{a", "x{a=\"", "x{a=\"b", "x{a=\"b\"", "x{a=\"b\"}",
                          "x{a=\"b\"} ", "x{a=\"b\"} y", "x ", "{} 1", "x{a=\"\\"}) {
    EXPECT_FALSE(ParseMetrics(bad).ok()) << bad;
  }
}

TEST(HttpGetTest, ReadsResponses) {
  EXPECT_EQ(*ParseHttpResponse("HTTP/1.1 200 OK\r\nA: b\r\n\r\nhello"), "hello");
  EXPECT_EQ(ParseHttpResponse("HTTP/1.1 404 Not Found\r\n\r\n").status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(ParseHttpResponse("HTTP/1.1 503 Busy\r\n\r\n").status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(ParseHttpResponse("HTTP/1.1 200").status().code(),
            absl::StatusCode::kDataLoss);
  for (const char* other : {"", "\0\0\0\x1eRPC0", "SSH-2.0-x\r\n\r\n"}) {
    const absl::Status status = ParseHttpResponse(other).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_NE(status.ToString().find("--stats"), std::string::npos);
  }
}

TEST(TopViewTest, AScreenFitsItsTerminal) {
  Server server;
  server.Calls(10, absl::Microseconds(100));
  const MetricsSample before = server.Read(10);
  server.Calls(10, absl::Microseconds(100), absl::StatusCode::kInternal);
  MetricsSample after = server.Read(11);
  for (int i = 0; i < 50; ++i) {
    after.rows["a.very.long.package.name.Service.Method" + std::to_string(i)] = {};
  }
  for (const TopSize size : {TopSize{80, 24}, TopSize{40, 10}, TopSize{200, 60}}) {
    std::string screen = TopScreen("h:1", before, after, size);
    // Without the colours.
    for (size_t at; (at = screen.find('\x1b')) != std::string::npos;) {
      screen.erase(at, screen.find('m', at) - at + 1);
    }
    int lines = 0;
    for (const absl::string_view line : absl::StrSplit(screen, '\n')) {
      EXPECT_LE(line.size(), static_cast<size_t>(size.columns)) << line;
      ++lines;
    }
    EXPECT_LE(lines, size.lines);
    EXPECT_NE(screen.find(size.lines < 60 ? "more\n" : "Method49"), std::string::npos);
  }
  EXPECT_NE(TopScreen("h:1", before, after).find("\x1b[31ma.\"B\".C"),
            std::string::npos)
      << "what fails is red";
}

TEST(TopViewTest, JsonHasEveryRow) {
  Server server;
  const MetricsSample before = server.Read(10, "backend");
  server.Calls(30, absl::Microseconds(100));
  const auto json = nlohmann::json::parse(
      TopJson(absl::UnixEpoch(), before, server.Read(12, "backend")));
  EXPECT_EQ(json["kind"], "backend");
  EXPECT_EQ(json["connections"], 3);
  ASSERT_EQ(json["rows"].size(), 2);
  EXPECT_EQ(json["rows"][0]["calls_per_s"], 15);
  EXPECT_EQ(json["rows"][0]["state"], "down");
}

}  // namespace
}  // namespace skep

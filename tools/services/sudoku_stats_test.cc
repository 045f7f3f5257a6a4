#include "tools/services/sudoku_stats.h"

#include <map>
#include <sstream>
#include <vector>

#include "gtest/gtest.h"

namespace skep {
namespace {

// The page as name -> values.
std::map<std::string, std::vector<int64_t>> Parse(const std::string& page) {
  std::map<std::string, std::vector<int64_t>> values;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string name;
    fields >> name;
    for (int64_t value; fields >> value;) values[name].push_back(value);
  }
  return values;
}

TEST(SudokuStats, SaysWhatHappened) {
  SimulatedClock clock;
  SudokuStats stats(clock);
  stats.RecordRequests(5);
  stats.RecordResponses(absl::Microseconds(100), 1, 1);
  stats.RecordResponses(absl::Microseconds(300), 1, 0);
  stats.RecordResponses(absl::Microseconds(50), 3, 2);
  stats.RecordBadRequest();
  stats.RecordDropped(1);
  auto page = Parse(stats.Report(7));
  EXPECT_EQ(page["task_queue_size"], std::vector<int64_t>{7});
  EXPECT_EQ(page["total_requests"], std::vector<int64_t>{5});
  EXPECT_EQ(page["total_responses"], std::vector<int64_t>{5});
  EXPECT_EQ(page["total_solved"], std::vector<int64_t>{3});
  EXPECT_EQ(page["bad_requests"], std::vector<int64_t>{1});
  EXPECT_EQ(page["dropped_requests"], std::vector<int64_t>{1});
  EXPECT_EQ(page["latency_sum_us"], std::vector<int64_t>{550});
  EXPECT_EQ(page["latency_us_avg"], std::vector<int64_t>{110});
  EXPECT_EQ(page["last_second"],
            std::vector<int64_t>{absl::ToUnixSeconds(clock.Now())});
  EXPECT_EQ(page["requests_per_second"].size(), 60u);
  EXPECT_EQ(page["requests_per_second"].back(), 5);
  EXPECT_EQ(page["latency_sum_us_per_second"].back(), 550);
  EXPECT_EQ(page["requests_60s"], std::vector<int64_t>{5});
  EXPECT_EQ(page["latency_us_60s"], std::vector<int64_t>{110});
}

TEST(SudokuStats, ForgetsAfterAMinute) {
  SimulatedClock clock;
  SudokuStats stats(clock);
  stats.RecordResponses(absl::Microseconds(100), 1, 1);
  clock.Advance(absl::Seconds(59));
  EXPECT_EQ(Parse(stats.Report(0))["requests_per_second"].front(), 1);
  clock.Advance(absl::Seconds(1));
  auto page = Parse(stats.Report(0));
  EXPECT_EQ(page["requests_60s"], std::vector<int64_t>{0});
  EXPECT_EQ(page["latency_us_60s"], std::vector<int64_t>{0});
  EXPECT_EQ(page["total_responses"], std::vector<int64_t>{1});
  clock.Advance(absl::Hours(5));
  stats.RecordResponses(absl::Microseconds(50), 1, 1);
  EXPECT_EQ(Parse(stats.Report(0))["requests_60s"], std::vector<int64_t>{1});
}

TEST(SudokuStats, Resets) {
  SimulatedClock clock;
  SudokuStats stats(clock);
  stats.RecordRequests(1);
  stats.RecordResponses(absl::Microseconds(100), 1, 1);
  stats.Reset();
  auto page = Parse(stats.Report(0));
  EXPECT_EQ(page["total_requests"], std::vector<int64_t>{0});
  EXPECT_EQ(page["requests_60s"], std::vector<int64_t>{0});
}

}  // namespace
}  // namespace skep

#include "tools/services/sudoku_stats.h"

#include <algorithm>
#include <numeric>
#include <string_view>

#include "base/strings.h"

namespace skep {

void SudokuStats::MoveTo(int64_t second, Totals& totals) {
  const int64_t first_stale = std::max(totals.last_second + 1, second - kSeconds + 1);
  for (int64_t s = first_stale; s <= second; ++s) {
    totals.responses_of[s % kSeconds] = 0;
    totals.latency_us_of[s % kSeconds] = 0;
  }
  totals.last_second = std::max(totals.last_second, second);
}

void SudokuStats::RecordRequests(uint64_t count) {
  MutexLock lock(mutex_);
  totals_.requests += count;
}

void SudokuStats::RecordResponses(absl::Duration latency, uint64_t count,
                                  uint64_t solved) {
  const int64_t second = absl::ToUnixSeconds(clock_.Now());
  const int64_t latency_us =
      absl::ToInt64Microseconds(latency) * static_cast<int64_t>(count);
  MutexLock lock(mutex_);
  MoveTo(second, totals_);
  totals_.responses += count;
  totals_.solved += solved;
  totals_.latency_sum_us += latency_us;
  totals_.responses_of[second % kSeconds] += count;
  totals_.latency_us_of[second % kSeconds] += latency_us;
}

void SudokuStats::RecordBadRequest() {
  MutexLock lock(mutex_);
  ++totals_.bad;
}

void SudokuStats::RecordDropped(uint64_t count) {
  MutexLock lock(mutex_);
  totals_.dropped += count;
}

void SudokuStats::Reset() {
  MutexLock lock(mutex_);
  totals_ = Totals();
}

SudokuStats::Totals SudokuStats::Now() const {
  Totals totals;
  {
    MutexLock lock(mutex_);
    totals = totals_;
  }
  MoveTo(absl::ToUnixSeconds(clock_.Now()), totals);
  return totals;
}

StatsReport::Section SudokuStats::Section(size_t task_queue_size) const {
  const Totals totals = Now();
  const auto last_minute = [](const auto& values) {
    return static_cast<double>(
        std::accumulate(values.begin(), values.end(), uint64_t{0}));
  };
  const double responses_60s = last_minute(totals.responses_of);
  const double latency_60s = last_minute(totals.latency_us_of);
  const auto counter = [](const char* label, uint64_t value, const char* metric) {
    return StatsReport::Figure{label, static_cast<double>(value), metric, true};
  };
  return {.title = "Sudoku",
          .page = "/sudoku/stats",
          .figures = {
              counter("requests", totals.requests, "skep_sudoku_requests_total"),
              counter("responses", totals.responses, "skep_sudoku_responses_total"),
              counter("solved", totals.solved, "skep_sudoku_solved_total"),
              counter("bad requests", totals.bad, "skep_sudoku_bad_requests_total"),
              counter("dropped requests", totals.dropped,
                      "skep_sudoku_dropped_requests_total"),
              {"waiting in the queue", static_cast<double>(task_queue_size),
               "skep_sudoku_queue_length"},
              {"responses in the last minute", responses_60s, ""},
              {"average latency in the last minute, us",
               responses_60s == 0 ? 0 : latency_60s / responses_60s, ""},
              {"average latency since the start, us",
               totals.responses == 0 ? 0
                                     : static_cast<double>(totals.latency_sum_us) /
                                           static_cast<double>(totals.responses),
               ""},
          }};
}

std::string SudokuStats::Report(size_t task_queue_size) const {
  const Totals totals = Now();
  std::string page;
  const auto line = [&page](std::string_view name, auto value) {
    StrAppend(&page, name, " ", value, "\n");
  };
  // Oldest second first.
  const auto ring = [&](std::string_view name, const auto& values) {
    StrAppend(&page, name);
    for (int64_t s = totals.last_second + 1; s <= totals.last_second + kSeconds; ++s) {
      StrAppend(&page, " ", values[s % kSeconds]);
    }
    page += '\n';
  };
  const uint64_t responses_60s = std::accumulate(
      totals.responses_of.begin(), totals.responses_of.end(), uint64_t{0});
  const int64_t latency_60s = std::accumulate(totals.latency_us_of.begin(),
                                              totals.latency_us_of.end(), int64_t{0});
  line("task_queue_size", task_queue_size);
  line("total_requests", totals.requests);
  line("total_responses", totals.responses);
  line("total_solved", totals.solved);
  line("bad_requests", totals.bad);
  line("dropped_requests", totals.dropped);
  line("latency_sum_us", totals.latency_sum_us);
  line("last_second", totals.last_second);
  ring("requests_per_second", totals.responses_of);
  line("requests_60s", responses_60s);
  ring("latency_sum_us_per_second", totals.latency_us_of);
  line("latency_sum_us_60s", latency_60s);
  line("latency_us_60s", responses_60s == 0 ? 0 : latency_60s / int64_t(responses_60s));
  line("latency_us_avg",
       totals.responses == 0 ? 0 : totals.latency_sum_us / int64_t(totals.responses));
  return page;
}

}  // namespace skep

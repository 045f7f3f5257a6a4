// Statistics of a sudoku server, with the names that the family's tools read.

#ifndef SKEP_TOOLS_SERVICES_SUDOKU_STATS_H_
#define SKEP_TOOLS_SERVICES_SUDOKU_STATS_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "rpc/metrics.h"

namespace skep {

// Totals, and counts and latency sums of each of the last 60 seconds. Thread-safe.
class SudokuStats {
 public:
  // `clock` is borrowed.
  explicit SudokuStats(const Clock& clock) : clock_(clock) {}

  void RecordRequests(uint64_t count);
  // Of `count` requests that were answered together, `solved` of them with a solution;
  // `latency` from their arrival to their reply.
  void RecordResponses(absl::Duration latency, uint64_t count, uint64_t solved);
  void RecordBadRequest();
  void RecordDropped(uint64_t count);
  void Reset();

  // The page: lines of "name value" (or 60 values), `task_queue_size` first.
  std::string Report(size_t task_queue_size) const;
  // The same numbers for the statistics page and for Prometheus.
  StatsReport::Section Section(size_t task_queue_size) const;

 private:
  static constexpr int kSeconds = 60;

  struct Totals {
    uint64_t requests = 0;
    uint64_t responses = 0;
    uint64_t solved = 0;
    uint64_t bad = 0;
    uint64_t dropped = 0;
    int64_t latency_sum_us = 0;
    // The second that the rings' newest place stands for, since the epoch.
    int64_t last_second = 0;
    // By second modulo kSeconds.
    std::array<uint64_t, kSeconds> responses_of = {};
    std::array<int64_t, kSeconds> latency_us_of = {};
  };

  // As of now.
  Totals Now() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Empties the places of the seconds that have passed since the last record.
  static void MoveTo(int64_t second, Totals& totals);

  const Clock& clock_;
  mutable Mutex mutex_;
  Totals totals_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace skep

#endif  // SKEP_TOOLS_SERVICES_SUDOKU_STATS_H_

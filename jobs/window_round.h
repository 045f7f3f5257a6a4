// One round of finding quantiles: a stage that looks at the job's input through windows
// (key_windows.h), and what it saw. Every task's result begins with the reader's
// report.

#ifndef SKEP_JOBS_WINDOW_ROUND_H_
#define SKEP_JOBS_WINDOW_ROUND_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "jobs/api/job.h"
#include "jobs/key_windows.h"
#include "jobs/numbers.h"

namespace skep {

struct WindowRound {
  uint64_t capacity = 2;  // of the sample of a window, in a task; at least 2
  // Ascending, without a key in common. By default one of all numbers.
  std::vector<KeyWindow> windows = {KeyWindow{}};
};

// Declares the stage.
void AddWindowStage(Job& job);
// Runs it, over the job's input.
PlanResult WindowStage(const WindowRound& round);

// A window after its round, over all tasks.
struct Seen {
  KeyWindow window;
  uint64_t below = 0, at_low = 0, inside = 0, at_high = 0;
  bool whole = true;             // the sample is all that is inside
  std::vector<OrderKey> sample;  // ascending
  // How many each of the sample and those before it stand for; empty if it is whole.
  std::vector<uint64_t> reached;
  double variance = 0;    // of a rank in the middle, as the sample tells it, times 4
  uint64_t coarsest = 1;  // key of the sample

  uint64_t end() const { return below + at_low + inside + at_high; }
};

// One for each window of the round.
absl::StatusOr<std::vector<Seen>> SeenBy(const StageResult& stage);

// What a stage read whose task results begin with a report.
absl::StatusOr<InputAccount> AccountOf(const PlanInput& input,
                                       const StageResult& stage);

}  // namespace skep

#endif  // SKEP_JOBS_WINDOW_ROUND_H_

// A look at a small part of a job's numbers, spread over all of its input: tells where
// quantiles nearly are, so that one round that reads everything is enough.
//
// The input is cut into stretches of equal size, and of each a piece of about a
// kilobyte at a random place is parsed (systematic sampling). Numbers that stand
// together may be alike, sorted input being the extreme, so it is pieces that are
// drawn, not numbers, and how far a rank may be off is estimated from the differences
// of neighbouring pieces (Wolter, Introduction to Variance Estimation, chapter 8).

#ifndef SKEP_JOBS_NUMBER_SKIM_H_
#define SKEP_JOBS_NUMBER_SKIM_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "jobs/api/job.h"
#include "jobs/key_windows.h"

namespace skep {

// Declares the stage.
void AddSkimStage(Job& job);
// Runs it over the job's input, so that around `quantiles` of them the windows and the
// sample have about the same number of keys.
PlanResult SkimStage(const std::vector<InputSplit>& splits, size_t quantiles);
bool IsSkim(const StageResult& stage);

// What was seen.
class NumberSkim {
 public:
  static absl::StatusOr<NumberSkim> Of(const StageResult& stage);

  // No number at all; nothing else may be asked then.
  bool empty() const { return keys_.empty(); }

  // A window with about so many numbers of the input.
  struct Around {
    KeyWindow window;
    double numbers = 0;
  };
  // For each q, from 0 to 1 and ascending, a window that holds the quantile but for one
  // time in 10^4, if the pieces are like the rest; in the same order.
  std::vector<Around> WindowsAround(const std::vector<double>& quantiles) const;

 private:
  // How many times as large the variance of a rank is as of numbers drawn one by one.
  double DesignEffect(const std::vector<double>& quantiles) const;

  std::vector<OrderKey> keys_;  // in the order of the input
  std::vector<size_t> pieces_;  // where each ends among them
  std::vector<OrderKey> sorted_;
  double stands_for_ = 1;  // numbers of the input for each key
};

}  // namespace skep

#endif  // SKEP_JOBS_NUMBER_SKIM_H_

// Ranks found by the methods of textbooks, one pass over the input a round: what the
// windows of quantiles.h are compared with.
//
//   bisection     halves the range of keys in each round: 80, the bits of a key
//   radix         counts keys by their next 11 bits: 8 rounds
//   random-pivot  counts around a key drawn from those that are left: about 2 ln n
//
// All are exact, whatever the numbers, and share quantiles.h's reading and answer.

#ifndef SKEP_JOBS_TEXTBOOK_ROUNDS_H_
#define SKEP_JOBS_TEXTBOOK_ROUNDS_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "jobs/api/job.h"
#include "jobs/order_key.h"

namespace skep {

// Of quantiles.h; no textbook.
inline constexpr std::string_view kWindowAlgorithm = "window";

// Adds --algorithm and the stage. The job has the stage of window_round.h, too.
void TakeTextbooks(Job& job);

// The next round, or the keys of all ranks, which count from 1. `rounds` are those that
// have ended; while there are none, `ranks` says nothing and need not be known.
struct TextbookStep {
  bool done = false;
  PlanResult next;
  std::map<uint64_t, OrderKey> keys;  // by rank
};
absl::StatusOr<TextbookStep> PlanTextbook(std::string_view algorithm,
                                          std::span<const StageResult> rounds,
                                          const std::vector<uint64_t>& ranks);

}  // namespace skep

#endif  // SKEP_JOBS_TEXTBOOK_ROUNDS_H_

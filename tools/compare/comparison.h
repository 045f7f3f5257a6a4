// Measures the algorithms of a family side by side.
//
// For each size: every algorithm runs once to warm up, and its answer is checked
// against the others' before anything is measured. Then rounds, in each of which all
// algorithms run in turn, beginning with another one each time, on one pinned core;
// short runs are repeated until a measurement takes a millisecond. Ratios are to the
// first algorithm, by round, with a bootstrap interval (base/bootstrap.h); a ratio
// whose interval holds 1 is within the noise.

#ifndef SKEP_TOOLS_COMPARE_COMPARISON_H_
#define SKEP_TOOLS_COMPARE_COMPARISON_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/bootstrap.h"
#include "tools/compare/family.h"

namespace skep {

struct CompareOptions {
  std::vector<std::string> algorithms;  // none: the family's default
  std::vector<uint64_t> sizes;          // none: the family's
  std::string input;                    // "": the family's first
  int rounds = 11;                      // at least 1
  uint64_t seed = 1;
};

// Fewer rounds have no quartiles.
inline constexpr int kLeastForSpread = 3;

struct AlgorithmFigures {
  std::string name, what;
  std::string answer;
  std::string note;                // of one that need not agree: how far it is off
  std::string path;                // "avx2"; "": it has only one, or runs on a fleet
  std::optional<uint64_t> rounds;  // as counted; nothing: they are not
  std::optional<uint64_t> bytes;   // likewise
  uint64_t memory = 0;             // bytes at the peak beyond what there was before
  Interval cpu;                    // seconds of this process, the median
  Interval wall;                   // likewise on the clock
  // Half the distance of the quartiles of `cpu`, of its median; nothing: there are
  // fewer than kLeastForSpread rounds.
  std::optional<double> spread;
  Interval ratio;             // of the first algorithm's CPU time to this one's
  bool within_noise = false;  // the interval of `ratio` holds 1; not of the first
};

struct SizeFigures {
  uint64_t size = 0;
  std::string input;
  std::vector<AlgorithmFigures> algorithms;
};

struct Comparison {
  const CompareFamily* family = nullptr;
  int rounds = 0;
  bool pinned = false;
  // Where jobs ran ("127.0.0.1:7700, 2 workers, 4 slots"); "": these are kernels, here.
  // On a fleet `spread` and `ratio` are of the clock.
  std::string fleet;
  std::vector<SizeFigures> sizes;
};

// InvalidArgument for a name that the family does not know; Internal if answers differ.
absl::StatusOr<Comparison> Compare(const CompareFamily& family,
                                   const CompareOptions& options);

// For a terminal, for programs (one JSON object), and as a page with plots.
std::string ComparisonText(const Comparison& comparison);
std::string ComparisonJson(const Comparison& comparison);
std::string ComparisonHtml(const Comparison& comparison, const std::string& command);

}  // namespace skep

#endif  // SKEP_TOOLS_COMPARE_COMPARISON_H_

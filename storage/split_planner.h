// Cuts input files into splits, one map task each. Pure: the same files and format give
// the same splits whatever the fleet, so that answers do not depend on it either.

#ifndef SKEP_STORAGE_SPLIT_PLANNER_H_
#define SKEP_STORAGE_SPLIT_PLANNER_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/input_split.pb.h"
#include "storage/record_format.h"

namespace skep {

// A map task should run much longer than the 1 ms or so that starting one costs, and
// much shorter than the job, so that the last tasks end together and a lost one costs
// little: a 64th of the input, so that a fleet of some ten cores gets several each...
inline constexpr uint64_t kSplitsOfSmallInput = 64;
// ...but not below what a core reads in some milliseconds...
inline constexpr uint64_t kMinSplitBytes = uint64_t{1} << 20;
// ...nor above what it does in a second or so.
inline constexpr uint64_t kMaxSplitBytes = uint64_t{64} << 20;
// What a master takes in one submission; from 3 TiB on splits grow to stay below it.
inline constexpr uint64_t kMaxSplits = 100'000;

// For input of so many bytes in all.
uint64_t DefaultSplitBytes(uint64_t total_bytes);

// In the order of the files, then of offsets. A file is cut evenly into pieces of at
// most `split_bytes` (0: the default), for fixed-size records at multiples of their
// size. A compressed file is one split, an empty one gives none unless the format wants
// some. InvalidArgument: a file that is not a multiple of the record size; more than kMaxSplits.
absl::StatusOr<std::vector<InputSplit>> PlanSplits(const std::vector<InputFile>& files,
                                                   const RecordFormat& format,
                                                   uint64_t split_bytes = 0);

}  // namespace skep

#endif  // SKEP_STORAGE_SPLIT_PLANNER_H_

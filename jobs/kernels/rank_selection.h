// Exact selection in an array: the keys of given ranks, each key read little more than
// once.
//
// A sample tells where a rank lies, within four standard deviations. One pass counts
// the keys up to the window's lower end and copies those strictly inside it, a few
// percent; the rank among these is found in the same way, until few are left. (R. W.
// Floyd, R. L. Rivest, Expected time bounds for selection, 1975, section 2, with one
// pass instead of partitioning in place.) Both ends of a window are keys, and are
// counted, not copied, so equal keys cost nothing. A window that misses its rank, or
// holds far more than expected, is replaced by counting 11 bits of the keys a pass
// (selection.h), which ends after six passes whatever the keys are.

#ifndef SKEP_JOBS_KERNELS_RANK_SELECTION_H_
#define SKEP_JOBS_KERNELS_RANK_SELECTION_H_

#include <cstdint>
#include <span>
#include <vector>

#include "base/cpu_path.h"

namespace skep {

// What selection did, for comparisons.
struct SelectionCost {
  uint64_t passes = 0;     // over all keys, or those that are left
  uint64_t keys_read = 0;  // in all passes and samples
  uint64_t fallbacks = 0;  // ranks that were left to counting
};

// The keys of the given ranks, in the order of `ranks`; ranks count from 1 and may
// repeat. The keys are not changed. Requires 1 <= rank <= keys.size() for each.
// Up to some dozen ranks share the passes, and memory is some percent of the keys; for
// more, a copy of the keys is partitioned.
std::vector<uint64_t> SelectRanks(std::span<const uint64_t> keys,
                                  std::span<const uint64_t> ranks,
                                  CpuPath path = BestCpuPath(),
                                  SelectionCost* cost = nullptr);

// The same by counting 11 bits of the keys a pass: no luck, no memory.
uint64_t SelectByRadix(std::span<const uint64_t> keys, uint64_t rank,
                       SelectionCost* cost = nullptr);

// The same as the family's median does it: halving the range of values, with a pass for
// each step, up to 64.
uint64_t SelectByBisection(std::span<const uint64_t> keys, uint64_t rank,
                           CpuPath path = BestCpuPath(), SelectionCost* cost = nullptr);

// The same by guessing a key that is left, and a pass for each guess: about 2 ln n.
uint64_t SelectByRandomPivot(std::span<const uint64_t> keys, uint64_t rank,
                             CpuPath path = BestCpuPath(),
                             SelectionCost* cost = nullptr);

// Of one pass over the keys with a window between two keys, both left out.
struct WindowCounts {
  uint64_t up_to_low = 0;  // keys <= low
  uint64_t inside = 0;     // low < key < high
};
// Appends the keys inside to `inside` while there is room; the counts go on. `inside`
// must hold `capacity` + 8 keys. Requires low < high, or, for a window without a lower
// end, low = UINT64_MAX (up_to_low then says nothing), or, for one without an upper,
// high = 0; not both.
WindowCounts CountAndCollect(std::span<const uint64_t> keys, uint64_t low,
                             uint64_t high, uint64_t* inside, size_t capacity,
                             CpuPath path = BestCpuPath());

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_RANK_SELECTION_H_

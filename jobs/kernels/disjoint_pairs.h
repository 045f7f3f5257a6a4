// Counts the pairs of masks, one of each of two sets, that have no bit in common.

#ifndef SKEP_JOBS_KERNELS_DISJOINT_PAIRS_H_
#define SKEP_JOBS_KERNELS_DISJOINT_PAIRS_H_

#include <cstdint>
#include <span>

#include "base/cpu_path.h"
#include "jobs/kernels/pair_tables.h"

namespace skep {


// The number of pairs (i, j) with (a[i] & b[j]) == 0. Masks have bits below `bits`
// only, 1 <= bits <= kMaxPairBits.
//
// 512 masks of b at a time are turned into tables: for each group of five bits and each
// value of them, a vector saying which of the 512 are disjoint from that value. A mask
// of a is then tested against 512 by an AND for each group and a count of ones.
uint64_t CountDisjointPairs(std::span<const uint64_t> a, std::span<const uint64_t> b,
                            int bits, CpuPath path = BestCpuPath());

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_DISJOINT_PAIRS_H_

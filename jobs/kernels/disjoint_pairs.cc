#include "jobs/kernels/disjoint_pairs.h"

#include <algorithm>

namespace skep {

uint64_t CountDisjointPairs(std::span<const uint64_t> a, std::span<const uint64_t> b,
                            int bits, CpuPath path) {
  PairTables tables(bits, path);
  uint64_t count = 0;
  while (!b.empty()) {
    const auto group = b.first(std::min(PairTables::kGroup, b.size()));
    tables.Fill(group);
    count += tables.Count(a);
    b = b.subspan(group.size());
  }
  return count;
}

}  // namespace skep

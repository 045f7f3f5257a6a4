#include "jobs/api/partition.h"

#include <algorithm>

#include "base/digest.h"

namespace skep {
namespace {

// Never change it: it decides which part file a key is in. Hash tables of workers must
// use another seed, or a partition's keys would all fall into a part of the table.
constexpr uint64_t kPartitionSeed = 0x736b6570;  // "skep"

}  // namespace

uint32_t HashPartition(std::string_view key, uint32_t partitions) {
  const uint64_t hash = Digest64(key, kPartitionSeed);
  return static_cast<uint32_t>((static_cast<unsigned __int128>(hash) * partitions) >>
                               64);
}

Partitioner::Partitioner(const StageSpec& stage)
    : partitions_(stage.partitions()),
      bounds_(stage.range_bounds().begin(), stage.range_bounds().end()) {}

uint32_t Partitioner::PartitionOf(std::string_view key) const {
  if (bounds_.empty()) return HashPartition(key, partitions_);
  return std::upper_bound(bounds_.begin(), bounds_.end(), key) - bounds_.begin();
}

}  // namespace skep

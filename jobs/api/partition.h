// Which reduce task gets a key: the one definition, for workers and LocalRunner alike.
//
// It depends on the key and the stage only, so that output is the same bytes on any
// fleet, machine and release; partition_test.cc pins values.

#ifndef SKEP_JOBS_API_PARTITION_H_
#define SKEP_JOBS_API_PARTITION_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/api/task.pb.h"

namespace skep {

// In [0, partitions): XXH3-64 of the key, scaled by multiplication (Lemire 2019,
// section 3), which uses the hash's high bits.
uint32_t HashPartition(std::string_view key, uint32_t partitions);

// The partitions of one stage. Immutable after construction, so thread-safe.
class Partitioner {
 public:
  // A stage with partitions() > 0; with range_bounds, by range.
  explicit Partitioner(const StageSpec& stage);

  uint32_t PartitionOf(std::string_view key) const;

 private:
  const uint32_t partitions_;
  const std::vector<std::string> bounds_;
};

}  // namespace skep

#endif  // SKEP_JOBS_API_PARTITION_H_

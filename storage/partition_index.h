// Where in a map task's output file the run of each partition is, and the account of
// its records for the ledger. A small checksummed file beside the data.

#ifndef SKEP_STORAGE_PARTITION_INDEX_H_
#define SKEP_STORAGE_PARTITION_INDEX_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/digest.h"
#include "storage/file_system.h"

namespace skep {

struct PartitionEntry {
  uint64_t offset = 0;
  uint64_t length = 0;  // 0: there is no run, since there are no records
  uint64_t records = 0;
  uint64_t bytes = 0;  // of keys and values
  Digest128 digest;    // RecordDigest

  friend bool operator==(const PartitionEntry&, const PartitionEntry&) = default;
};

// By partition. "skepidx1", u32 count, then 48 bytes an entry (its members in order,
// digest low then high), then the XXH3-64 of all before; little-endian.
std::string EncodePartitionIndex(const std::vector<PartitionEntry>& entries);
// DataLoss where any byte is damaged or missing.
absl::StatusOr<std::vector<PartitionEntry>> DecodePartitionIndex(
    std::string_view bytes);

// Whole or not at all. Errors name the file.
absl::Status WritePartitionIndex(FileSystem& fs, const std::string& path,
                                 const std::vector<PartitionEntry>& entries);
absl::StatusOr<std::vector<PartitionEntry>> ReadPartitionIndex(FileSystem& fs,
                                                               const std::string& path);

}  // namespace skep

#endif  // SKEP_STORAGE_PARTITION_INDEX_H_

// Writes a run (run_format.h) to the end of a file; a file may hold several.

#ifndef SKEP_STORAGE_RUN_WRITER_H_
#define SKEP_STORAGE_RUN_WRITER_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/digest.h"
#include "storage/file_system.h"
#include "storage/raw_buffer.h"

namespace skep {

struct RunStats {
  uint64_t records = 0;
  uint64_t bytes = 0;         // of keys and values
  uint64_t stored_bytes = 0;  // written to the file
  Digest128 digest;           // RecordDigest of the records

  friend bool operator==(const RunStats&, const RunStats&) = default;
};

// Not thread-safe. Errors of the file are returned as they are.
class RunWriter {
 public:
  // Borrows `file`, which is neither synced nor closed.
  explicit RunWriter(WritableFile& file);

  // Records come in ascending order of (key, value) bytes (checked in debug builds).
  // InvalidArgument: one of more than kMaxRecordBytes.
  absl::Status Add(std::string_view key, std::string_view value);
  // Gives the file what was added so far, in a block that is smaller than others: for
  // those who add little and slowly.
  absl::Status Flush();
  // Call once, after the last record; a run that was not finished is damaged.
  absl::Status Finish();

  // stored_bytes and the digest are complete after Finish.
  const RunStats& stats() const { return stats_; }

 private:
  absl::Status WriteBlock();
  bool InOrder(std::string_view key, std::string_view value) const;

  WritableFile& file_;
  RawBuffer block_;  // the records of the block that is being filled
  size_t block_size_ = 0;
  uint32_t block_records_ = 0;
  uint64_t block_number_ = 0;
  size_t last_key_ = 0;  // offset in block_ of the last record's key; its value follows
  size_t last_key_size_ = 0;
  RawBuffer stored_;  // a header and its payload
  RecordDigest digest_;
  RunStats stats_;
  bool finished_ = false;
};

}  // namespace skep

#endif  // SKEP_STORAGE_RUN_WRITER_H_

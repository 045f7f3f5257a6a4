// Reads a run (run_format.h) from wherever its bytes come.

#ifndef SKEP_STORAGE_RUN_READER_H_
#define SKEP_STORAGE_RUN_READER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/byte_source.h"
#include "storage/raw_buffer.h"
#include "storage/record_stream.h"
#include "storage/run_format.h"

namespace skep {

// DataLoss, naming `name` and the offset in the run, where a byte is damaged or
// missing; no record of a damaged block is given. Errors of the source are returned as
// they are. Takes up to two blocks of memory (some 300 KiB) once it is read from. Bytes
// after the run's end are never asked for.
class RunReader final : public RecordStream {
 public:
  RunReader(std::unique_ptr<ByteSource> source, std::string name);

  bool Next(Record* record) override;
  absl::Status status() const override { return status_; }

 private:
  // False at the end of the run.
  absl::StatusOr<bool> ReadBlock();
  absl::Status ReadHeader();
  absl::Status Damaged(std::string_view what) const;
  bool Fail(absl::Status status);

  const std::unique_ptr<ByteSource> source_;
  const std::string name_;
  absl::Status status_;
  bool done_ = false;
  uint64_t offset_ = 0;  // in the run, of the block that is being read
  uint64_t block_number_ = 0;
  bool have_header_ = false;
  char header_[kRunHeaderBytes];  // of the next block, read along with the one before
  RawBuffer stored_;              // the payload as stored, then the next header
  RawBuffer raw_;                 // decompressed
  std::string_view records_;      // not yet given, in stored_ or raw_
  uint32_t records_left_ = 0;
};

}  // namespace skep

#endif  // SKEP_STORAGE_RUN_READER_H_

// Records in ascending order of (key, value) bytes, read once: a run, a merge of runs,
// a sorted buffer.

#ifndef SKEP_STORAGE_RECORD_STREAM_H_
#define SKEP_STORAGE_RECORD_STREAM_H_

#include <string_view>

#include "absl/status/status.h"

namespace skep {

struct Record {
  std::string_view key;
  std::string_view value;

  // By key, then value, as bytes: the canonical order.
  friend bool operator==(const Record&, const Record&) = default;
  friend auto operator<=>(const Record&, const Record&) = default;
};

// Not thread-safe. (No StatusOr per record: this is the innermost loop of a reducer.)
class RecordStream {
 public:
  virtual ~RecordStream() = default;
  // False at the end or after an error: see status(). The views are valid until the
  // next call.
  virtual bool Next(Record* record) = 0;
  virtual absl::Status status() const = 0;
};

}  // namespace skep

#endif  // SKEP_STORAGE_RECORD_STREAM_H_

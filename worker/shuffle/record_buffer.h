// Records that a map task has emitted and not yet spilled, sorted on demand.

#ifndef SKEP_WORKER_SHUFFLE_RECORD_BUFFER_H_
#define SKEP_WORKER_SHUFFLE_RECORD_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "worker/shuffle/arena.h"

namespace skep {

// Not thread-safe.
class RecordBuffer {
 public:
  struct Record {
    uint64_t prefix =
        0;  // the key's first 8 bytes, big-endian: most comparisons end here
    const char* data = nullptr;  // the key, then the value
    uint32_t partition = 0;
    uint32_t key_size = 0;
    uint32_t value_size = 0;

    std::string_view key() const { return {data, key_size}; }
    std::string_view value() const { return {data + key_size, value_size}; }
  };

  // Refuses to grow beyond `memory_bytes`, except for its first record.
  explicit RecordBuffer(size_t memory_bytes) : memory_bytes_(memory_bytes) {}

  // Copies a record. False, and nothing is added, when it does not fit: read the
  // records, Clear, add again.
  [[nodiscard]] bool Add(uint32_t partition, std::string_view key,
                         std::string_view value);

  // Brings the records into order by partition, key and value (as bytes).
  void Sort();
  // Valid until Add or Clear.
  const std::vector<Record>& records() const { return records_; }
  void Clear();

  // Bytes of memory held.
  size_t memory() const {
    return arena_.memory() + records_.capacity() * sizeof(Record);
  }

 private:
  const size_t memory_bytes_;
  Arena arena_;
  std::vector<Record> records_;
};

}  // namespace skep

#endif  // SKEP_WORKER_SHUFFLE_RECORD_BUFFER_H_

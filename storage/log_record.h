// Records of a log that is only appended to: a journal, a checkpoint.
//
//   size      4 bytes, little-endian: of the bytes
//   stamp     8 bytes, little-endian: the time, in nanoseconds since the epoch
//   checksum  8 bytes: XXH3-64 of stamp and bytes
//   header    4 bytes: XXH3-64 of the 20 bytes before, its lower half
//   bytes
//
// With a checksum of its own, a header that says more bytes than there are (a record
// that the end of the file cuts short) is known from one that is damaged.

#ifndef SKEP_STORAGE_LOG_RECORD_H_
#define SKEP_STORAGE_LOG_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "base/digest.h"

namespace skep {

struct LogRecordHeader {
  static constexpr size_t kChecked = 4 + 8 + 8;
  static constexpr size_t kBytes = kChecked + 4;

  bool intact = false;  // else nothing that it says is to be believed
  uint32_t size = 0;
  int64_t stamp = 0;
  uint64_t checksum = 0;

  // `from` has kBytes.
  static LogRecordHeader Decode(const char* from) {
    return {LoadLittle<uint32_t>(from + kChecked) == Checksum(from),
            LoadLittle<uint32_t>(from), LoadLittle<int64_t>(from + 4),
            LoadLittle<uint64_t>(from + 12)};
  }
  // Whether these are the bytes, `size` of them, that were written.
  bool Matches(std::string_view bytes) const {
    return Digest64(bytes, static_cast<uint64_t>(stamp)) == checksum;
  }
  static uint32_t Checksum(const char* header) {
    return static_cast<uint32_t>(Digest64({header, kChecked}));
  }
};

// The header and the bytes, fewer than 4 GiB.
inline std::string EncodeLogRecord(int64_t stamp, std::string_view bytes) {
  std::string record(LogRecordHeader::kBytes, '\0');
  StoreLittle(static_cast<uint32_t>(bytes.size()), record.data());
  StoreLittle(stamp, record.data() + 4);
  StoreLittle(Digest64(bytes, static_cast<uint64_t>(stamp)), record.data() + 12);
  StoreLittle(LogRecordHeader::Checksum(record.data()),
              record.data() + LogRecordHeader::kChecked);
  record += bytes;
  return record;
}

}  // namespace skep

#endif  // SKEP_STORAGE_LOG_RECORD_H_

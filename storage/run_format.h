// The format of a run: sorted records in checksummed blocks. Map outputs, spills and
// what reducers fetch are runs.
//
//   run   = block* end
//   block = header payload
//   header, 20 bytes, little-endian:
//     u32 raw_size      of the records in it; 0: this is the end block
//     u32 stored_size   of the payload; equal to raw_size where it is not compressed
//     u32 records
//     u64 checksum      XXH3-64 of the payload, seeded with the XXH3-64 of the 12 bytes
//                       before, seeded with the block's number in the run
//   payload = (varint key_size, varint value_size, key, value)*, as one zstd frame
//   where
//             that is smaller
//   end   = a header with sizes and records 0
//
// The number in the checksum makes a block that is missing, repeated or out of place
// damage too, and the end block a run that was cut off between blocks.

#ifndef SKEP_STORAGE_RUN_FORMAT_H_
#define SKEP_STORAGE_RUN_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/coding.h"
#include "base/digest.h"

namespace skep {

// Where a block is closed. Larger ones compress little better; a merge of many runs has
// one of each in memory.
inline constexpr size_t kRunBlockBytes = size_t{128} << 10;
// Of a key and its value together: what fits into memory several times.
inline constexpr size_t kMaxRecordBytes = size_t{64} << 20;
// A block holds one record beyond kRunBlockBytes at most.
inline constexpr size_t kMaxRunBlockBytes =
    kRunBlockBytes + kMaxRecordBytes + 2 * kMaxVarint64Bytes;

inline constexpr size_t kRunHeaderBytes = 20;

struct RunBlockHeader {
  uint32_t raw_size = 0;
  uint32_t stored_size = 0;
  uint32_t records = 0;

  // Writes kRunHeaderBytes at `out`.
  void Encode(uint64_t block_number, std::string_view payload, char* out) const {
    StoreLittle(raw_size, out);
    StoreLittle(stored_size, out + 4);
    StoreLittle(records, out + 8);
    StoreLittle(Checksum(block_number, payload, out), out + 12);
  }
  static RunBlockHeader Decode(const char* in) {
    return {LoadLittle<uint32_t>(in), LoadLittle<uint32_t>(in + 4),
            LoadLittle<uint32_t>(in + 8)};
  }
  // Whether the encoded header belongs to this payload and place.
  static bool Matches(const char* encoded, uint64_t block_number,
                      std::string_view payload) {
    return LoadLittle<uint64_t>(encoded + 12) ==
           Checksum(block_number, payload, encoded);
  }

 private:
  static uint64_t Checksum(uint64_t block_number, std::string_view payload,
                           const char* encoded) {
    return Digest64(payload, Digest64({encoded, 12}, block_number));
  }
};

}  // namespace skep

#endif  // SKEP_STORAGE_RUN_FORMAT_H_

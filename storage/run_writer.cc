#include "storage/run_writer.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "base/coding.h"
#include "base/status.h"
#include "storage/block_compression.h"
#include "storage/record_stream.h"
#include "storage/run_format.h"

namespace skep {

RunWriter::RunWriter(WritableFile& file) : file_(file) {}

absl::Status RunWriter::Add(std::string_view key, std::string_view value) {
  assert(!finished_);
  assert(InOrder(key, value));
  const size_t bytes = key.size() + value.size();
  if (bytes > kMaxRecordBytes) {
    return InvalidArgument("a record of ", bytes, " bytes (key ", key.size(),
                           ", value ", value.size(), "): at most ", kMaxRecordBytes,
                           " are allowed; emit it in parts");
  }
  // Room for a block that records of usual sizes close; it grows for larger ones.
  const size_t most = block_size_ + bytes + 2 * kMaxVarint64Bytes;
  block_.Reserve(std::max(most, kRunBlockBytes + kRunBlockBytes / 8), block_size_);

  char* out = block_.data() + block_size_;
  out = EncodeVarint(key.size(), out);
  out = EncodeVarint(value.size(), out);
  last_key_ = out - block_.data();
  last_key_size_ = key.size();
  out = std::copy(key.begin(), key.end(), out);
  out = std::copy(value.begin(), value.end(), out);
  block_size_ = out - block_.data();
  ++block_records_;

  digest_.Add(key, value);
  ++stats_.records;
  stats_.bytes += bytes;
  return block_size_ < kRunBlockBytes ? absl::OkStatus() : WriteBlock();
}

absl::Status RunWriter::Flush() {
  // An empty block is the end.
  return block_size_ > 0 ? WriteBlock() : absl::OkStatus();
}

absl::Status RunWriter::Finish() {
  assert(!finished_);
  finished_ = true;
  SKEP_RETURN_IF_ERROR(Flush());
  SKEP_RETURN_IF_ERROR(WriteBlock());  // empty: the end
  stats_.digest = digest_.value();
  return absl::OkStatus();
}

absl::Status RunWriter::WriteBlock() {
  stored_.Reserve(kRunHeaderBytes + MaxCompressedSize(block_size_));
  char* const payload = stored_.data() + kRunHeaderBytes;
  const std::string_view raw(block_.data(), block_size_);
  size_t stored_size = raw.empty() ? 0 : CompressBlock(raw, payload);
  if (stored_size == 0) {
    std::copy(raw.begin(), raw.end(), payload);
    stored_size = raw.size();
  }
  const RunBlockHeader header = {static_cast<uint32_t>(raw.size()),
                                 static_cast<uint32_t>(stored_size), block_records_};
  header.Encode(block_number_, {payload, stored_size}, stored_.data());
  const size_t size = kRunHeaderBytes + stored_size;
  SKEP_RETURN_IF_ERROR(file_.Append({stored_.data(), size}));
  stats_.stored_bytes += size;
  ++block_number_;
  block_size_ = 0;
  block_records_ = 0;
  return absl::OkStatus();
}

// As far as the block reaches: the first record of each is compared with nothing.
bool RunWriter::InOrder(std::string_view key, std::string_view value) const {
  if (block_records_ == 0) return true;
  const char* last = block_.data() + last_key_;
  const size_t last_value = last_key_ + last_key_size_;
  const Record before = {{last, last_key_size_},
                         {block_.data() + last_value, block_size_ - last_value}};
  return before <= Record{key, value};
}

}  // namespace skep

#include "storage/run_reader.h"

#include <cstring>
#include <utility>

#include "base/coding.h"
#include "base/status.h"
#include "storage/block_compression.h"

namespace skep {

RunReader::RunReader(std::unique_ptr<ByteSource> source, std::string name)
    : source_(std::move(source)), name_(std::move(name)) {}

bool RunReader::Next(Record* record) {
  while (records_left_ == 0) {
    if (done_ || !status_.ok()) return false;
    // Checksums hold, so this can only be a writer's bug; but it must not go unnoticed.
    if (!records_.empty())
      return Fail(Damaged("bytes after the last record of a block"));
    auto more = ReadBlock();
    if (!more.ok()) return Fail(std::move(more).status());
    done_ = !*more;
  }
  uint64_t key_size, value_size;
  if (!GetVarint(&records_, &key_size) || !GetVarint(&records_, &value_size) ||
      key_size > records_.size() || value_size > records_.size() - key_size) {
    return Fail(Damaged("a record that does not fit into its block"));
  }
  record->key = records_.substr(0, key_size);
  record->value = records_.substr(key_size, value_size);
  records_.remove_prefix(key_size + value_size);
  --records_left_;
  return true;
}

// The header of the first block. Every later one comes with the block before it, which
// saves a read (a system call, or a wait for the network) a block.
absl::Status RunReader::ReadHeader() {
  SKEP_ASSIGN_OR_RETURN(const size_t got,
                        ReadFully(*source_, header_, kRunHeaderBytes));
  if (got < kRunHeaderBytes) return Damaged("it ends too early");
  have_header_ = true;
  return absl::OkStatus();
}

absl::StatusOr<bool> RunReader::ReadBlock() {
  if (!have_header_) SKEP_RETURN_IF_ERROR(ReadHeader());
  const RunBlockHeader header = RunBlockHeader::Decode(header_);
  if (header.raw_size == 0) {
    if (!RunBlockHeader::Matches(header_, block_number_, "") ||
        header.stored_size != 0 || header.records != 0) {
      return Damaged("its end block is wrong");
    }
    return false;
  }
  // Before memory is taken for them.
  if (header.raw_size > kMaxRunBlockBytes || header.stored_size > header.raw_size) {
    return Damaged("a block has an impossible size");
  }
  const size_t wanted = header.stored_size + kRunHeaderBytes;
  stored_.Reserve(wanted);
  SKEP_ASSIGN_OR_RETURN(const size_t got, ReadFully(*source_, stored_.data(), wanted));
  // A writer that was killed may have left a whole block and behind it nothing, or a
  // part of the next header: its records count, and the next header is missed.
  const bool more = got == wanted;
  if (got < header.stored_size) return Damaged("it ends too early");
  const std::string_view payload(stored_.data(), header.stored_size);
  if (!RunBlockHeader::Matches(header_, block_number_, payload)) {
    return Damaged("the checksum of a block is wrong");
  }
  records_ = payload;
  if (header.stored_size < header.raw_size) {
    raw_.Reserve(header.raw_size);
    const absl::Status status = DecompressBlock(payload, header.raw_size, raw_.data());
    if (!status.ok()) return Annotate(status, name_);
    records_ = {raw_.data(), header.raw_size};
  }
  records_left_ = header.records;
  have_header_ = more;
  if (more) {
    std::memcpy(header_, stored_.data() + header.stored_size, kRunHeaderBytes);
  }
  offset_ += got;
  ++block_number_;
  return true;
}

absl::Status RunReader::Damaged(std::string_view what) const {
  return DataLoss(name_, ": damaged run, block ", block_number_, " near byte ", offset_,
                  ": ", what);
}

bool RunReader::Fail(absl::Status status) {
  status_ = std::move(status);
  records_left_ = 0;
  return false;
}

}  // namespace skep

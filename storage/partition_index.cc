#include "storage/partition_index.h"

#include "base/coding.h"
#include "base/status.h"

namespace skep {
namespace {

constexpr std::string_view kMagic = "skepidx1";
constexpr size_t kHeadBytes = kMagic.size() + sizeof(uint32_t);
constexpr size_t kEntryBytes = 6 * sizeof(uint64_t);
constexpr size_t kChecksumBytes = sizeof(uint64_t);

template <typename T>
void PutLittle(std::string* out, T value) {
  char bytes[sizeof value];
  StoreLittle(value, bytes);
  out->append(bytes, sizeof bytes);
}

}  // namespace

std::string EncodePartitionIndex(const std::vector<PartitionEntry>& entries) {
  std::string out(kMagic);
  out.reserve(kHeadBytes + entries.size() * kEntryBytes + kChecksumBytes);
  PutLittle<uint32_t>(&out, entries.size());
  for (const PartitionEntry& entry : entries) {
    for (const uint64_t field : {entry.offset, entry.length, entry.records, entry.bytes,
                                 entry.digest.low, entry.digest.high}) {
      PutLittle(&out, field);
    }
  }
  PutLittle(&out, Digest64(out));
  return out;
}

absl::StatusOr<std::vector<PartitionEntry>> DecodePartitionIndex(
    std::string_view bytes) {
  if (bytes.size() < kHeadBytes + kChecksumBytes || !bytes.starts_with(kMagic)) {
    return DataLoss("not a partition index (", bytes.size(), " bytes)");
  }
  const std::string_view checked = bytes.substr(0, bytes.size() - kChecksumBytes);
  const uint64_t count = LoadLittle<uint32_t>(bytes.data() + kMagic.size());
  if (checked.size() != kHeadBytes + count * kEntryBytes ||
      LoadLittle<uint64_t>(bytes.data() + checked.size()) != Digest64(checked)) {
    return DataLoss("damaged partition index (", bytes.size(), " bytes, ", count,
                    " partitions)");
  }
  std::vector<PartitionEntry> entries(count);
  const char* in = bytes.data() + kHeadBytes;
  for (PartitionEntry& entry : entries) {
    for (uint64_t* field : {&entry.offset, &entry.length, &entry.records, &entry.bytes,
                            &entry.digest.low, &entry.digest.high}) {
      *field = LoadLittle<uint64_t>(in);
      in += sizeof *field;
    }
  }
  return entries;
}

absl::Status WritePartitionIndex(FileSystem& fs, const std::string& path,
                                 const std::vector<PartitionEntry>& entries) {
  return WriteFileAtomically(fs, path, EncodePartitionIndex(entries));
}

absl::StatusOr<std::vector<PartitionEntry>> ReadPartitionIndex(
    FileSystem& fs, const std::string& path) {
  SKEP_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(fs, path));
  auto entries = DecodePartitionIndex(bytes);
  if (!entries.ok()) return Annotate(entries.status(), path);
  return entries;
}

}  // namespace skep

#include "storage/split_planner.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace skep {
namespace {

uint64_t DivideUp(uint64_t a, uint64_t b) { return a / b + (a % b != 0); }

void AddSplit(const InputFile& file, uint64_t offset, uint64_t length,
              std::vector<InputSplit>* splits) {
  InputSplit& split = splits->emplace_back();
  *split.mutable_file() = file;
  split.set_offset(offset);
  split.set_length(length);
}

absl::Status TooMany(uint64_t split_bytes) {
  return InvalidArgument("the input makes more than ", kMaxSplits, " splits of ",
                         split_bytes, " bytes: use larger splits or fewer files");
}

absl::Status SplitFile(const InputFile& file, const RecordFormat& format,
                       uint64_t split_bytes, std::vector<InputSplit>* splits) {
  // Bytes that stay together: a record, or one where records are lines.
  const uint64_t unit =
      format.kind == RecordFormat::Kind::kFixed ? format.record_size : 1;
  if (file.compression() != COMPRESSION_NONE) {
    AddSplit(file, 0, file.size(), splits);
    return absl::OkStatus();
  }
  if (file.size() % unit != 0) {
    return InvalidArgument(file.name(), ": ", file.size(),
                           " bytes are no whole number of records of ", unit,
                           " bytes: is it a file of this format, and complete?");
  }
  const uint64_t units = file.size() / unit;
  const uint64_t pieces = DivideUp(units, std::max<uint64_t>(1, split_bytes / unit));
  if (pieces > kMaxSplits - splits->size()) return TooMany(split_bytes);
  // Evenly: the first `longer` pieces have one unit more.
  const uint64_t each = units / pieces;
  const uint64_t longer = units % pieces;
  uint64_t offset = 0;
  for (uint64_t i = 0; i < pieces; ++i) {
    const uint64_t length = (each + (i < longer ? 1 : 0)) * unit;
    AddSplit(file, offset, length, splits);
    offset += length;
  }
  return absl::OkStatus();
}

}  // namespace

uint64_t DefaultSplitBytes(uint64_t total_bytes) {
  const uint64_t bytes =
      std::clamp(total_bytes / kSplitsOfSmallInput, kMinSplitBytes, kMaxSplitBytes);
  // Half of the limit leaves room for the last, shorter pieces of many files.
  return std::max(bytes, DivideUp(total_bytes, kMaxSplits / 2));
}

absl::StatusOr<std::vector<InputSplit>> PlanSplits(const std::vector<InputFile>& files,
                                                   const RecordFormat& format,
                                                   uint64_t split_bytes) {
  if (format.kind == RecordFormat::Kind::kFixed && format.record_size == 0) {
    return InvalidArgument("records of 0 bytes: the record size must be at least 1");
  }
  if (split_bytes == 0) {
    uint64_t total = 0;
    for (const InputFile& file : files) total += file.size();
    split_bytes = DefaultSplitBytes(total);
  }
  std::vector<InputSplit> splits;
  uint64_t empty_files = 0;
  for (const InputFile& file : files) {
    if (file.size() == 0 && empty_files++ >= format.empty_files) continue;
    if (splits.size() >= kMaxSplits) return TooMany(split_bytes);
    if (file.size() == 0) {
      AddSplit(file, 0, 0, &splits);
    } else {
      SKEP_RETURN_IF_ERROR(SplitFile(file, format, split_bytes, &splits));
    }
  }
  return splits;
}

}  // namespace skep

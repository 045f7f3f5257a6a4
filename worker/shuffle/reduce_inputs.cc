#include "worker/shuffle/reduce_inputs.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "storage/byte_source.h"
#include "storage/merger.h"
#include "storage/run_reader.h"
#include "storage/run_writer.h"

namespace skep {
namespace {

// Two blocks of 128 KiB and what comes with them (run_reader.h).
constexpr uint64_t kReaderBytes = 300 << 10;
constexpr size_t kMinFanIn = 16;
constexpr size_t kMaxFanIn = 512;

// Bytes of a string that a reader does not own.
class ViewSource final : public ByteSource {
 public:
  explicit ViewSource(std::string_view bytes) : bytes_(bytes) {}
  absl::StatusOr<size_t> Read(char* out, size_t size) override {
    const size_t n = bytes_.copy(out, size);
    bytes_.remove_prefix(n);
    return n;
  }

 private:
  std::string_view bytes_;
};

}  // namespace

// A run's stream that says whose it was when it turns out to be damaged.
class ReduceInputs::Checked final : public RecordStream {
 public:
  Checked(std::unique_ptr<RecordStream> stream, int index, int* damaged)
      : stream_(std::move(stream)), index_(index), damaged_(damaged) {}

  bool Next(Record* record) override {
    if (stream_->Next(record)) return true;
    if (absl::IsDataLoss(stream_->status()) && *damaged_ < 0) *damaged_ = index_;
    return false;
  }
  absl::Status status() const override { return stream_->status(); }

 private:
  const std::unique_ptr<RecordStream> stream_;
  const int index_;
  int* const damaged_;
};

// A quarter of the budget is for readers, the rest for runs in memory.
ReduceInputs::ReduceInputs(FileSystem& fs, ReduceInputsOptions options)
    : fs_(fs),
      options_(std::move(options)),
      max_fan_in_(std::clamp<size_t>(options_.memory_bytes / 4 / kReaderBytes,
                                     kMinFanIn, kMaxFanIn)) {}

ReduceInputs::~ReduceInputs() = default;

absl::Status ReduceInputs::OnPiece(size_t index, uint64_t offset, uint64_t total,
                                   std::string bytes) {
  Run& run = arriving_[index];
  if (offset == 0) {
    run.index = static_cast<int>(index);
    run.size = total;
    // Twelve arrive at a time, and each is counted whole from its start: together they
    // stay within the budget too.
    if (total > options_.memory_bytes / 4 ||
        total > options_.memory_bytes - std::min(memory_used_, options_.memory_bytes)) {
      run.path = NextPath();
      SKEP_ASSIGN_OR_RETURN(run.writing, fs_.OpenToWrite(run.path));
    } else {
      memory_used_ += total;
    }
  }
  if (run.writing != nullptr) return run.writing->Append(bytes);
  if (run.bytes.empty()) {
    run.bytes = std::move(bytes);
    run.bytes.reserve(total);
  } else {
    run.bytes.append(bytes);
  }
  return absl::OkStatus();
}

absl::Status ReduceInputs::OnComplete(size_t index) {
  auto node = arriving_.extract(index);
  if (node.empty()) return absl::OkStatus();  // the partition has no records there
  Run run = std::move(node.mapped());
  if (run.writing != nullptr) {
    SKEP_RETURN_IF_ERROR(run.writing->Close());
    run.writing.reset();
    in_files_.push_back(std::move(run));
  } else {
    in_memory_.push_back(std::move(run));
  }
  const bool full = memory_used_ > options_.memory_bytes / 4 * 3;
  return full || in_memory_.size() >= max_fan_in_ ? SpillMemory() : absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RecordStream>> ReduceInputs::Open(Run& run) {
  std::unique_ptr<ByteSource> source;
  if (run.path.empty()) {
    source = std::make_unique<ViewSource>(run.bytes);
  } else {
    SKEP_ASSIGN_OR_RETURN(run.reading, fs_.OpenToRead(run.path));
    source = std::make_unique<FileRangeSource>(*run.reading, 0, run.size);
  }
  return std::make_unique<Checked>(
      std::make_unique<RunReader>(
          std::move(source),
          run.index < 0 ? run.path : StrCat("map output ", run.index)),
      run.index, &damaged_);
}

absl::Status ReduceInputs::MergeToFile(std::vector<Run> runs) {
  std::vector<std::unique_ptr<RecordStream>> streams;
  for (Run& run : runs) {
    SKEP_ASSIGN_OR_RETURN(streams.emplace_back(), Open(run));
  }
  Merger merger(std::move(streams));
  Run merged;
  merged.path = NextPath();
  SKEP_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file,
                        fs_.OpenToWrite(merged.path));
  RunWriter writer(*file);
  Record record;
  while (merger.Next(&record)) {
    SKEP_RETURN_IF_ERROR(writer.Add(record.key, record.value));
  }
  SKEP_RETURN_IF_ERROR(merger.status());
  SKEP_RETURN_IF_ERROR(writer.Finish());
  SKEP_RETURN_IF_ERROR(file->Close());
  merged.size = writer.stats().stored_bytes;
  in_files_.push_back(std::move(merged));
  for (const Run& run : runs) {
    if (!run.path.empty()) SKEP_RETURN_IF_ERROR(fs_.RemoveFile(run.path));
  }
  return absl::OkStatus();
}

absl::Status ReduceInputs::SpillMemory() {
  if (in_memory_.empty()) return absl::OkStatus();
  for (const Run& run : in_memory_) memory_used_ -= run.size;
  return MergeToFile(std::exchange(in_memory_, {}));
}

absl::StatusOr<std::unique_ptr<RecordStream>> ReduceInputs::Merge() {
  // The smallest first, as in Huffman's merge: fewest bytes are written twice.
  while (in_memory_.size() + in_files_.size() > max_fan_in_) {
    SKEP_RETURN_IF_ERROR(SpillMemory());
    if (in_files_.size() <= max_fan_in_) break;
    std::sort(in_files_.begin(), in_files_.end(), [](const Run& a, const Run& b) {
      return a.size != b.size ? a.size < b.size : a.path < b.path;
    });
    const size_t n = std::min(max_fan_in_, in_files_.size() - max_fan_in_ + 1);
    std::vector<Run> some(std::make_move_iterator(in_files_.begin()),
                          std::make_move_iterator(in_files_.begin() + n));
    in_files_.erase(in_files_.begin(), in_files_.begin() + n);
    SKEP_RETURN_IF_ERROR(MergeToFile(std::move(some)));
  }
  std::vector<std::unique_ptr<RecordStream>> streams;
  for (std::vector<Run>* runs : {&in_memory_, &in_files_}) {
    for (Run& run : *runs) {
      SKEP_ASSIGN_OR_RETURN(streams.emplace_back(), Open(run));
    }
  }
  return std::make_unique<Merger>(std::move(streams));
}

std::string ReduceInputs::NextPath() {
  return JoinPath(options_.directory, StrCat("run-", files_made_++));
}

}  // namespace skep

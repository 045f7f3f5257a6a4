#include "tools/client/checkpoint.h"

#include <algorithm>

#include "base/digest.h"
#include "base/status.h"
#include "storage/log_record.h"
#include "tools/exit_code.h"

namespace skep {
namespace {

constexpr std::string_view kMagic = "SKEPCKP1";

// The header's record, the same each time.
std::string EncodeHeader(const CheckpointRecord& record) {
  return EncodeLogRecord(/*stamp=*/0, record.SerializeAsString());
}

std::string Encode(const CheckpointRecord& record) {
  return EncodeLogRecord(absl::ToUnixNanos(absl::Now()), record.SerializeAsString());
}

// "nqueens --algorithm prefixes --n 22", in the order of the names.
std::string Described(const JobSpec& spec) {
  std::string text = spec.name();
  const std::map<std::string, std::string> options(spec.options().begin(),
                                                   spec.options().end());
  for (const auto& [name, value] : options) {
    StrAppend(&text, " --", name, " ", value);
  }
  return text;
}

CheckpointHeader HeaderOf(const JobSpec& spec) {
  CheckpointHeader header;
  header.set_job(Described(spec));
  header.set_binary_digest(spec.binary_digest());
  StreamingDigest64 digest;
  digest.Add(StrCat(header.job(), "\n", spec.partitions(), "\n"));
  for (const InputSplit& split : spec.splits()) digest.Add(split.SerializeAsString());
  header.set_spec_digest(digest.value());
  return header;
}

absl::Status CheckSame(const std::string& path, const CheckpointHeader& there,
                       const CheckpointHeader& wanted) {
  if (there.job() != wanted.job()) {
    return InvalidArgument("the checkpoint ", path, " is of `", there.job(),
                           "`, not of `", wanted.job(),
                           "`: give each job a file of its own");
  }
  if (there.binary_digest() != wanted.binary_digest()) {
    return InvalidArgument(
        "the checkpoint ", path, " was made by another build of skep (",
        there.binary_digest(), ", this is ", wanted.binary_digest(),
        "), which may cut the work otherwise: go on with that build, or begin again "
        "in another file");
  }
  if (there.spec_digest() != wanted.spec_digest()) {
    return InvalidArgument("the inputs of `", wanted.job(),
                           "` are not those that the checkpoint ", path,
                           " was made from: begin again in another file");
  }
  return absl::OkStatus();
}

void Take(CheckpointRecord record, CheckpointContent* content) {
  switch (record.what_case()) {
    case CheckpointRecord::kFinished: {
      FinishedTask& task = *record.mutable_finished();
      content->finished[{task.stage(), task.task()}].Swap(&task);
      break;
    }
    case CheckpointRecord::kSubmission:
      content->submission = record.submission();
      break;
    case CheckpointRecord::kAnswer:
      content->answer = record.answer();
      break;
    default:
      break;
  }
}

}  // namespace

absl::StatusOr<CheckpointContent> ParseCheckpoint(std::string_view bytes) {
  CheckpointContent content;
  bool headed = false;
  if (!bytes.starts_with(kMagic)) return DataLoss("it does not begin like one");
  for (size_t at = kMagic.size(); bytes.size() - at >= LogRecordHeader::kBytes;) {
    const LogRecordHeader header = LogRecordHeader::Decode(bytes.data() + at);
    const size_t begin = at + LogRecordHeader::kBytes;
    if (!header.intact || header.size > bytes.size() - begin) break;
    const std::string_view payload = bytes.substr(begin, header.size);
    CheckpointRecord record;
    if (!header.Matches(payload) ||
        !record.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
      break;
    }
    if (!headed) {
      if (!record.has_header()) break;
      content.header = record.header();
      headed = true;
    }
    Take(std::move(record), &content);
    at = content.good_bytes = begin + header.size;
  }
  if (!headed) return DataLoss("its header is damaged");
  return content;
}

absl::StatusOr<std::unique_ptr<Checkpoint>> Checkpoint::Open(FileSystem& fs,
                                                             std::string path,
                                                             const JobSpec& spec,
                                                             const Clock& clock) {
  const CheckpointHeader header = HeaderOf(spec);
  CheckpointRecord first;
  *first.mutable_header() = header;
  if (const auto there = fs.Stat(path);
      there.ok() && (there->is_special || there->is_directory)) {
    return EndsWith(
        kFiles, InvalidArgument("--checkpoint ", path, " is no file: name another"));
  }
  const std::string in_use =
      StrCat("another skep is using the checkpoint ", path, ": wait for its end");
  // Made under its lock: whoever replaced it would leave two with a lock each.
  absl::StatusOr<FileLock> lock = FileLock::Take(path, /*make=*/true);
  if (absl::IsAlreadyExists(lock.status())) return AlreadyExists(in_use);
  if (!lock.ok()) return EndsWith(kFiles, Annotate(lock.status(), "--checkpoint"));
  SKEP_ASSIGN_OR_RETURN(std::string bytes, ReadFile(fs, path));
  // New, or its maker was killed before it was begun.
  const std::string begin = StrCat(kMagic, EncodeHeader(first));
  if (bytes.size() < begin.size() && begin.starts_with(bytes)) {
    SKEP_ASSIGN_OR_RETURN(const auto file,
                          fs.OpenToWrite(path, FileSystem::IfExists::kAppend));
    SKEP_RETURN_IF_ERROR(
        Annotate(file->Append(begin.substr(bytes.size())), "--checkpoint"));
    SKEP_RETURN_IF_ERROR(Annotate(file->Sync(), "--checkpoint"));
    SKEP_RETURN_IF_ERROR(Annotate(file->Close(), "--checkpoint"));
    bytes = begin;
  }
  absl::StatusOr<CheckpointContent> content = ParseCheckpoint(bytes);
  if (!content.ok()) {
    return EndsWith(kFiles, DataLoss(path, " is not a checkpoint of skep: ",
                                     Message(content.status()),
                                     "; name another file, or remove this one"));
  }
  SKEP_RETURN_IF_ERROR(CheckSame(path, content->header, header));
  const size_t dropped = bytes.size() - content->good_bytes;
  if (dropped == 0) {
    return std::unique_ptr<Checkpoint>(new Checkpoint(
        fs, clock, std::move(path), *std::move(content), *std::move(lock)));
  }
  // What is appended must follow what can be read. The new file wants a lock of its
  // own.
  SKEP_RETURN_IF_ERROR(WriteFileAtomically(
      fs, path, std::string_view(bytes).substr(0, content->good_bytes)));
  absl::StatusOr<FileLock> again = FileLock::Take(path, /*make=*/false);
  if (!again.ok()) return AlreadyExists(in_use);
  std::unique_ptr<Checkpoint> checkpoint(new Checkpoint(
      fs, clock, std::move(path), *std::move(content), *std::move(again)));
  checkpoint->dropped_ = dropped;
  return checkpoint;
}

Checkpoint::~Checkpoint() { Sync().IgnoreError(); }

absl::Status Checkpoint::Add(const std::vector<FinishedTask>& finished) {
  std::string records;
  for (const FinishedTask& task : finished) {
    const auto [it, is_new] =
        content_.finished.try_emplace({task.stage(), task.task()}, task);
    if (!is_new && it->second.stage_digest() == task.stage_digest()) continue;
    it->second = task;
    CheckpointRecord record;
    *record.mutable_finished() = task;
    records += Encode(record);
  }
  return Append(records, /*sync=*/false);
}

absl::Status Checkpoint::NoteSubmission(const std::string& submission) {
  content_.submission = submission;
  CheckpointRecord record;
  record.set_submission(submission);
  return Append(Encode(record), /*sync=*/true);
}

absl::Status Checkpoint::NoteAnswer(const Answer& answer) {
  content_.answer = answer;
  CheckpointRecord record;
  *record.mutable_answer() = answer;
  return Append(Encode(record), /*sync=*/true);
}

absl::Status Checkpoint::Sync() {
  return unsynced_ ? Append("", /*sync=*/true) : absl::OkStatus();
}

// Opened for each batch: that is how the FileSystem door promises that the operating
// system has it.
absl::Status Checkpoint::Append(std::string_view records, bool sync) {
  sync = sync || clock_.Now() - synced_ >= kSyncInterval;
  if (records.empty() && !(sync && unsynced_)) return absl::OkStatus();
  SKEP_ASSIGN_OR_RETURN(const auto file,
                        fs_.OpenToWrite(path_, FileSystem::IfExists::kAppend));
  if (!records.empty()) SKEP_RETURN_IF_ERROR(file->Append(records));
  if (sync) {
    SKEP_RETURN_IF_ERROR(file->Sync());
    synced_ = clock_.Now();
  }
  unsynced_ = !sync;
  return file->Close();
}

}  // namespace skep

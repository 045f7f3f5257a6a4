#include "master/journal.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "storage/log_record.h"

namespace skep {
namespace {

constexpr std::string_view kPrefix = "journal-";
constexpr std::string_view kMagic = "SKEPJNL2";
constexpr size_t kHeaderBytes = LogRecordHeader::kBytes;

// The term that a file name says; 0 if it is none of ours.
uint64_t TermOf(const std::string& name) {
  uint64_t term = 0;
  if (!name.starts_with(kPrefix) ||
      !absl::SimpleAtoi(name.substr(kPrefix.size()), &term)) {
    return 0;
  }
  return term;
}

// Whether nothing but zeros follows.
absl::StatusOr<bool> EndsInZeros(const ReadableFile& file, uint64_t offset) {
  std::string bytes(64 << 10, '\0');
  while (true) {
    SKEP_ASSIGN_OR_RETURN(const size_t got,
                          file.ReadAt(offset, bytes.size(), bytes.data()));
    if (got == 0) return true;
    const std::string_view read = std::string_view(bytes).substr(0, got);
    if (read.find_first_not_of('\0') != read.npos) return false;
    offset += got;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(FileSystem& fs,
                                                       std::string directory) {
  SKEP_RETURN_IF_ERROR(fs.MakeDirectory(directory));
  SKEP_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> entries, fs.List(directory));
  std::vector<uint64_t> terms;
  for (const DirectoryEntry& entry : entries) {
    if (const uint64_t term = TermOf(entry.name)) terms.push_back(term);
  }
  std::sort(terms.begin(), terms.end());
  std::unique_ptr<Journal> journal(new Journal(fs, std::move(directory)));
  auto path_of = [&](uint64_t term) {
    return JoinPath(journal->directory_,
                    StrCat(kPrefix, absl::StrFormat("%06d", term)));
  };
  for (uint64_t term : terms) journal->earlier_.push_back(path_of(term));
  journal->path_ = path_of(terms.empty() ? 1 : terms.back() + 1);
  return journal;
}

uint64_t Journal::bytes() const {
  uint64_t bytes = 0;
  for (const std::string& path : earlier_) {
    if (const auto info = fs_.Stat(path); info.ok()) bytes += info->size;
  }
  return bytes;
}

absl::Status Journal::Replay(const Play& play) const {
  for (const std::string& path : earlier_) {
    SKEP_RETURN_IF_ERROR(ReplayFile(path, play));
  }
  return absl::OkStatus();
}

absl::Status Journal::ReplayFile(const std::string& path, const Play& play) const {
  SKEP_ASSIGN_OR_RETURN(const FileInfo info, fs_.Stat(path));
  SKEP_ASSIGN_OR_RETURN(const auto file, fs_.OpenToRead(path));
  const auto damaged = [&](uint64_t at, const char* what) {
    return DataLoss(path, ": ", what, " at byte ", at,
                    ". To start without the jobs that it tells of, move ", directory_,
                    " away");
  };
  std::string bytes(std::min<uint64_t>(kMagic.size(), info.size), '\0');
  SKEP_RETURN_IF_ERROR(file->ReadAt(0, bytes.size(), bytes.data()).status());
  uint64_t offset = kMagic.size();
  if (!kMagic.starts_with(bytes)) {
    SKEP_ASSIGN_OR_RETURN(const bool empty, EndsInZeros(*file, 0));
    if (empty) return absl::OkStatus();
    return damaged(0, "this is no journal of this version of skep, or damaged,");
  }
  while (info.size >= offset + kHeaderBytes) {
    char encoded[kHeaderBytes];
    SKEP_RETURN_IF_ERROR(file->ReadAt(offset, kHeaderBytes, encoded).status());
    const LogRecordHeader header = LogRecordHeader::Decode(encoded);
    if (!header.intact) {
      SKEP_ASSIGN_OR_RETURN(const bool end, EndsInZeros(*file, offset));
      if (end) break;
      return damaged(offset, "the head of the record is damaged");
    }
    if (header.size > info.size - offset - kHeaderBytes) break;  // cut short
    bytes.resize(header.size);
    SKEP_RETURN_IF_ERROR(
        file->ReadAt(offset + kHeaderBytes, header.size, bytes.data()).status());
    Event event;
    if (!header.Matches(bytes) || !event.ParseFromString(bytes)) {
      // Its length may have reached the disk before its bytes.
      SKEP_ASSIGN_OR_RETURN(const bool end, EndsInZeros(*file, offset + kHeaderBytes));
      if (end && header.size > 0) break;
      return damaged(offset, "the record is damaged");
    }
    play(std::move(event), absl::FromUnixNanos(header.stamp));
    offset += kHeaderBytes + header.size;
  }
  return absl::OkStatus();
}

absl::Status Journal::ForgetEarlier() {
  for (const std::string& path : earlier_) SKEP_RETURN_IF_ERROR(fs_.RemoveFile(path));
  earlier_.clear();
  return absl::OkStatus();
}

void Journal::ForgetAll() {
  fs_.RemoveFile(path_).IgnoreError();
  ForgetEarlier().IgnoreError();
}

// Opened for each record: that is how the FileSystem door promises that the operating
// system has it, and costs some ten microseconds.
absl::Status Journal::Append(const Event& event, absl::Time time, bool sync) {
  const std::string bytes = event.SerializeAsString();
  if (bytes.size() > kMaxEventBytes) {
    return ResourceExhausted("an event of ", bytes.size(), " bytes; at most ",
                             kMaxEventBytes, " are allowed");
  }
  std::string record(begun_ ? "" : kMagic);
  record += EncodeLogRecord(absl::ToUnixNanos(time), bytes);
  SKEP_ASSIGN_OR_RETURN(const auto file,
                        fs_.OpenToWrite(path_, FileSystem::IfExists::kAppend));
  SKEP_RETURN_IF_ERROR(file->Append(record));
  // The first makes the file's name last too.
  if (sync || !begun_) SKEP_RETURN_IF_ERROR(file->Sync());
  begun_ = true;
  return file->Close();
}

}  // namespace skep

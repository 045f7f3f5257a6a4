#include "tools/client/job_output.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/digest.h"
#include "base/random.h"
#include "base/status.h"

namespace skep {
namespace {

constexpr char kTemporary[] = "_temporary";
constexpr size_t kCopyBytes = 1 << 20;
// Folders of our own are this, or a dot, the file's name and a dot; then random digits.
constexpr std::string_view kOwnFolder = "skep-output-";
constexpr size_t kRandomDigits = 16;

std::string NewToken() {
  return Digest128{SystemRandom64(), SystemRandom64()}.ToString();
}

std::string_view ParentOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

std::string JobOutput::PathOf(const std::string& directory) {
  const size_t name_at = directory.rfind('/') + 1;
  std::string_view name = std::string_view(directory).substr(name_at);
  if (name.size() <= kRandomDigits ||
      name.find_first_not_of("0123456789abcdef", name.size() - kRandomDigits) !=
          name.npos) {
    return directory;
  }
  name.remove_suffix(kRandomDigits);
  if (name == kOwnFolder) return "";
  if (name.size() < 3 || name.front() != '.' || name.back() != '.') return directory;
  name = name.substr(1, name.size() - 2);
  return StrCat(std::string_view(directory).substr(0, name_at), name);
}

absl::StatusOr<std::unique_ptr<JobOutput>> JobOutput::Prepare(
    FileSystem& fs, OutputShape shape, const std::string& path,
    const std::string& working_directory, const std::string& scratch) {
  if (shape == OutputShape::kNone && !path.empty()) {
    return InvalidArgument(
        "this job's answer is printed and it writes no files: leave out --output");
  }
  std::string absolute = path.empty() ? "" : JoinPath(working_directory, path);
  while (absolute.size() > 1 && absolute.back() == '/') absolute.pop_back();
  std::unique_ptr<JobOutput> output(new JobOutput(fs, shape, absolute));
  // The token guards the submitter's input files too, so there always is one.
  output->spec_.set_token(NewToken());
  if (shape == OutputShape::kNone) return output;

  if (absolute.empty()) {
    SKEP_RETURN_IF_ERROR(output->MakeOwnFolder(JoinPath(scratch, kOwnFolder)));
  } else if (shape == OutputShape::kDirectory) {
    SKEP_RETURN_IF_ERROR(output->PrepareDirectory());
  } else {
    const absl::StatusOr<FileInfo> there = fs.Stat(absolute);
    if (there.ok() && there->is_directory) {
      return InvalidArgument(
          "--output ", path,
          " is a directory, and this job writes one file: name a file");
    }
    if (there.ok() && there->is_special) {
      return AlreadyExists("--output ", path,
                           " is a device or a pipe, and would be replaced by a file: "
                           "leave out --output, and send standard output there");
    }
    const std::string parent(ParentOf(absolute));
    if (!fs.Stat(parent).ok()) {
      return NotFound("--output ", path, ": there is no directory ", parent);
    }
    const std::string name = absolute.substr(absolute.rfind('/') + 1);
    SKEP_RETURN_IF_ERROR(
        output->MakeOwnFolder(JoinPath(parent, StrCat(".", name, "."))));
  }
  const std::string temporary = JoinPath(output->spec_.directory(), kTemporary);
  SKEP_RETURN_IF_ERROR(fs.MakeDirectory(temporary));
  SKEP_RETURN_IF_ERROR(
      WriteFileAtomically(fs, JoinPath(temporary, "token"), output->spec_.token()));
  return output;
}

JobOutput::~JobOutput() { Clear(); }

absl::Status JobOutput::PrepareDirectory() {
  const absl::StatusOr<FileInfo> there = fs_.Stat(path_);
  made_ = absl::IsNotFound(there.status());
  if (!made_) {
    SKEP_RETURN_IF_ERROR(there.status());
    if (!there->is_directory) {
      return AlreadyExists("--output ", path_,
                           " is a file, and this job writes a directory: name another");
    }
    SKEP_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> entries, fs_.List(path_));
    if (!entries.empty()) {
      return AlreadyExists("--output ", path_, " is not empty (", entries.size(),
                           " entries, such as '", entries[0].name,
                           "'): name another directory or remove it");
    }
  }
  spec_.set_directory(path_);
  return fs_.MakeDirectory(path_);
}

absl::Status JobOutput::MakeOwnFolder(const std::string& prefix) {
  own_folder_ = true;
  spec_.set_directory(StrCat(prefix, absl::Hex(SystemRandom64(), absl::kZeroPad16)));
  return fs_.MakeDirectory(spec_.directory());
}

absl::Status JobOutput::CopyParts(const std::vector<OutputFile>& parts,
                                  const Sink& sink) {
  std::vector<const OutputFile*> ordered;
  for (const OutputFile& part : parts) ordered.push_back(&part);
  std::sort(ordered.begin(), ordered.end(), [](const auto* a, const auto* b) {
    // part-99999 comes before part-100000.
    return std::pair(a->name().size(), a->name()) <
           std::pair(b->name().size(), b->name());
  });
  std::string buffer;
  for (const OutputFile* part : ordered) {
    const std::string path = JoinPath(spec_.directory(), part->name());
    SKEP_ASSIGN_OR_RETURN(const auto file, fs_.OpenToRead(path));
    uint64_t offset = 0;
    while (true) {
      buffer.resize(kCopyBytes);
      SKEP_ASSIGN_OR_RETURN(const size_t got,
                            file->ReadAt(offset, buffer.size(), buffer.data()));
      if (got == 0) break;
      SKEP_RETURN_IF_ERROR(sink(std::string_view(buffer).substr(0, got)));
      offset += got;
    }
    if (offset != part->bytes()) {
      return DataLoss(path, " has ", offset, " bytes where the job wrote ",
                      part->bytes());
    }
  }
  return absl::OkStatus();
}

absl::Status JobOutput::AssembleFile(const std::vector<OutputFile>& parts) {
  const std::string whole = JoinPath(spec_.directory(), "whole");
  SKEP_ASSIGN_OR_RETURN(const auto file, fs_.OpenToWrite(whole));
  SKEP_RETURN_IF_ERROR(CopyParts(
      parts, [&file](std::string_view bytes) { return file->Append(bytes); }));
  SKEP_RETURN_IF_ERROR(file->Sync());
  SKEP_RETURN_IF_ERROR(file->Close());
  return fs_.Rename(whole, path_);
}

absl::Status JobOutput::Finish(const std::vector<OutputFile>& parts,
                               const Sink& terminal) {
  if (to_terminal()) {
    SKEP_RETURN_IF_ERROR(CopyParts(parts, terminal));
  } else if (shape_ == OutputShape::kFile) {
    SKEP_RETURN_IF_ERROR(AssembleFile(parts));
  }
  finished_ = true;
  return absl::OkStatus();
}

void JobOutput::Clear() {
  if (spec_.directory().empty()) return;
  if (own_folder_) {
    // The job's parts have been copied, or nobody will want them.
    fs_.RemoveAll(spec_.directory()).IgnoreError();
    return;
  }
  if (finished_) return;
  // The directory was empty when the job began, so part files are the job's.
  const auto entries = fs_.List(spec_.directory());
  if (!entries.ok()) return;
  bool others = false;
  for (const DirectoryEntry& entry : *entries) {
    if (entry.name == kTemporary || entry.name.starts_with("part-") ||
        entry.name == "_SUCCESS") {
      fs_.RemoveAll(JoinPath(spec_.directory(), entry.name)).IgnoreError();
    } else {
      others = true;
    }
  }
  if (made_ && !others) fs_.RemoveAll(spec_.directory()).IgnoreError();
}

}  // namespace skep

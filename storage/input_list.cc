#include "storage/input_list.h"

#include <utility>

#include "base/status.h"
#include "storage/glob.h"
#include "storage/input_file.h"

namespace skep {
namespace {

// Without "//" and "/./", which are only noise in messages. ".." stays: what it means
// depends on links.
std::string TidyPath(std::string_view path) {
  std::string tidy;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    if (!part.empty() && part != ".") {
      tidy += '/';
      tidy += part;
    }
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return tidy.empty() ? "/" : tidy;
}

class Lister {
 public:
  Lister(FileSystem& fs, const std::string& working_directory)
      : fs_(fs), working_directory_(working_directory) {}

  absl::Status AddArgument(const std::string& argument) {
    if (argument.empty()) return InvalidArgument("an input has an empty name");
    const auto info = fs_.Stat(PathOf(argument));
    if (info.ok()) return AddFileOrDirectory(argument, info->is_directory);
    if (!absl::IsNotFound(info.status())) return About(argument, info.status());
    if (!IsGlob(argument)) return NotFound(argument, ": no such file or directory");

    SKEP_ASSIGN_OR_RETURN(const auto matches,
                          ExpandGlob(fs_, working_directory_, argument));
    if (matches.empty()) return NotFound(argument, ": no file matches this pattern");
    for (const std::string& match : matches) {
      const auto match_info = fs_.Stat(PathOf(match));
      if (!match_info.ok()) return About(match, match_info.status());
      SKEP_RETURN_IF_ERROR(AddFileOrDirectory(match, match_info->is_directory));
    }
    return absl::OkStatus();
  }

  std::vector<InputFile> Take() { return std::move(files_); }

  void TellSkipped(std::vector<std::string>* warnings) const {
    warnings->insert(warnings->end(), skipped_.begin(), skipped_.end());
    if (const size_t more = skipped_count_ - skipped_.size(); more > 0) {
      warnings->push_back(StrCat("and ", more, " more of such links"));
    }
  }

 private:
  std::string PathOf(const std::string& name) const {
    return TidyPath(JoinPath(working_directory_, name));
  }

  // The user knows the file by the name that was given, so that comes first.
  static absl::Status About(const std::string& name, const absl::Status& status) {
    if (absl::IsNotFound(status)) return NotFound(name, ": no such file or directory");
    if (Message(status).starts_with(name)) return status;
    return Annotate(status, name);
  }

  absl::Status AddFileOrDirectory(const std::string& name, bool is_directory) {
    if (!is_directory) return AddFile(name);
    const size_t before = files_.size();
    SKEP_RETURN_IF_ERROR(AddDirectory(name));
    if (files_.size() > before) return absl::OkStatus();
    return NotFound(name,
                    ": the directory has no files in it (hidden ones are skipped)");
  }

  absl::Status AddFile(const std::string& name) {
    if (files_.size() == kMaxInputFiles) {
      return InvalidArgument("more than ", kMaxInputFiles, " input files: put small ",
                             "files together, or run the job on a part of them");
    }
    auto file = DescribeInputFile(fs_, PathOf(name), name);
    if (!file.ok()) return About(name, file.status());
    files_.push_back(*std::move(file));
    return absl::OkStatus();
  }

  absl::Status AddDirectory(const std::string& name) {
    const auto entries = fs_.List(PathOf(name));
    if (!entries.ok()) return About(name, entries.status());
    for (const DirectoryEntry& entry : *entries) {
      if (entry.name.starts_with('.')) continue;
      SKEP_RETURN_IF_ERROR(AddEntry(JoinPath(name, entry.name), entry));
    }
    return absl::OkStatus();
  }

  absl::Status AddEntry(const std::string& name, const DirectoryEntry& entry) {
    if (entry.is_directory) {
      return entry.is_link ? absl::OkStatus() : AddDirectory(name);
    }
    const auto info = fs_.Stat(PathOf(name));
    if (!info.ok()) {
      // A link that leads to itself stands for no data; one that leads nowhere may
      // stand for data that is missing, but is no reason to do nothing.
      if (entry.is_link && absl::IsInvalidArgument(info.status())) {
        return absl::OkStatus();
      }
      if (entry.is_link && absl::IsNotFound(info.status())) {
        Skip(StrCat(name, ": a link to a file that does not exist: left out"));
        return absl::OkStatus();
      }
      return About(name, info.status());
    }
    return info->is_special ? absl::OkStatus() : AddFile(name);
  }

  void Skip(std::string warning) {
    ++skipped_count_;
    if (skipped_.size() + 1 < kMaxInputWarnings) skipped_.push_back(std::move(warning));
  }

  FileSystem& fs_;
  const std::string& working_directory_;
  std::vector<InputFile> files_;
  std::vector<std::string> skipped_;  // the first of them
  size_t skipped_count_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<InputFile>> ListInputs(
    FileSystem& fs, const std::string& working_directory,
    const std::vector<std::string>& arguments, std::vector<std::string>* warnings) {
  if (arguments.empty()) return InvalidArgument("no input: name files or directories");
  Lister lister(fs, working_directory);
  for (const std::string& argument : arguments) {
    SKEP_RETURN_IF_ERROR(lister.AddArgument(argument));
  }
  if (warnings != nullptr) lister.TellSkipped(warnings);
  return lister.Take();
}

}  // namespace skep

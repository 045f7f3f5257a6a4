#include "worker/output_store.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "base/status.h"
#include "worker/task_environment.h"

namespace skep {
namespace {

constexpr uint64_t kMaxTokenBytes = 4096;

class Direct final : public OutputStore {
 public:
  Direct(FileSystem& fs, std::string directory)
      : fs_(fs), directory_(std::move(directory)) {}

  absl::StatusOr<std::unique_ptr<WritableFile>> Create(
      const std::string& name) override {
    SKEP_ASSIGN_OR_RETURN(const std::string path, WithParent(name));
    return fs_.OpenToWrite(path);
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    SKEP_ASSIGN_OR_RETURN(const std::string target, WithParent(to));
    const absl::Status status = fs_.Rename(JoinPath(directory_, from), target);
    if (absl::IsNotFound(status) && fs_.Stat(target).ok()) return absl::OkStatus();
    return status;
  }

  absl::Status Remove(const std::string& name) override {
    return fs_.RemoveAll(JoinPath(directory_, name));
  }

 private:
  absl::StatusOr<std::string> WithParent(const std::string& name) {
    const std::string path = JoinPath(directory_, name);
    SKEP_RETURN_IF_ERROR(fs_.MakeDirectory(path.substr(0, path.rfind('/'))));
    return path;
  }

  FileSystem& fs_;
  const std::string directory_;
};

}  // namespace

std::unique_ptr<OutputStore> DirectOutput(FileSystem& fs, std::string directory) {
  return std::make_unique<Direct>(fs, std::move(directory));
}

absl::StatusOr<std::unique_ptr<OutputStore>> OpenOutput(FileSystem& fs,
                                                        SubmitterFiles& submitter,
                                                        const JobContext& job,
                                                        const std::string& host,
                                                        std::stop_token stop) {
  const std::string& directory = job.output().directory();
  const absl::StatusOr<std::string> token =
      ReadFile(fs, JoinPath(directory, "_temporary/token"), kMaxTokenBytes);
  if (token.ok() && *token == job.output().token()) return DirectOutput(fs, directory);
  if (!job.submitter_address().empty()) return submitter.Output(job, stop);
  return NotFound("host ", host, " does not share the output directory ", directory,
                  " of ", job.submitter_host(),
                  ", and the job was submitted detached; share it or stay attached");
}

std::string PartName(uint32_t task) { return absl::StrFormat("part-%05d", task); }

std::string AttemptPartName(const OutputFile& part) {
  return absl::StrFormat("_temporary/attempts/%s.%d.e%d", part.name(), part.attempt(),
                         part.epoch());
}

}  // namespace skep

// Where a job's output goes: prepared before it is submitted, made whole after it has
// succeeded, cleared away when it has not.
//
//   --output DIR      part files in DIR, which must be new or empty
//   --output FILE     for jobs whose output is one file: the parts in order
//   neither           the parts in order on stdout
// In the last two the parts are gathered in a folder of our own and appear only when
// the job has succeeded, so that nothing partial looks whole.

#ifndef SKEP_TOOLS_CLIENT_JOB_OUTPUT_H_
#define SKEP_TOOLS_CLIENT_JOB_OUTPUT_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "jobs/api/job.h"
#include "jobs/api/task.pb.h"
#include "storage/file_system.h"

namespace skep {

class JobOutput {
 public:
  // Takes bytes for the terminal; an error ends the copying.
  using Sink = std::function<absl::Status(std::string_view)>;

  // What the user calls the output that a job has in an OutputSpec's `directory`: the
  // directory, or the file that its submitter puts together; "": it is for the
  // submitter's standard output.
  static std::string PathOf(const std::string& directory);

  // Makes the directory and its token. `path` is --output, or empty; a relative one
  // starts at `working_directory`. `scratch` is where folders of our own may be made.
  // AlreadyExists: the directory is not empty; NotFound: its parent is not there;
  // InvalidArgument: this job writes no files, or the path cannot be one.
  static absl::StatusOr<std::unique_ptr<JobOutput>> Prepare(
      FileSystem& fs, OutputShape shape, const std::string& path,
      const std::string& working_directory, const std::string& scratch);

  // Removes what is still temporary; everything that was made, unless Finish was Ok.
  ~JobOutput();

  // As it goes into the JobSpec.
  const OutputSpec& spec() const { return spec_; }
  // What the user will find the output at; empty: it goes to the terminal, or there is
  // none.
  const std::string& path() const { return path_; }
  bool to_terminal() const { return shape_ != OutputShape::kNone && path_.empty(); }

  // The job has succeeded and published `parts`: puts them where they belong.
  // DataLoss: a part is not of the size that the job reported.
  absl::Status Finish(const std::vector<OutputFile>& parts, const Sink& terminal);
  // The job goes on without us (--detach): nothing is cleared away.
  void Leave() { finished_ = true; }

 private:
  JobOutput(FileSystem& fs, OutputShape shape, std::string path)
      : fs_(fs), shape_(shape), path_(std::move(path)) {}
  absl::Status PrepareDirectory();
  absl::Status MakeOwnFolder(const std::string& prefix);
  absl::Status CopyParts(const std::vector<OutputFile>& parts, const Sink& sink);
  absl::Status AssembleFile(const std::vector<OutputFile>& parts);
  void Clear();

  FileSystem& fs_;
  const OutputShape shape_;
  std::string path_;
  OutputSpec spec_;
  bool own_folder_ = false;  // spec_.directory is ours and goes in the end
  bool made_ = false;        // the user's directory was not there before
  bool finished_ = false;
};

}  // namespace skep

#endif  // SKEP_TOOLS_CLIENT_JOB_OUTPUT_H_

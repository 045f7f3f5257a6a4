#include "tools/client/session.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <utility>

#include "base/random.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "rpc/server.h"
#include "tools/client/file_server.h"
#include "tools/client/job_output.h"
#include "tools/client/progress.h"
#include "tools/client/result.h"
#include "tools/exit_code.h"
#include "tools/scratch.h"
#include "tools/signals.h"

namespace skep {
namespace {

// Enough to keep a disk and a network busy; the handlers only wait for those.
constexpr int kFileThreads = 4;
constexpr absl::Duration kFileServerGrace = absl::Seconds(1);

void WriteError(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

class Session {
 public:
  Session(JobClient& jobs, Transport& transport, FileSystem& fs,
          const JobRequest& request, const SessionOptions& options)
      : jobs_(jobs),
        transport_(transport),
        fs_(fs),
        request_(request),
        options_(options) {}

  absl::Status Prepare();
  int SubmitAndWait();

 private:
  absl::Status CheckOutput(OutputShape shape) const;
  absl::Status CheckFree(OutputShape shape, const std::string& working_directory) const;
  absl::Status ServeFiles();
  absl::StatusOr<JobStatus> WatchUntilFinal(uint64_t id);
  int Present(const JobStatus& status, absl::Duration took);

  JobClient& jobs_;
  Transport& transport_;
  FileSystem& fs_;
  const JobRequest& request_;
  const SessionOptions& options_;

  PreparedJob prepared_;
  std::unique_ptr<JobOutput> output_;
  // In the order in which they are needed: the server goes first.
  std::unique_ptr<FileServer> file_server_;
  std::unique_ptr<ThreadPool> file_pool_;
  ServiceTable services_;
  std::unique_ptr<Server> server_;
};

absl::Status Session::CheckOutput(OutputShape shape) const {
  if (shape == OutputShape::kNone || !options_.output.empty()) {
    if (options_.detach && shape == OutputShape::kFile) {
      return InvalidArgument(
          "--detach: the file is put together here when the job ends; "
          "leave out --detach");
    }
    return absl::OkStatus();
  }
  if (options_.detach) return InvalidArgument("--detach wants --output DIR");
  if (options_.json) {
    return InvalidArgument(
        "--json wants --output: this job's output would go to the "
        "terminal too");
  }
  return absl::OkStatus();
}

// A file is replaced when the job ends; that must be wanted.
absl::Status Session::CheckFree(OutputShape shape,
                                const std::string& working_directory) const {
  if (shape != OutputShape::kFile || options_.output.empty() || options_.force) {
    return absl::OkStatus();
  }
  const auto there = fs_.Stat(JoinPath(working_directory, options_.output));
  if (!there.ok() || there->is_directory || there->is_special) {
    return absl::OkStatus();
  }
  return AlreadyExists("--output ", options_.output, " exists (", there->size,
                       " bytes): name another file, or replace it with --force");
}

absl::Status Session::Prepare() {
  const OutputShape shape = request_.job->output(request_.options);
  SKEP_RETURN_IF_ERROR(CheckOutput(shape));
  std::error_code error;
  const std::string working_directory = std::filesystem::current_path(error).string();
  if (error) return NotFound("the working directory is gone: change to another");

  SKEP_ASSIGN_OR_RETURN(prepared_, PrepareJob(fs_, request_, working_directory,
                                              ScratchDirectory(), STDIN_FILENO));
  if (options_.detach && prepared_.standard_input != nullptr) {
    return InvalidArgument(
        "--detach: standard input is kept here while the job runs; "
        "name a file that the workers can read");
  }
  SKEP_RETURN_IF_ERROR(CheckFree(shape, working_directory));
  SKEP_ASSIGN_OR_RETURN(
      output_, JobOutput::Prepare(fs_, shape, options_.output, working_directory,
                                  ScratchDirectory()));
  JobSpec& spec = prepared_.spec;
  *spec.mutable_output() = output_->spec();
  spec.set_binary_digest(options_.binary_digest);
  spec.set_submitter_host(HostName());
  spec.set_user(UserName());
  spec.set_submission(StrCat(absl::Hex(SystemRandom64(), absl::kZeroPad16)));
  return options_.detach ? absl::OkStatus() : ServeFiles();
}

absl::Status Session::ServeFiles() {
  file_server_ = std::make_unique<FileServer>(fs_, prepared_.spec);
  file_pool_ = std::make_unique<ThreadPool>("files", kFileThreads);
  services_.Add(file_server_.get(), ServiceTable::Run::kPool);
  ServerOptions options;
  options.pool = file_pool_.get();
  auto listening = Server::Listen(transport_, options_.listen, services_, options);
  if (!listening.ok()) return EndsWith(kUnavailable, listening.status());
  server_ = *std::move(listening);
  prepared_.spec.set_submitter_address(server_->address().ToString());
  return absl::OkStatus();
}

int Session::SubmitAndWait() {
  const std::string announcement = request_.job->announcement(request_.options);
  if (!announcement.empty() && !options_.quiet) {
    WriteError(StrCat("skep: ", announcement, "\n"));
  }
  const absl::Time start = absl::Now();
  const absl::StatusOr<uint64_t> id = jobs_.Submit(prepared_.spec);
  // A master that takes no more jobs, or not so large a one, has no trouble with files.
  if (absl::IsResourceExhausted(id.status())) {
    return ReportError(EndsWith(kJobFailed, id.status()));
  }
  if (!id.ok()) return ReportError(id.status());
  if (options_.detach) {
    output_->Leave();
    std::printf("%llu\n", static_cast<unsigned long long>(*id));
    return kOk;
  }
  const absl::StatusOr<JobStatus> status = WatchUntilFinal(*id);
  if (server_ != nullptr) server_->Shutdown(kFileServerGrace);
  if (!status.ok()) {
    // The job may still run, or have published: then its output is not ours to delete.
    output_->Leave();
    return ReportError(status.status());
  }
  return Present(*status, absl::Now() - start);
}

absl::StatusOr<JobStatus> Session::WatchUntilFinal(uint64_t id) {
  auto style =
      isatty(STDERR_FILENO) ? Progress::Style::kTerminal : Progress::Style::kLines;
  if (options_.quiet) style = Progress::Style::kNone;
  Progress progress(style, absl::Now(), WriteError, options_.tell_waiting);
  StopSignal stop([this, id] {
    WriteError("\nskep: cancelling the job; Ctrl-C again to quit at once\n");
    // By now another job may have this id: see JobSpec.submission.
    const auto job = jobs_.Status(id);
    if (job.ok() && job->submission() != prepared_.spec.submission()) return;
    const absl::Status status = jobs_.Cancel(id, "cancelled by its submitter");
    if (!status.ok()) ReportError(status);
  });
  auto status = jobs_.Watch(
      id, prepared_.spec.submission(),
      [&progress](const JobStatus& now) { progress.Update(now, absl::Now()); },
      [](const std::string& trouble) { WriteError(StrCat("skep: ", trouble, "\n")); });
  progress.End();
  return status;
}

int Session::Present(const JobStatus& status, absl::Duration took) {
  for (const std::string& warning : status.warnings()) {
    WriteError(StrCat("skep: warning: ", warning, "\n"));
  }
  for (const std::string& note : status.answer().notes()) {
    WriteError(StrCat("skep: ", note, "\n"));
  }
  StandardOutput out;
  const auto write = [&out](std::string_view bytes) { return out.Write(bytes); };
  absl::Status error = JobError(status);
  if (error.ok()) {
    std::vector<OutputFile> parts(status.output().begin(), status.output().end());
    error = output_->Finish(parts, write);
    if (!error.ok()) return ReportError(error);
  }
  if (options_.json) {
    error = out.Write(StrCat(JobJson(status, output_->path(), took), "\n"));
  } else if (error.ok() && !output_->to_terminal() && !status.answer().text().empty()) {
    const std::string& text = status.answer().text();
    error = out.Write(text.back() == '\n' ? text : StrCat(text, "\n"));
  }
  if (status.state() == JOB_CANCELLED) {
    WriteError(
        StrCat("skep: job ", status.id(), " ", status.name(), " was cancelled\n"));
    return kCancelled;
  }
  if (status.state() != JOB_SUCCEEDED) {
    WriteError(StrCat("skep: job ", status.id(), " ", status.name(),
                      " failed: ", Message(JobError(status)), "\n"));
    return kJobFailed;
  }
  if (!error.ok()) return ReportError(error);
  if (!options_.quiet) WriteError(StrCat("skep: ", SummaryLine(status, took), "\n"));
  return status.answer().negative() ? kJobFailed : kOk;
}

}  // namespace

int ReportError(const absl::Status& status) {
  WriteError(StrCat("skep: ", Message(status), "\n"));
  return ExitCodeOf(status);
}

int RunSession(JobClient& jobs, Transport& transport, FileSystem& fs,
               const JobRequest& request, const SessionOptions& options) {
  Session session(jobs, transport, fs, request, options);
  const absl::Status prepared = session.Prepare();
  if (!prepared.ok()) return ReportError(prepared);
  return session.SubmitAndWait();
}

}  // namespace skep

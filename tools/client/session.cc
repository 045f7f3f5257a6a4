#include "tools/client/session.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/plural.h"
#include "base/random.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "rpc/server.h"
#include "tools/client/checkpoint.h"
#include "tools/client/file_server.h"
#include "tools/client/job_output.h"
#include "tools/client/job_watch.h"
#include "tools/client/result.h"
#include "tools/exit_code.h"
#include "tools/scratch.h"
#include "tools/signals.h"
#include "tools/standard_error.h"

namespace skep {
namespace {

// Enough to keep a disk and a network busy; the handlers only wait for those.
constexpr int kFileThreads = 4;
constexpr absl::Duration kFileServerGrace = absl::Seconds(1);

// Prints the outcome of a job, of `output` if that is there; returns the exit code.
int Present(const JobStatus& status, JobOutput* output, bool json, bool quiet,
            absl::Duration took);

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
  absl::StatusOr<JobStatus> SubmitAndWatch();
  // Cancels the job, now or as soon as it is submitted. From any thread.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Status CheckOutput(OutputShape shape) const;
  absl::Status CheckFree(OutputShape shape, const std::string& working_directory) const;
  absl::Status ServeFiles();
  absl::Status OpenCheckpoint();
  absl::Status TakeFinished();
  absl::StatusOr<std::optional<uint64_t>> FindEarlier();
  absl::Status TakeOver(uint64_t id);
  absl::StatusOr<uint64_t> SubmitOrFind();
  absl::StatusOr<JobStatus> WatchUntilFinal(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  void CancelJob(uint64_t id, JobWatch& watch);
  void TellCheckpoint(std::string_view partial, bool resumed) const;
  void KeepAnswer(const JobStatus& status);

  JobClient& jobs_;
  Transport& transport_;
  FileSystem& fs_;
  const JobRequest& request_;
  const SessionOptions& options_;

  PreparedJob prepared_;
  std::unique_ptr<JobOutput> output_;
  std::unique_ptr<Checkpoint> checkpoint_;  // null: none
  // In the order in which they are needed: the server goes first.
  std::unique_ptr<FileServer> file_server_;
  std::unique_ptr<ThreadPool> file_pool_;
  ServiceTable services_;
  std::unique_ptr<Server> server_;

  Mutex mutex_;
  JobWatch* watch_ ABSL_GUARDED_BY(mutex_) = nullptr;  // while the job runs
  uint64_t watched_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

absl::Status Session::CheckOutput(OutputShape shape) const {
  if (options_.detach && options_.json) {
    return InvalidArgument(
        "--detach prints the job's id and no result: leave out --json, and give it to "
        "skep wait");
  }
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
  if (!options_.checkpoint.empty()) SKEP_RETURN_IF_ERROR(OpenCheckpoint());
  spec.set_keep_outcomes(checkpoint_ != nullptr || request_.job->has_partial());
  return options_.detach ? absl::OkStatus() : ServeFiles();
}

absl::Status Session::OpenCheckpoint() {
  if (options_.detach) {
    return InvalidArgument(
        "--detach: nobody stays to keep what is done in a --checkpoint; the fleet "
        "keeps it itself (skep master --journal), and skep wait finds the job again");
  }
  if (prepared_.standard_input != nullptr) {
    return InvalidArgument(
        "--checkpoint wants inputs that will be the same again: a "
        "file, not standard input");
  }
  SKEP_ASSIGN_OR_RETURN(checkpoint_,
                        Checkpoint::Open(fs_, options_.checkpoint, prepared_.spec));
  return TakeFinished();
}

// What the checkpoint holds need not be done again.
absl::Status Session::TakeFinished() {
  // With the spec it travels in one message.
  constexpr size_t kMaxBytes = size_t{60} << 20;
  JobSpec& spec = prepared_.spec;
  spec.clear_finished();
  for (const auto& [key, task] : checkpoint_->finished()) *spec.add_finished() = task;
  if (const size_t bytes = spec.ByteSizeLong(); bytes > kMaxBytes) {
    return ResourceExhausted("what ", options_.checkpoint, " holds makes a job of ",
                             bytes, " bytes; at most ", kMaxBytes, " can be sent");
  }
  return absl::OkStatus();
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

// What a job has come to that is still running, into the checkpoint and the spec.
absl::Status Session::TakeOver(uint64_t id) {
  JobWatch watch(jobs_, request_.job, checkpoint_.get(), {.quiet = true});
  // What cannot be had now would be lost with the job.
  if (const absl::Status all = watch.Collect(id); !all.ok()) {
    return Annotate(all, StrCat("job ", id, ", which this command began earlier, goes ",
                                "on: what its tasks came to cannot be fetched"));
  }
  SKEP_RETURN_IF_ERROR(jobs_.Cancel(id, "submitted again"));
  // While it was being cancelled, more may have ended; the rest is run again.
  watch.Collect(id).IgnoreError();
  return TakeFinished();
}

// The job that an earlier session with this checkpoint submitted, if the master still
// has it. One that wants its submitter's files cannot be joined: what it has come to is
// taken over, and it is cancelled.
absl::StatusOr<std::optional<uint64_t>> Session::FindEarlier() {
  const std::string& submission = checkpoint_->submission();
  if (submission.empty() || !options_.find_earlier) return std::nullopt;
  SKEP_ASSIGN_OR_RETURN(const std::vector<JobStatus> jobs, jobs_.List());
  for (const JobStatus& job : jobs) {
    if (job.submission() != submission) continue;
    if (job.state() == JOB_FAILED || job.state() == JOB_CANCELLED) continue;
    if (prepared_.spec.splits().empty() || job.state() == JOB_SUCCEEDED) {
      return job.id();
    }
    SKEP_RETURN_IF_ERROR(TakeOver(job.id()));
  }
  return std::nullopt;
}

absl::StatusOr<uint64_t> Session::SubmitOrFind() {
  if (StopRequested()) return Cancelled("stopped before the job was submitted");
  if (checkpoint_ == nullptr) return jobs_.Submit(prepared_.spec);
  SKEP_ASSIGN_OR_RETURN(const std::optional<uint64_t> earlier, FindEarlier());
  if (earlier) {
    prepared_.spec.set_submission(checkpoint_->submission());
    if (!options_.quiet) {
      WriteError(StrCat("skep: the master still has it, as job ", *earlier, "\n"));
    }
    return *earlier;
  }
  // Before it is submitted: if we die in between, it is just not found.
  SKEP_RETURN_IF_ERROR(checkpoint_->NoteSubmission(prepared_.spec.submission()));
  return jobs_.Submit(prepared_.spec);
}

int Session::SubmitAndWait() {
  const absl::Time start = absl::Now();
  if (checkpoint_ != nullptr && checkpoint_->answer()) {
    if (!options_.quiet) {
      WriteError(StrCat("skep: the answer is in ", checkpoint_->path(), " already\n"));
    }
    JobStatus status;
    status.set_name(request_.job->name());
    status.set_state(JOB_SUCCEEDED);
    *status.mutable_answer() = *checkpoint_->answer();
    return Present(status, output_.get(), options_.json, options_.quiet,
                   absl::Now() - start);
  }
  const std::string announcement = request_.job->announcement(request_.options);
  if (!announcement.empty() && !options_.quiet) {
    WriteError(StrCat("skep: ", announcement, "\n"));
  }
  const absl::StatusOr<uint64_t> id = SubmitOrFind();
  // A master that takes no more jobs, or not so large a one, has no trouble with files.
  if (absl::IsResourceExhausted(id.status())) {
    return ReportError(EndsWith(kJobFailed, id.status()));
  }
  if (!id.ok()) return ReportError(id.status());
  if (options_.detach) {
    if (StopRequested()) {
      // Its id would go to nobody.
      const absl::Status cancelled = jobs_.Cancel(*id, "cancelled by its submitter");
      if (!cancelled.ok()) return ReportError(cancelled);
      return ReportError(Cancelled("job ", *id, " was cancelled"));
    }
    output_->Leave();
    for (const std::string& warning : prepared_.warnings) {
      WriteError(StrCat("skep: warning: ", warning, "\n"));
    }
    std::printf("%llu\n", static_cast<unsigned long long>(*id));
    return kOk;
  }
  absl::StatusOr<JobStatus> status = WatchUntilFinal(*id);
  if (server_ != nullptr) server_->Shutdown(kFileServerGrace);
  if (!status.ok()) {
    // The job may still run, or have published: then its output is not ours to delete.
    output_->Leave();
    return ReportError(status.status());
  }
  KeepAnswer(*status);
  for (const std::string& warning : prepared_.warnings) status->add_warnings(warning);
  return Present(*status, output_.get(), options_.json, options_.quiet,
                 absl::Now() - start);
}

absl::StatusOr<JobStatus> Session::WatchUntilFinal(uint64_t id) {
  JobWatch watch(jobs_, request_.job, checkpoint_.get(),
                 {.quiet = options_.quiet,
                  .tell_waiting = options_.tell_waiting,
                  .outcomes = prepared_.spec.keep_outcomes()});
  if (prepared_.spec.finished_size() > 0) TellCheckpoint(watch.Partial(), true);
  {
    MutexLock lock(mutex_);
    watch_ = &watch;
    watched_ = id;
    if (stopping_) CancelJob(id, watch);
  }
  absl::StatusOr<JobStatus> status = watch.UntilFinal(id, prepared_.spec.submission());
  {
    MutexLock lock(mutex_);
    watch_ = nullptr;
  }
  if (checkpoint_ != nullptr && (!status.ok() || status->state() != JOB_SUCCEEDED)) {
    TellCheckpoint(watch.Partial(), false);
  }
  return status;
}

void Session::Stop() {
  MutexLock lock(mutex_);
  stopping_ = true;
  WriteError(StrCat("\nskep: ", watch_ == nullptr ? "stopping" : "cancelling the job",
                    "; Ctrl-C again to quit at once\n"));
  if (watch_ != nullptr) CancelJob(watched_, *watch_);
}

void Session::CancelJob(uint64_t id, JobWatch& watch) {
  // By now another job may have this id: see JobSpec.submission.
  const auto job = jobs_.Status(id);
  if (job.ok() && job->submission() != prepared_.spec.submission()) return;
  if (prepared_.spec.keep_outcomes()) watch.Collect(id).IgnoreError();
  const absl::Status status = jobs_.Cancel(id, "cancelled by its submitter");
  if (!status.ok()) ReportError(status);
}

absl::StatusOr<JobStatus> Session::SubmitAndWatch() {
  SKEP_ASSIGN_OR_RETURN(const uint64_t id, SubmitOrFind());
  absl::StatusOr<JobStatus> status = WatchUntilFinal(id);
  if (server_ != nullptr) server_->Shutdown(kFileServerGrace);
  if (status.ok()) SKEP_RETURN_IF_ERROR(JobError(*status));
  return status;
}

// What is done already, at the start, or so far, at an end that is none.
void Session::TellCheckpoint(std::string_view partial, bool resumed) const {
  const size_t tasks = checkpoint_->finished().size();
  if (tasks == 0 || (resumed && options_.quiet)) return;
  WriteError(StrCat("skep: ", checkpoint_->path(), resumed ? " has " : " keeps ",
                    Counted(tasks, "task"), partial.empty() ? "" : ": ", partial,
                    resumed ? "" : "; the same command goes on from there", "\n"));
  if (resumed && checkpoint_->dropped() > 0) {
    WriteError(StrCat("skep: its last ", checkpoint_->dropped(),
                      " bytes were damaged and are left out\n"));
  }
}

void Session::KeepAnswer(const JobStatus& status) {
  if (checkpoint_ == nullptr || status.state() != JOB_SUCCEEDED) return;
  const absl::Status kept = checkpoint_->NoteAnswer(status.answer());
  if (!kept.ok()) WriteError(StrCat("skep: warning: ", Message(kept), "\n"));
}

int Present(const JobStatus& status, JobOutput* output, bool json, bool quiet,
            absl::Duration took) {
  for (const std::string& warning : status.warnings()) {
    WriteError(StrCat("skep: warning: ", warning, "\n"));
  }
  for (const std::string& note : status.answer().notes()) {
    WriteError(StrCat("skep: ", note, "\n"));
  }
  StandardOutput out;
  const auto write = [&out](std::string_view bytes) {
    return StopRequested() ? Cancelled("stopped while writing the output")
                           : out.Write(bytes);
  };
  const bool to_terminal = output != nullptr && output->to_terminal();
  absl::Status error = JobError(status);
  if (error.ok() && output != nullptr) {
    std::vector<OutputFile> parts(status.output().begin(), status.output().end());
    error = output->Finish(parts, write);
    if (!error.ok()) return ReportError(error);
  }
  if (json) {
    const std::string path = output != nullptr
                                 ? output->path()
                                 : JobOutput::PathOf(status.output_directory());
    error = out.Write(StrCat(JobJson(status, path, took), "\n"));
  } else if (error.ok() && !to_terminal && !status.answer().text().empty()) {
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
  // An answer that was in a checkpoint has no job.
  if (!quiet && status.id() != 0) {
    // Who waits for another's job did not say where.
    const std::string where = output == nullptr ? OutputText(status) : "";
    if (!where.empty()) WriteError(StrCat("skep: its output: ", where, "\n"));
    WriteError(StrCat("skep: ", SummaryLine(status, took), "\n"));
  }
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
  const StopSignal stop([&session] { session.Stop(); });
  const absl::Status prepared = session.Prepare();
  if (!prepared.ok()) return ReportError(prepared);
  return session.SubmitAndWait();
}

absl::StatusOr<JobStatus> RunSilently(JobClient& jobs, Transport& transport,
                                      FileSystem& fs, const JobRequest& request,
                                      SessionOptions options) {
  options.quiet = true;
  Session session(jobs, transport, fs, request, options);
  const StopSignal stop([&session] { session.Stop(); });
  SKEP_RETURN_IF_ERROR(session.Prepare());
  return session.SubmitAndWatch();
}

int RunWaiting(JobClient& jobs, const JobTable& table, uint64_t id, bool json,
               bool quiet) {
  const absl::StatusOr<JobStatus> now = jobs.Status(id);
  if (absl::IsNotFound(now.status())) {
    return ReportError(EndsWith(kJobFailed, now.status()));
  }
  if (!now.ok()) return ReportError(now.status());
  JobWatch watch(jobs, table.Find(now->name()), /*checkpoint=*/nullptr,
                 {.quiet = quiet, .tell_waiting = true, .outcomes = true});
  const absl::StatusOr<JobStatus> status = watch.UntilFinal(id, now->submission());
  if (!status.ok()) return ReportError(status.status());
  return Present(*status, nullptr, json, quiet, TimeTaken(*status, absl::Now()));
}

}  // namespace skep

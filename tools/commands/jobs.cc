// `skep jobs`, `skep status ID`, `skep wait ID`, `skep cancel ID`: questions to a
// master.

#include <charconv>
#include <cstdio>
#include <memory>

#include "base/status.h"
#include "jobs/job_table.h"
#include "tools/client/progress.h"
#include "tools/client/result.h"
#include "tools/client/session.h"
#include "tools/commands/commands.h"
#include "tools/commands/master_flag.h"
#include "tools/exit_code.h"
#include "tools/standard_error.h"

namespace skep {
namespace {

absl::StatusOr<uint64_t> ParseJobId(const std::string& text) {
  uint64_t id = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, id);
  if (error != std::errc() || stop != end || id == 0) {
    return InvalidArgument("'", text, "' is not a job's id: see skep jobs");
  }
  return id;
}

std::string Json(const JobStatus& job) {
  return JobJson(job, std::nullopt, TimeTaken(job, absl::Now()));
}

}  // namespace

int RunJobs(const Args& args) {
  Address master = DefaultMaster();
  SecurityFlags security;
  bool json = false;
  CommandLine line("jobs", "Lists the jobs that a master remembers.");
  AddMasterFlag(line, &master);
  AddSecurityFlags(line, &security);
  line.Flag("json", &json, "Print one JSON object a line");
  line.Example("skep jobs --master 127.0.0.1:7700");
  if (const auto code = line.Parse(args)) return *code;
  const auto client = ConnectTo(master, security);
  if (!client.ok()) return ReportError(client.status());
  const auto jobs = (*client)->List();
  if (!jobs.ok()) return ReportError(jobs.status());
  if (json) {
    for (const JobStatus& job : *jobs) std::printf("%s\n", Json(job).c_str());
  } else {
    std::fputs(JobTableText(*jobs).c_str(), stdout);
  }
  return kOk;
}

int RunStatus(const Args& args) {
  Address master = DefaultMaster();
  SecurityFlags security;
  bool json = false;
  std::string id_text;
  CommandLine line("status", "Shows one job: its tasks, counters, answer or error.");
  AddMasterFlag(line, &master);
  AddSecurityFlags(line, &security);
  line.Flag("json", &json, "Print one JSON object");
  line.Positional("ID", &id_text, "The job, as skep jobs lists it");
  line.Example("skep status 7");
  if (const auto code = line.Parse(args)) return *code;
  const absl::StatusOr<uint64_t> id = ParseJobId(id_text);
  if (!id.ok()) return ReportError(id.status());
  const auto client = ConnectTo(master, security);
  if (!client.ok()) return ReportError(client.status());
  const absl::StatusOr<JobStatus> job = (*client)->Status(*id);
  if (absl::IsNotFound(job.status())) {
    WriteError(StrCat("skep: ", Message(job.status()), "\n"));
    return kJobFailed;
  }
  if (!job.ok()) return ReportError(job.status());
  std::fputs(json ? (Json(*job) + "\n").c_str() : JobText(*job).c_str(), stdout);
  return job->state() == JOB_FAILED ? kJobFailed : kOk;
}

int RunWait(const Args& args) {
  Address master = DefaultMaster();
  SecurityFlags security;
  bool json = false, quiet = false;
  std::string id_text;
  CommandLine line(
      "wait",
      "Waits for a job that was submitted earlier, or elsewhere, and prints "
      "its answer. Ctrl-C ends the waiting, not the job.");
  AddMasterFlag(line, &master);
  AddSecurityFlags(line, &security);
  line.Flag("json", &json, "Print the result as one JSON object");
  line.Flag("quiet", &quiet, "No progress, no summary");
  line.Positional("ID", &id_text, "The job, as skep jobs lists it");
  line.Example("skep wait 7");
  if (const auto code = line.Parse(args)) return *code;
  const absl::StatusOr<uint64_t> id = ParseJobId(id_text);
  if (!id.ok()) return ReportError(id.status());
  const auto client = ConnectTo(master, security);
  if (!client.ok()) return ReportError(client.status());
  return RunWaiting(**client, BuiltInJobs(), *id, json, quiet);
}

int RunCancel(const Args& args) {
  Address master = DefaultMaster();
  SecurityFlags security;
  std::string id_text;
  CommandLine line("cancel", "Cancels a job; one that has ended stays as it is.");
  AddMasterFlag(line, &master);
  AddSecurityFlags(line, &security);
  line.Positional("ID", &id_text, "The job, as skep jobs lists it");
  line.Example("skep cancel 7");
  if (const auto code = line.Parse(args)) return *code;
  const absl::StatusOr<uint64_t> id = ParseJobId(id_text);
  if (!id.ok()) return ReportError(id.status());
  const auto client = ConnectTo(master, security);
  if (!client.ok()) return ReportError(client.status());
  JobClient& jobs = **client;
  const absl::Status status = jobs.Cancel(*id, "cancelled by skep cancel");
  if (absl::IsNotFound(status)) {
    WriteError(StrCat("skep: ", Message(status), "\n"));
    return kJobFailed;
  }
  if (!status.ok()) return ReportError(status);
  const absl::StatusOr<JobStatus> job = jobs.Status(*id);
  if (!job.ok()) return ReportError(job.status());
  // One that had ended before stays as it was, which is worth saying.
  std::printf("job %s: %s\n", id_text.c_str(),
              std::string(StateName(job->state())).c_str());
  return kOk;
}

}  // namespace skep

#include "tools/client/result.h"

#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/plural.h"
#include "base/status.h"
#include "tools/client/job_output.h"
#include "tools/client/progress.h"
#include "tools/standard_error.h"
#include "tools/standard_output.h"

namespace skep {
namespace {

using Json = nlohmann::ordered_json;

// Bytes that are not UTF-8 (a file's name, a word) become U+FFFD.
std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// JSON without the white space around its tokens.
std::string OnOneLine(std::string_view json) {
  std::string line;
  bool quoted = false, escaped = false;
  for (const char c : json) {
    if (!quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) continue;
    if (c == '"' && !escaped) quoted = !quoted;
    escaped = quoted && c == '\\' && !escaped;
    line += c;
  }
  return line;
}

// The job's JSON keeps its digits: a parser would make doubles of large integers.
std::string AnswerJson(const Answer& answer) {
  if (Json::accept(answer.json())) return OnOneLine(answer.json());
  return answer.text().empty() ? "null" : Dump(answer.text());
}

// "read".
std::string PhaseName(TaskPhase phase) {
  std::string name = TaskPhase_Name(phase).substr(sizeof "PHASE_" - 1);
  for (char& c : name) c = static_cast<char>(c - 'A' + 'a');
  return name;
}

std::vector<PhaseTime> PhasesInOrder(const JobStatus& status) {
  std::vector<PhaseTime> phases(status.phases().begin(), status.phases().end());
  std::erase_if(phases,
                [](const PhaseTime& p) { return !TaskPhase_IsValid(p.phase()); });
  std::sort(phases.begin(), phases.end(), [](const PhaseTime& a, const PhaseTime& b) {
    return a.phase() < b.phase();
  });
  return phases;
}

std::string Seconds(absl::Duration d) {
  return absl::StrFormat("%.2f s", absl::ToDoubleSeconds(d));
}

}  // namespace

std::string JobJson(const JobStatus& status,
                    std::optional<std::string_view> output_path, absl::Duration took) {
  std::string text = Dump({{"job", status.name()},
                           {"id", status.id()},
                           {"state", StateName(status.state())}});
  text.back() = ',';  // more follows
  if (status.has_answer() ||
      (output_path.has_value() && status.state() != JOB_SUCCEEDED)) {
    StrAppend(&text, "\"answer\":", AnswerJson(status.answer()), ",");
  }
  Json json;
  json["counters"] = Json::object();
  for (const auto& [name, count] : std::map<std::string, uint64_t>(
           status.counters().begin(), status.counters().end())) {
    json["counters"][name] = count;
  }
  if (output_path.has_value()) {
    json["output"] =
        output_path->empty() ? Json(nullptr) : Json(std::string(*output_path));
  }
  json["seconds"] = absl::ToDoubleSeconds(took);
  const absl::Status error = JobError(status);
  json["error"] = error.ok() ? Json(nullptr) : Json(std::string(Message(error)));
  json["ran_again"] = {{"failed", status.attempts_failed()},
                       {"lost", status.attempts_lost()},
                       {"map_outputs", status.maps_lost()}};
  json["warnings"] = Json::array();
  for (const std::string& warning : status.warnings())
    json["warnings"].push_back(warning);
  json["submitted_ms"] = status.submitted_ms();
  json["finished_ms"] = status.finished_ms();
  json["cpu_seconds"] = status.cpu_seconds();
  json["phases"] = Json::object();
  for (const PhaseTime& phase : PhasesInOrder(status)) {
    json["phases"][PhaseName(phase.phase())] = {{"cpu_seconds", phase.cpu_seconds()},
                                                {"wall_seconds", phase.wall_seconds()}};
  }
  return text + Dump(json).substr(1);
}

absl::Duration TimeTaken(const JobStatus& status, absl::Time now) {
  const absl::Time submitted = absl::FromUnixMillis(status.submitted_ms());
  const absl::Time end =
      status.finished_ms() == 0 ? now : absl::FromUnixMillis(status.finished_ms());
  return std::max(absl::ZeroDuration(), end - submitted);
}

absl::Status JobError(const JobStatus& status) {
  if (status.state() == JOB_CANCELLED) {
    return Cancelled(status.error_message().empty() ? "the job was cancelled"
                                                    : status.error_message());
  }
  if (status.state() != JOB_FAILED) return absl::OkStatus();
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  return MakeStatus(code == absl::StatusCode::kOk ? absl::StatusCode::kUnknown : code,
                    status.error_message());
}

std::string OutputText(const JobStatus& status) {
  if (status.output_directory().empty()) return "";
  const std::string path = JobOutput::PathOf(status.output_directory());
  uint64_t bytes = 0;
  for (const OutputFile& file : status.output()) bytes += file.bytes();
  if (path.empty()) {
    return StrCat("standard output of its submitter, ", Counted(bytes, "byte"));
  }
  if (path != status.output_directory())
    return StrCat(path, ", ", Counted(bytes, "byte"));
  const auto files = static_cast<uint64_t>(status.output_size());
  return StrCat(path, ", ", Counted(files, "file"), " of ", Counted(bytes, "byte"));
}

std::string JobText(const JobStatus& status) {
  std::string text =
      StrCat("job: ", status.id(), "\nname: ", status.name(), "\nuser: ", status.user(),
             "\nstate: ", StateName(status.state()), "\n");
  if (!status.waiting_for().empty()) {
    StrAppend(&text, "waiting for: ", status.waiting_for(), "\n");
  }
  for (const StageProgress& stage : status.stages()) {
    StrAppend(&text, "stage ", stage.name(), ": maps ", stage.maps().done(), " done, ",
              stage.maps().running(), " running, ", stage.maps().waiting(),
              " waiting; reduces ", stage.reduces().done(), " done, ",
              stage.reduces().running(), " running, ", stage.reduces().waiting(),
              " waiting\n");
  }
  StrAppend(&text, "ran again: ", status.attempts_failed(), " failed attempts, ",
            status.attempts_lost(), " lost attempts, ", status.maps_lost(),
            " lost map outputs\n");
  for (const auto& [name, count] : std::map<std::string, uint64_t>(
           status.counters().begin(), status.counters().end())) {
    StrAppend(&text, "counter ", name, ": ", count, "\n");
  }
  for (const std::string& warning : status.warnings()) {
    StrAppend(&text, "warning: ", Printable(warning), "\n");
  }
  StrAppend(
      &text, "seconds: ",
      absl::StrFormat("%.3f", absl::ToDoubleSeconds(TimeTaken(status, absl::Now()))),
      "\n");
  StrAppend(&text,
            "cpu seconds of tasks: ", absl::StrFormat("%.3f", status.cpu_seconds()),
            "\n");
  for (const PhaseTime& phase : PhasesInOrder(status)) {
    StrAppend(&text, "  ", PhaseName(phase.phase()), ": ",
              absl::StrFormat("%.3f, elapsed %.3f", phase.cpu_seconds(),
                              phase.wall_seconds()),
              "\n");
  }
  const absl::Status error = JobError(status);
  if (!error.ok()) StrAppend(&text, "error: ", Printable(Message(error)), "\n");
  const std::string output = OutputText(status);
  if (!output.empty()) StrAppend(&text, "output: ", output, "\n");
  if (!status.answer().text().empty()) {
    StrAppend(&text, "answer:\n", status.answer().text());
    if (text.back() != '\n') text += '\n';
  }
  return text;
}

std::string JobTableText(const std::vector<JobStatus>& jobs) {
  std::string text = absl::StrFormat("%6s  %-16s %-11s %10s  %s\n", "ID", "JOB",
                                     "STATE", "TIME", "USER");
  for (const JobStatus& job : jobs) {
    StrAppend(&text, absl::StrFormat("%6d  %-16s %-11s %10s  %s\n", job.id(),
                                     job.name(), std::string(StateName(job.state())),
                                     Seconds(TimeTaken(job, absl::Now())), job.user()));
  }
  return text;
}

absl::Status StandardOutput::Write(std::string_view bytes) {
  while (!bytes.empty() && !closed_) {
    const ssize_t written = write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(written);
    } else if (errno == EPIPE) {
      closed_ = true;
    } else if (errno != EINTR) {
      return StandardOutputError(errno);
    }
  }
  return absl::OkStatus();
}

}  // namespace skep

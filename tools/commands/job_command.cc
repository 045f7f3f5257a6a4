#include "tools/commands/job_command.h"

#include <cstdio>
#include <fstream>
#include <limits>
#include <utility>
#include <vector>

#include "base/status.h"
#include "jobs/api/json_text.h"
#include "jobs/job_table.h"
#include "tools/exit_code.h"
#include "tools/standard_error.h"

namespace skep {
namespace {

constexpr int64_t kMaxPartitions = 100'000;

void AddEngineFlags(CommandLine& line, JobCommand* parsed) {
  line.Heading("Engine flags");
  line.Flag("output", &parsed->session.output,
            "Write the output to DIR (new or empty) or FILE", "PATH");
  line.Flag("force", &parsed->session.force, "Replace a FILE that is there already");
  line.Flag("json", &parsed->session.json, "Print the result as one JSON object");
  line.Flag("checkpoint", &parsed->session.checkpoint,
            "Keep what is done in FILE; the same command goes on from it", "FILE");
  line.Flag("quiet", &parsed->session.quiet, "No progress, no summary");
  const auto bounded = [&line](const char* name, int64_t* value, int64_t most,
                               const char* help) {
    line.ParsedFlag(name, help, "N", "", [value, most](const std::string& text) {
      char* end = nullptr;
      const long long number = std::strtoll(text.c_str(), &end, 10);
      if (text.empty() || *end != '\0' || number < 1 || number > most) {
        return InvalidArgument("'", text, "' is not a number from 1 to ", most);
      }
      *value = number;
      return absl::OkStatus();
    });
  };
  bounded("partitions", &parsed->request.partitions, kMaxPartitions,
          "Reduce tasks and part files; by default as suits the input");
  bounded("max-attempts", &parsed->request.max_attempts, 100,
          "Attempts at a task before its job fails; by default 4");
  line.SizeFlag("memory", &parsed->request.task_memory_bytes,
                "Sort and combine buffers of one task; by default 256M", 1);
  line.SizeFlag("split-size", &parsed->request.split_bytes,
                "Input of one map task; by default as suits the input", 1);
}

// Whether there is something to go on from when the job was broken off: the answer is
// all, and the tasks of the first stage leave results only.
bool LeavesResults(const Job& job, const Options& options) {
  if (job.output(options) != OutputShape::kNone) return false;
  const std::vector<InputSplit> no_splits;
  const std::vector<StageResult> nothing;
  const absl::StatusOr<PlanResult> plan =
      job.MakePlan({.options = options, .splits = no_splits, .finished = nothing});
  return job.has_results_only_stage() && plan.ok() && plan->has_stage() &&
         plan->stage().partitions() == 0 && !plan->stage().writes_output();
}

// Whether it keeps anything in a checkpoint.
absl::Status CheckResumable(const Job& job, const Options& options) {
  if (LeavesResults(job, options)) return absl::OkStatus();
  std::string names;
  for (const auto& [name, other] : BuiltInJobs().jobs) {
    if (!LeavesResults(other, Options(other.flags()))) continue;
    StrAppend(&names, names.empty() ? "" : ", ", name);
  }
  return InvalidArgument("--checkpoint has no effect: the tasks of this ", job.name(),
                         " pass records on or write files, which it does not keep; ",
                         names, ", grep --count and wordcount --approx go on from one");
}

// What would be without effect on this job.
absl::Status CheckEngineFlags(const JobCommand& parsed) {
  const Job& job = *parsed.request.job;
  const Options& options = parsed.request.options;
  if (parsed.session.force && parsed.session.output.empty()) {
    return InvalidArgument("--force has no effect without --output FILE");
  }
  if (parsed.session.force && job.output(options) == OutputShape::kDirectory) {
    return InvalidArgument("--force replaces a file, and ", job.name(),
                           " writes a directory: remove it, or name another");
  }
  if (!parsed.session.checkpoint.empty()) {
    SKEP_RETURN_IF_ERROR(CheckResumable(job, options));
  }
  SKEP_ASSIGN_OR_RETURN(const InputFormat format, job.input(options));
  if (format.kind == InputFormat::Kind::kNone && parsed.request.split_bytes > 0) {
    return InvalidArgument("--split-size has no effect: ", job.name(),
                           " takes no input");
  }
  return absl::OkStatus();
}

// It travels with the job, as text.
absl::StatusOr<std::string> ReadFlagFile(const std::string& path) {
  constexpr size_t kMaxFlagFile = 1 << 20;
  std::ifstream file(path, std::ios::binary);
  std::string content(kMaxFlagFile + 1, '\0');
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  if (!file.is_open() || file.bad()) {
    return EndsWith(kFiles, NotFound("cannot read '", path, "'"));
  }
  content.resize(static_cast<size_t>(file.gcount()));
  if (content.size() > kMaxFlagFile) {
    return EndsWith(kFiles, InvalidArgument("'", path, "' is larger than 1 MiB"));
  }
  if (!IsUtf8(content)) {
    return EndsWith(kFiles, InvalidArgument("'", path, "' is not UTF-8"));
  }
  return content;
}

void AddJobFlags(CommandLine& line, const Job& job, Options* options) {
  for (const Flag& flag : job.flags()) {
    const auto set = [options, &flag](const std::string& text) -> absl::Status {
      if (!flag.from_file) return options->Set(flag.name, text);
      SKEP_ASSIGN_OR_RETURN(const std::string content, ReadFlagFile(text));
      return options->Set(flag.name, content);
    };
    if (flag.type == Flag::Type::kBool) {
      line.ParsedSwitch(flag.name, flag.help, set, flag.letter);
    } else {
      line.ParsedFlag(flag.name, flag.help, flag.value_name, flag.default_value, set,
                      flag.letter, flag.lines);
    }
  }
}

std::string JobList() {
  std::string list = "\nJobs:\n";
  for (const auto& [name, job] : BuiltInJobs().jobs) {
    std::string padded = name;
    padded.resize(std::max<size_t>(name.size() + 2, 14), ' ');
    StrAppend(&list, "  ", padded, job.summary(), "\n");
  }
  return list;
}

std::vector<std::string> JobNames() {
  std::vector<std::string> names;
  for (const auto& [name, job] : BuiltInJobs().jobs) names.push_back(name);
  return names;
}

int UnknownJob(const std::string& command, const std::string& name) {
  const std::string nearest = Nearest(name, JobNames());
  WriteError(StrCat("skep ", command, ": there is no job '", name, "'",
                    nearest.empty() ? "" : StrCat("; did you mean ", nearest, "?"),
                    " (see: skep ", command, " --help)\n"));
  return kUsage;
}

}  // namespace

std::optional<int> ParseJobCommand(const std::string& command,
                                   const std::string& summary, const Args& args,
                                   const std::function<void(CommandLine&)>& more_flags,
                                   JobCommand* parsed) {
  const auto add_common = [&](CommandLine& line) {
    AddEngineFlags(line, parsed);
    more_flags(line);
    line.LogFlags(&parsed->log);
  };
  // The job's name comes first of all positional arguments, and says which flags there
  // are.
  CommandLine without_job(command, summary);
  add_common(without_job);
  const size_t at = without_job.FindPositional(args);
  if (at == args.size()) {
    std::string job;
    without_job.Positional("JOB", &job, "Which job; then its flags and inputs", true,
                           JobNames());
    without_job.Example(StrCat("skep ", command, " wordcount --top 10 book.txt"));
    without_job.Example(StrCat("skep ", command, " wordcount --help"));
    const std::optional<int> code = without_job.Parse(args);
    if (code == kOk && args.back() != CommandLine::kComplete) {
      std::fputs(JobList().c_str(), stdout);
    }
    return code.value_or(kUsage);
  }
  const Job* const job = BuiltInJobs().Find(args[at]);
  if (job == nullptr) return UnknownJob(command, args[at]);

  Args rest = args;
  rest.erase(rest.begin() + static_cast<ptrdiff_t>(at));
  parsed->request.job = job;
  parsed->request.options = Options(job->flags());
  CommandLine line(StrCat(command, " ", job->name()), job->summary());
  line.Heading("Flags of this job");
  AddJobFlags(line, *job, &parsed->request.options);
  add_common(line);
  const auto format = job->input(parsed->request.options);
  if (format.ok() && format->kind == InputFormat::Kind::kNone) {
    line.NoInputs();
  } else {
    line.Inputs("INPUT", &parsed->request.inputs,
                "Files, directories, globs, or - for standard input",
                /*required=*/false);
  }
  line.Example(job->example());
  if (const auto code = line.Parse(rest)) return code;
  absl::Status checked = job->CheckOptions(parsed->request.options);
  if (checked.ok()) checked = CheckEngineFlags(*parsed);
  if (!checked.ok()) return ReportError(EndsWith(kUsage, checked));
  const absl::Status logging = InitLogging("skep", parsed->log);
  if (!logging.ok()) return ReportError(logging);
  return std::nullopt;
}

}  // namespace skep

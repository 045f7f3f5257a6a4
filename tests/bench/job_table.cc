#include "tests/bench/job_table.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status.h"
#include "base/strings.h"
#include "tests/bench/bench_inputs.h"
#include "tests/bench/job_rows.h"
#include "tests/bench/machine.h"
#include "tests/bench/row_names.h"
#include "tests/bench/self_process.h"

namespace skep {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kWorkers[] = {1, 2};

// The columns. "start" is from the start of the process until the job is submitted,
// "finish" from its end until the process's; both have wall time only. "idle" is the
// rest of the wall time; "fleet" all CPU time that is not a task's: master, channel,
// files, client. The others are phases of the tasks (TaskPhase).
constexpr const char* kColumns[] = {"start", "plan",   "read",  "map",    "spill",
                                    "fetch", "reduce", "write", "commit", "publish",
                                    "other", "idle",   "fleet", "finish"};
constexpr size_t kColumnCount = std::size(kColumns);

// Seconds.
struct Times {
  double total = 0;
  std::array<double, kColumnCount> columns = {};

  double& operator[](std::string_view name) {
    size_t i = 0;
    while (i + 1 < kColumnCount && kColumns[i] != name) ++i;
    return columns[i];
  }
};
struct Run {
  Times cpu, wall;
};

double SecondsOf(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

Run RunKernel(const JobRow& row, std::string_view text) {
  const double cpu = SecondsOf(CLOCK_THREAD_CPUTIME_ID);
  const double wall = SecondsOf(CLOCK_MONOTONIC);
  row.kernel(text);
  Run run;
  run.cpu.total = SecondsOf(CLOCK_THREAD_CPUTIME_ID) - cpu;
  run.wall.total = SecondsOf(CLOCK_MONOTONIC) - wall;
  return run;
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

absl::StatusOr<Run> RunJob(const JobRow& row, int workers, const BenchFolder& folder) {
  std::vector<std::string> arguments = {"skep", "run"};
  arguments.insert(arguments.end(), row.arguments.begin(), row.arguments.end());
  for (const char* flag : {"--json", "--quiet", "--workers"}) arguments.push_back(flag);
  arguments.push_back(StrCat(workers));
  const std::string output = folder.Path("output");
  std::error_code ignored;
  std::filesystem::remove_all(output, ignored);
  if (row.writes_output) {
    arguments.push_back("--output");
    arguments.push_back(output);
  }
  if (!row.input.empty()) arguments.push_back(row.input);
  SKEP_ASSIGN_OR_RETURN(const SelfRun child, RunSelf(folder, arguments));
  const Json json = Json::parse(child.out, nullptr, /*allow_exceptions=*/false);
  if (child.status != 0 || !json.is_object() || !json.contains("phases")) {
    return Internal("skep run ", row.arguments[0], " failed (wait status ",
                    child.status, "): ", child.err);
  }
  const double submitted = json["submitted_ms"].get<double>() * 1e-3;
  const double finished = json["finished_ms"].get<double>() * 1e-3;
  const auto since_epoch = [](absl::Time t) {
    return absl::ToDoubleSeconds(t - absl::UnixEpoch());
  };
  Run run;
  run.cpu.total = child.cpu;
  run.wall.total = absl::ToDoubleSeconds(child.end - child.begin);
  run.wall["start"] = submitted - since_epoch(child.begin);
  run.wall["finish"] = since_epoch(child.end) - finished;
  double busy = 0;
  for (const auto& [name, seconds] : json["phases"].items()) {
    const double wall = seconds["wall_seconds"].get<double>() / workers;
    run.cpu[name] = seconds["cpu_seconds"].get<double>();
    run.wall[name] = wall;
    busy += wall;
  }
  run.wall["idle"] = finished - submitted - busy;
  run.cpu["fleet"] = child.cpu - json["cpu_seconds"].get<double>();
  return run;
}

Run MedianOf(std::vector<Run> runs) {
  std::sort(runs.begin(), runs.end(),
            [](const Run& a, const Run& b) { return a.wall.total < b.wall.total; });
  return runs[runs.size() / 2];
}

void PrintHead() {
  absl::PrintF("%s\n", MachineLine());
  absl::PrintF(
      "Milliseconds. kernel: alone on one thread, its input in memory. job: `skep "
      "run`, "
      "the whole process.\nWall times of tasks are divided by the workers, so that the "
      "columns add up to the job's time.\nstart: until the job is submitted; idle: no "
      "task ran; fleet: CPU time outside of tasks (master, channel, client);\nfinish: "
      "from the job's end to the process's. The others are phases of tasks.\n");
}

void PrintRow(const char* clock, int workers, const Times& kernel, const Times& job) {
  absl::PrintF("  %d %-4s %7.0f %7.0f %5.2fx ", workers, clock, 1e3 * kernel.total,
               1e3 * job.total, job.total / kernel.total);
  for (size_t i = 0; i < kColumnCount; ++i) {
    const double ms = 1e3 * job.columns[i];
    if (ms == 0) {
      absl::PrintF(" %7s", "-");
    } else {
      absl::PrintF(" %7.*f", ms < 9.95 ? 1 : 0, ms);
    }
  }
  absl::PrintF("\n");
}

void PrintJson(const JobRow& row, int workers, const Run& kernel, const Run& job) {
  Json json;
  json["job"] = row.name;
  json["input"] = row.what;
  json["workers"] = workers;
  json["machine"] = Json::parse(MachineJson());
  for (const auto& [clock, of_kernel, of_job] :
       {std::tuple("cpu_seconds", &kernel.cpu, &job.cpu),
        std::tuple("wall_seconds", &kernel.wall, &job.wall)}) {
    Json& times = json[clock];
    times["kernel"] = of_kernel->total;
    times["job"] = of_job->total;
    for (size_t i = 0; i < kColumnCount; ++i) times[kColumns[i]] = of_job->columns[i];
  }
  absl::PrintF("%s\n", json.dump());
}

absl::Status BenchJob(const JobRow& row, const JobBenchOptions& options,
                      const BenchFolder& folder) {
  const std::string text = row.input.empty() ? "" : ReadAll(row.input);
  std::vector<Run> kernels;
  std::vector<Run> jobs[std::size(kWorkers)];
  for (int i = 0; i < options.repetitions; ++i) {
    kernels.push_back(RunKernel(row, text));
    for (size_t w = 0; w < std::size(kWorkers); ++w) {
      SKEP_ASSIGN_OR_RETURN(jobs[w].emplace_back(), RunJob(row, kWorkers[w], folder));
    }
  }
  if (!options.json) {
    absl::PrintF("\n%s: %s\n  workers  kernel     job  ratio ", row.name, row.what);
    for (const char* column : kColumns) absl::PrintF(" %7s", column);
    absl::PrintF("\n");
  }
  const Run kernel = MedianOf(kernels);
  for (size_t w = 0; w < std::size(kWorkers); ++w) {
    const Run job = MedianOf(jobs[w]);
    if (options.json) {
      PrintJson(row, kWorkers[w], kernel, job);
    } else {
      PrintRow("wall", kWorkers[w], kernel.wall, job.wall);
      PrintRow("CPU", kWorkers[w], kernel.cpu, job.cpu);
    }
  }
  std::fflush(stdout);
  return absl::OkStatus();
}

}  // namespace

absl::Status RunJobBench(const JobBenchOptions& options) {
  SKEP_RETURN_IF_ERROR(CheckData(options.data));
  const std::vector<JobRowMaker> rows = JobRows(options);
  const bool any = std::any_of(rows.begin(), rows.end(), [&](const auto& row) {
    return NameContains(row.name, options.only);
  });
  if (!any) {
    std::string names;
    for (const JobRowMaker& row : rows) StrAppend(&names, "\n  ", row.name);
    return InvalidArgument("no row's name contains '", options.only, "'",
                           options.data.empty()
                               ? ", as those of kjv.txt and sudoku are "
                                 "left out without --data DIR"
                               : "",
                           "; there are:", names);
  }
  if (!options.json) PrintHead();
  for (const JobRowMaker& maker : rows) {
    if (!NameContains(maker.name, options.only)) continue;
    const BenchFolder folder;
    SKEP_RETURN_IF_ERROR(BenchJob(maker.make(folder), options, folder));
  }
  return absl::OkStatus();
}

}  // namespace skep

// What a user writes against: one function in one file is a job.
//
//   // jobs/line_length_job.cc  ->  skep run line_length FILE...
//   #include "jobs/api/job.h"
//   namespace skep {
//   void LineLength(Job& job) {
//     job.Summary("Counts lines by their length");
//     job.MapLines([](std::string_view line, MapContext& out) {
//       out.EmitCount(StrCat(line.size()), 1);
//     });
//     job.SumCounts();
//   }
//   }  // namespace skep
//
// The build finds jobs/*_job.cc; the function's name is the file's in CamelCase, the
// job's name the file's without "_job" unless Name says otherwise.
//
// A job is a list of stages, made one at a time by its planner from the results of the
// stages before. Without a planner there is one stage, "main", over the job's input.
// It writes part files unless Output says kNone; then the tasks' results, in order, are
// the answer's text.
// The function runs in every process that needs the job: it declares, it does not
// compute. It must be deterministic, and so must mappers, reducers and planners:
// attempts are repeated.

#ifndef SKEP_JOBS_API_JOB_H_
#define SKEP_JOBS_API_JOB_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "jobs/api/mapper.h"
#include "jobs/api/options.h"
#include "jobs/api/task.pb.h"

namespace skep {

// The code of one stage. Factories are called once a task, from any thread.
struct Stage {
  std::function<std::unique_ptr<Mapper>()> mapper;
  std::function<std::unique_ptr<Reducer>()> reducer;  // null: map only
  Combine combine = Combine::kNone;
};

// How the job's input is cut.
struct InputFormat {
  enum class Kind {
    kNone,   // the job takes no input files
    kLines,  // at line ends
    kFixed,  // at multiples of record_size; a file of another size is an error
  };
  Kind kind = Kind::kLines;
  uint32_t record_size = 1;
  // Bytes a map task reads; the same for every fleet size. 0: the default.
  uint64_t split_bytes = 0;
  // So many of the empty files, the first ones, are splits of 0 bytes, whose tasks get
  // no block: all for a job that answers for each file, one for a job that must know
  // whether there are several. The job does not see the others.
  uint64_t empty_files = 0;
};

// What a planner sees.
struct PlanInput {
  const Options& options;
  const std::vector<InputSplit>& splits;
  const std::vector<StageResult>& finished;  // in the order in which they ran
  // Reduce partitions that suit the input, or what the user asked for.
  uint32_t default_partitions = 1;
};

// The next stage, or the answer. An error ends the job with it: InvalidArgument and
// FailedPrecondition for what the user can mend.
using Planner = std::function<absl::StatusOr<PlanResult>(const PlanInput&)>;

// How output looks to the user who gives --output.
enum class OutputShape {
  kNone,       // the answer is all; --output is refused
  kDirectory,  // part files in a directory
  kFile,       // one file: the parts in order
};

class Job {
 public:
  // --- About ---------------------------------------------------------------
  Job& Name(std::string name);
  Job& Summary(std::string one_line);
  // An example command line for --help: "skep run wordcount --top 10 book.txt".
  Job& Example(std::string example);
  Job& AddFlag(Flag flag);
  // What is wrong with flags that are right one by one, said before the job is
  // submitted: InvalidArgument. May be called several times; the first error counts.
  Job& Check(std::function<absl::Status(const Options&)> check);
  // A line for the person who submits, said before the job starts ("this takes about
  // ..."); "" says nothing. It sees the flags only.
  Job& Announce(std::function<std::string(const Options&)> announce);
  // What is known of the answer before it is whole: a few words ("12 solutions so far")
  // from the results of some tasks of a stage, in any order; "" says nothing. Shown
  // while the job runs.
  Job& Partial(std::function<std::string(std::string_view stage,
                                         const std::vector<std::string>& results)>
                   partial);
  // May depend on the flags ("--format f64").
  Job& Input(std::function<absl::StatusOr<InputFormat>(const Options&)> format);
  Job& Input(InputFormat format);
  // May depend on the flags (word count with --top writes no files).
  Job& Output(std::function<OutputShape(const Options&)> shape);
  Job& Output(OutputShape shape);

  // --- The simple form: one stage ------------------------------------------------
  Job& MapLines(std::function<void(std::string_view line, MapContext& out)> map);
  Job& MapBlocks(std::function<void(const Block& block, MapContext& out)> map);
  // Output lines "key<TAB>sum"; values from EmitCount.
  Job& SumCounts();
  Job& Reduce(std::function<absl::Status(std::string_view key, Values& values,
                                         ReduceContext& out)>
                  reduce);

  // --- The full form ---------------------------------------------------------------
  Job& AddStage(std::string name, Stage stage);
  Job& Plan(Planner planner);

  // --- What the engine reads -------------------------------------------------------
  const std::string& name() const { return name_; }
  const std::string& summary() const { return summary_; }
  const std::string& example() const { return example_; }
  const std::vector<Flag>& flags() const { return flags_; }
  // The errors of Options::CheckNeeds, of the checks and of the input format.
  absl::Status CheckOptions(const Options& options) const;
  // "" if there is nothing to say.
  std::string announcement(const Options& options) const;
  bool has_partial() const { return partial_ != nullptr; }
  // "" if there is nothing to say.
  std::string partial(std::string_view stage,
                      const std::vector<std::string>& results) const;
  absl::StatusOr<InputFormat> input(const Options& options) const;
  OutputShape output(const Options& options) const;
  // Whether there is a stage without a reducer: its tasks may leave results only.
  bool has_results_only_stage() const;
  // Null if there is none of that name.
  const Stage* FindStage(std::string_view name) const;
  // The job's planner, or the one-stage plan. A stage that no engine could run (no such
  // stage, partitions without a reducer, bounds out of order) is Internal.
  absl::StatusOr<PlanResult> MakePlan(const PlanInput& input) const;

 private:
  std::string name_, summary_, example_;
  std::vector<Flag> flags_;
  std::vector<std::function<absl::Status(const Options&)>> checks_;
  std::function<std::string(const Options&)> announce_;
  std::function<std::string(std::string_view, const std::vector<std::string>&)>
      partial_;
  std::function<absl::StatusOr<InputFormat>(const Options&)> input_;
  std::function<OutputShape(const Options&)> output_;
  std::map<std::string, Stage, std::less<>> stages_;
  Planner planner_;
};

// A counter of a stage; 0 if no task counted it.
uint64_t CounterOf(const StageResult& stage, const std::string& name);

// A planner's answers, in short.
PlanResult NextStage(StageSpec stage);
PlanResult Done(std::string text, std::string json = "",
                std::vector<std::string> notes = {});

// The jobs in this binary, by name. Filled by the job table that the build generates.
struct JobTable {
  std::map<std::string, Job, std::less<>> jobs;

  // Adds the job that `declare` describes, called `name` unless it names itself. Two
  // jobs of one name are a bug and die.
  void Add(std::string name, void (*declare)(Job&));
  // Null if there is none of that name.
  const Job* Find(std::string_view name) const;
};

}  // namespace skep

#endif  // SKEP_JOBS_API_JOB_H_

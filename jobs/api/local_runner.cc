#include "jobs/api/local_runner.h"

#include <algorithm>

#include "base/coding.h"
#include "base/status.h"
#include "jobs/api/partition.h"

namespace skep {
namespace {

// Far more than a planner that converges needs.
constexpr int kMaxStages = 1000;
constexpr size_t kMaxWarnings = 20;  // of a task
constexpr size_t kMaxResultBytes = 64 << 20;

using Records = std::map<std::string, std::vector<std::string>>;  // of one partition

// What the tasks of a run have in common.
struct Run {
  const Job& job;
  const Options& options;
  const LocalRun& input;
  InputFormat format;
  LocalResult result;
};

// One stage while it runs.
struct RunningStage {
  const Stage& code;
  const StageSpec& spec;
  std::vector<Records> partitions;
  StageResult result;
};

// Implements what MapContext and ReduceContext have in common.
template <typename Base>
class LocalContext : public Base {
 public:
  LocalContext(Run& run, RunningStage& stage, int task)
      : run_(run), stage_(stage), task_(task) {}

  const Options& options() const override { return run_.options; }
  std::string_view args() const override { return stage_.spec.args(); }
  int task() const override { return task_; }
  std::stop_token stop_token() const override { return {}; }

  void Count(std::string_view counter, uint64_t n) override {
    (*stage_.result.mutable_counters())[std::string(counter)] += n;
    run_.result.counters[std::string(counter)] += n;
  }
  void SetResult(std::string result) override { result_ = std::move(result); }
  void Write(std::string_view bytes) override {
    if (!may_write()) {
      Fail(
          "a task that has no part file calls Write; set writes_output, and write in "
          "reducers or in stages without one");
    }
    output_ += bytes;
  }
  void Warn(std::string_view message) override {
    if (warnings_ == kMaxWarnings) return;
    ++warnings_;
    run_.result.warnings.emplace_back(message);
  }

  // After the task: `status` is what its code returned.
  absl::Status End(const absl::Status& status, std::string* result) {
    SKEP_RETURN_IF_ERROR(status);
    if (result_.size() > kMaxResultBytes) {
      Fail(StrCat("a result of ", result_.size(), " bytes; ", kMaxResultBytes,
                  " are allowed"));
    }
    SKEP_RETURN_IF_ERROR(error_);
    if (may_write()) run_.result.parts.push_back(std::move(output_));
    *result = std::move(result_);
    return absl::OkStatus();
  }

 protected:
  virtual bool may_write() const = 0;

  // The first breach of a rule ends the task.
  void Fail(std::string_view what) {
    if (error_.ok()) {
      error_ =
          Internal("job ", run_.job.name(), ", stage ", stage_.spec.name(), ": ", what);
    }
  }

  Run& run_;
  RunningStage& stage_;

 private:
  const int task_;
  std::string result_, output_;
  size_t warnings_ = 0;
  absl::Status error_;
};

class LocalMapContext final : public LocalContext<MapContext> {
 public:
  LocalMapContext(Run& run, RunningStage& stage, int task, std::string_view payload)
      : LocalContext(run, stage, task), partitioner_(stage.spec), payload_(payload) {}

  std::string_view payload() const override { return payload_; }

  void Emit(std::string_view key, std::string_view value) override {
    if (stage_.code.combine == Combine::kSum) {
      uint64_t n = 0;
      if (!GetVarint(&value, &n) || !value.empty()) {
        Fail("Emit of a value that is no varint in a stage that sums; use EmitCount");
      }
      EmitCount(key, n);
    } else if (HasPartitions()) {
      Add(key, std::string(value));
    }
  }

  void EmitCount(std::string_view key, uint64_t n) override {
    if (!HasPartitions()) return;
    if (stage_.code.combine == Combine::kSum) {
      sums_[std::string(key)] += n;
      return;
    }
    Add(key, Varint(n));
  }

  // Hands over what was combined.
  void Flush() {
    for (const auto& [key, sum] : sums_) Add(key, Varint(sum));
  }

 private:
  bool may_write() const override {
    return stage_.spec.writes_output() && stage_.spec.partitions() == 0;
  }
  bool HasPartitions() {
    if (stage_.spec.partitions() > 0) return true;
    Fail("Emit in a stage without a reducer; use Write or SetResult");
    return false;
  }
  void Add(std::string_view key, std::string value) {
    stage_.partitions[partitioner_.PartitionOf(key)][std::string(key)].push_back(
        std::move(value));
  }
  static std::string Varint(uint64_t n) {
    std::string bytes;
    PutVarint(&bytes, n);
    return bytes;
  }

  const Partitioner partitioner_;
  const std::string_view payload_;
  std::map<std::string, uint64_t> sums_;
};

class LocalReduceContext final : public LocalContext<ReduceContext> {
 public:
  using LocalContext::LocalContext;

 private:
  bool may_write() const override { return stage_.spec.writes_output(); }
};

class VectorValues final : public Values {
 public:
  explicit VectorValues(const std::vector<std::string>& values) : values_(values) {}
  bool Next(std::string_view* value) override {
    if (next_ == values_.size()) return false;
    *value = values_[next_++];
    return true;
  }

 private:
  const std::vector<std::string>& values_;
  size_t next_ = 0;
};

// The first start of a line at or after `offset`, or the end.
size_t LineStart(std::string_view text, size_t offset) {
  if (offset == 0) return 0;
  if (offset >= text.size()) return text.size();
  const size_t newline = text.find('\n', offset - 1);
  return newline == std::string_view::npos ? text.size() : newline + 1;
}

absl::StatusOr<const LocalFile*> FindFile(const LocalRun& run,
                                          const std::string& path) {
  for (const LocalFile& file : run.files) {
    if (file.name == path) return &file;
  }
  return NotFound(path, ": a split names this file, but it was not given");
}

absl::Status MapSplit(const Run& run, const InputSplit& split, Mapper& mapper,
                      MapContext& context) {
  SKEP_ASSIGN_OR_RETURN(const LocalFile* file,
                        FindFile(run.input, split.file().path()));
  const std::string_view text = file->bytes;
  const bool lines = run.format.kind == InputFormat::Kind::kLines;
  const auto boundary = [&](uint64_t offset) -> uint64_t {
    if (lines) return LineStart(text, offset);
    const uint64_t size = run.format.record_size;
    return std::min<uint64_t>(text.size(), (offset + size - 1) / size * size);
  };
  const uint64_t end = boundary(split.offset() + split.length());
  uint64_t offset = boundary(split.offset());
  while (offset < end) {
    const uint64_t next =
        std::min(end, boundary(offset + std::max<uint64_t>(1, run.input.block_bytes)));
    SKEP_RETURN_IF_ERROR(mapper.Map({.bytes = text.substr(offset, next - offset),
                                     .file_name = split.file().name(),
                                     .file_offset = offset},
                                    context));
    if (mapper.HasEnough()) return absl::OkStatus();
    offset = next;
  }
  return absl::OkStatus();
}

absl::Status RunMapTask(Run& run, RunningStage& stage, int task,
                        const InputSplit* split, std::string_view payload) {
  const std::unique_ptr<Mapper> mapper = stage.code.mapper();
  LocalMapContext context(run, stage, task, payload);
  absl::Status status;
  if (split != nullptr) status = MapSplit(run, *split, *mapper, context);
  if (status.ok()) status = mapper->Finish(context);
  if (status.ok()) context.Flush();
  return context.End(status, stage.result.add_map_results());
}

absl::Status RunReduceTask(Run& run, RunningStage& stage, int partition) {
  const std::unique_ptr<Reducer> reducer = stage.code.reducer();
  LocalReduceContext context(run, stage, partition);
  absl::Status status;
  for (auto& [key, records] : stage.partitions[partition]) {
    std::sort(records.begin(), records.end());
    VectorValues values(records);
    status = reducer->Reduce(key, values, context);
    if (!status.ok()) break;
  }
  if (status.ok()) status = reducer->Finish(context);
  return context.End(status, stage.result.add_reduce_results());
}

absl::StatusOr<StageResult> RunStage(Run& run, const std::vector<InputSplit>& splits,
                                     const StageSpec& spec) {
  RunningStage stage{*run.job.FindStage(spec.name()), spec,
                     std::vector<Records>(spec.partitions())};
  run.result.stages.push_back(spec.name());
  if (spec.writes_output() && !run.result.parts.empty()) {
    return Internal("job ", run.job.name(), " has two stages that write output");
  }
  if (spec.has_tasks()) {
    for (int i = 0; i < spec.tasks().payload_size(); ++i) {
      SKEP_RETURN_IF_ERROR(RunMapTask(run, stage, i, nullptr, spec.tasks().payload(i)));
    }
  } else {
    for (size_t i = 0; i < splits.size(); ++i) {
      SKEP_RETURN_IF_ERROR(RunMapTask(run, stage, i, &splits[i], ""));
    }
  }
  for (uint32_t i = 0; i < spec.partitions(); ++i) {
    SKEP_RETURN_IF_ERROR(RunReduceTask(run, stage, i));
  }
  *stage.result.mutable_spec() = spec;
  if (spec.has_tasks()) stage.result.mutable_spec()->mutable_tasks()->clear_payload();
  return std::move(stage.result);
}

}  // namespace

std::string LocalResult::output() const {
  std::string all;
  for (const std::string& part : parts) all += part;
  return all;
}

absl::StatusOr<std::vector<InputSplit>> CutLocalFiles(
    const std::vector<LocalFile>& files, const InputFormat& format,
    uint64_t split_bytes) {
  std::vector<InputSplit> splits;
  if (format.kind == InputFormat::Kind::kNone) return splits;
  if (format.kind == InputFormat::Kind::kFixed) {
    const uint64_t record = format.record_size;
    split_bytes = (split_bytes + record - 1) / record * record;
  }
  uint64_t empty_files = 0;
  for (const LocalFile& file : files) {
    const uint64_t size = file.bytes.size();
    if (format.kind == InputFormat::Kind::kFixed && size % format.record_size != 0) {
      return InvalidArgument(file.name, ": ", size, " bytes are no whole number of ",
                             format.record_size, "-byte records");
    }
    if (size == 0 && empty_files++ >= format.empty_files) continue;
    uint64_t offset = 0;
    do {
      InputSplit& split = splits.emplace_back();
      split.mutable_file()->set_path(file.name);
      split.mutable_file()->set_name(file.name);
      split.mutable_file()->set_size(size);
      split.set_offset(offset);
      split.set_length(std::min(split_bytes, size - offset));
      offset += split.length();
    } while (offset < size);
  }
  return splits;
}

absl::StatusOr<LocalResult> RunLocally(const Job& job, const LocalRun& input) {
  Options options(job.flags());
  for (const auto& [name, value] : input.options) {
    SKEP_RETURN_IF_ERROR(options.Set(name, value));
  }
  SKEP_RETURN_IF_ERROR(job.CheckOptions(options));
  Run run{job, options, input};
  SKEP_ASSIGN_OR_RETURN(run.format, job.input(options));
  std::vector<InputSplit> splits = input.splits;
  if (splits.empty()) {
    uint64_t split_bytes = input.split_bytes;
    if (split_bytes == 0) split_bytes = run.format.split_bytes;
    if (split_bytes == 0) split_bytes = LocalRun::kDefaultSplitBytes;
    SKEP_ASSIGN_OR_RETURN(splits, CutLocalFiles(input.files, run.format, split_bytes));
  }
  std::vector<StageResult> finished;
  for (int i = 0; i < kMaxStages; ++i) {
    SKEP_ASSIGN_OR_RETURN(PlanResult plan,
                          job.MakePlan({options, splits, finished, input.partitions}));
    if (plan.has_answer()) {
      run.result.answer = std::move(*plan.mutable_answer());
      return std::move(run.result);
    }
    SKEP_ASSIGN_OR_RETURN(StageResult result, RunStage(run, splits, plan.stage()));
    finished.push_back(std::move(result));
  }
  return Internal("job ", job.name(), " has no answer after ", kMaxStages, " stages");
}

}  // namespace skep

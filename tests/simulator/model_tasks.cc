#include "tests/simulator/model_tasks.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/coding.h"
#include "base/digest.h"
#include "base/status.h"
#include "jobs/api/partition.h"

namespace skep {
namespace {

Options OptionsOf(const Job& job, const TaskSpec& spec) {
  Options options(job.flags());
  for (const auto& [name, value] : spec.job().options()) {
    const absl::Status set = options.Set(name, value);
    if (!set.ok()) std::abort();  // the simulator made the spec
  }
  return options;
}

void SetStatus(const absl::Status& status, TaskResult* result) {
  result->set_status_code(static_cast<uint32_t>(status.code()));
  result->set_status_message(std::string(Message(status)));
}

template <typename Base>
class ModelContext : public Base {
 public:
  ModelContext(const Options& options, const TaskSpec& spec, TaskResult* result,
               std::string* part)
      : options_(options), spec_(spec), result_(result), part_(part) {}

  const Options& options() const override { return options_; }
  std::string_view args() const override { return spec_.stage().args(); }
  int task() const override { return static_cast<int>(spec_.id().task()); }
  std::stop_token stop_token() const override { return {}; }
  void Count(std::string_view counter, uint64_t n) override {
    (*result_->mutable_counters())[std::string(counter)] += n;
  }
  void SetResult(std::string result) override {
    result_->set_result(std::move(result));
  }
  void Write(std::string_view bytes) override { part_->append(bytes); }
  void Warn(std::string_view message) override {
    if (result_->warnings_size() < 20) result_->add_warnings(std::string(message));
  }

 protected:
  const Options& options_;
  const TaskSpec& spec_;
  TaskResult* const result_;
  std::string* const part_;
};

class ModelMapContext final : public ModelContext<MapContext> {
 public:
  ModelMapContext(const Options& options, const TaskSpec& spec, bool sum,
                  TaskResult* result, std::string* part)
      : ModelContext(options, spec, result, part), sum_(sum) {}

  std::string_view payload() const override { return spec_.payload(); }
  void Emit(std::string_view key, std::string_view value) override {
    uint64_t n = 0;
    if (sum_ && GetVarint(&value, &n)) {
      sums_[std::string(key)] += n;
    } else {
      records_[std::string(key)].emplace_back(value);
    }
  }
  void EmitCount(std::string_view key, uint64_t n) override {
    std::string bytes;
    PutVarint(&bytes, n);
    Emit(key, bytes);
  }

  // Sorted by key within each partition, with the accounts of the ledger.
  void Flush(std::vector<std::string>* partitions) {
    if (spec_.stage().partitions() == 0) return;
    partitions->resize(spec_.stage().partitions());
    const Partitioner partitioner(spec_.stage());
    std::vector<RecordDigest> digests(partitions->size());
    for (size_t i = 0; i < partitions->size(); ++i) result_->add_produced();
    auto add = [&](const std::string& key, std::string_view value) {
      const uint32_t p = partitioner.PartitionOf(key);
      PutBytes(&(*partitions)[p], key);
      PutBytes(&(*partitions)[p], value);
      digests[p].Add(key, value);
      RecordAccount& account = *result_->mutable_produced(static_cast<int>(p));
      account.set_records(account.records() + 1);
      account.set_bytes(account.bytes() + key.size() + value.size());
      account.set_digest_low(digests[p].value().low);
      account.set_digest_high(digests[p].value().high);
    };
    for (const auto& [key, sum] : sums_) {
      std::string bytes;
      PutVarint(&bytes, sum);
      add(key, bytes);
    }
    for (const auto& [key, values] : records_) {
      for (const std::string& value : values) add(key, value);
    }
  }

 private:
  const bool sum_;
  std::map<std::string, uint64_t> sums_;
  std::map<std::string, std::vector<std::string>> records_;
};

class ModelReduceContext final : public ModelContext<ReduceContext> {
 public:
  using ModelContext::ModelContext;
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

// The bytes of a split: the lines that begin in it, or its whole records.
Block BlockOf(const InputSplit& split, const InputFormat& format,
              const FilesByPath& files) {
  const std::string& text = files.at(split.file().path());
  auto boundary = [&](uint64_t offset) -> uint64_t {
    if (format.kind == InputFormat::Kind::kFixed) {
      const uint64_t record = format.record_size;
      return std::min<uint64_t>(text.size(), (offset + record - 1) / record * record);
    }
    if (offset == 0 || offset >= text.size()) return std::min(offset, text.size());
    const size_t newline = text.find('\n', offset - 1);
    return newline == std::string::npos ? text.size() : newline + 1;
  };
  const uint64_t begin = boundary(split.offset());
  const uint64_t end = boundary(split.offset() + split.length());
  return {.bytes = std::string_view(text).substr(begin, end - begin),
          .file_name = split.file().name(),
          .file_offset = begin};
}

void AddOutput(const TaskSpec& spec, const std::string& part, TaskResult* result) {
  if (!spec.stage().writes_output()) return;
  OutputFile& file = *result->add_output();
  file.set_name(PartName(spec.id()));
  file.set_attempt(spec.id().attempt());
  file.set_epoch(spec.id().epoch());
  file.set_bytes(part.size());
  file.set_digest(Digest64(part));
}

}  // namespace

std::string PartName(const AttemptId& id) {
  return absl::StrFormat("part-%05d", id.task());
}

std::string AttemptPartName(const OutputFile& part) {
  return absl::StrFormat("%s.%d.e%d", part.name(), part.attempt(), part.epoch());
}

TaskResult RunModelMap(const Job& job, const TaskSpec& spec, const FilesByPath& files,
                       std::vector<std::string>* partitions, std::string* part) {
  TaskResult result;
  const Options options = OptionsOf(job, spec);
  const Stage& stage = *job.FindStage(spec.stage().name());
  const std::unique_ptr<Mapper> mapper = stage.mapper();
  ModelMapContext context(options, spec, stage.combine == Combine::kSum, &result, part);
  absl::Status status;
  if (spec.has_split()) {
    const Block block = BlockOf(spec.split(), *job.input(options), files);
    if (!block.bytes.empty()) status = mapper->Map(block, context);
  }
  if (status.ok()) status = mapper->Finish(context);
  if (status.ok()) {
    context.Flush(partitions);
    if (spec.stage().partitions() == 0) AddOutput(spec, *part, &result);
  }
  SetStatus(status, &result);
  return result;
}

TaskResult RunModelReduce(const Job& job, const TaskSpec& spec,
                          const std::vector<std::string>& inputs, std::string* part) {
  TaskResult result;
  const Options options = OptionsOf(job, spec);
  const Stage& stage = *job.FindStage(spec.stage().name());
  const std::unique_ptr<Reducer> reducer = stage.reducer();
  ModelReduceContext context(options, spec, &result, part);
  std::map<std::string, std::vector<std::string>> records;
  RecordDigest digest;
  RecordAccount& account = *result.mutable_consumed();
  for (const std::string& input : inputs) {
    std::string_view rest = input, key, value;
    while (GetBytes(&rest, &key) && GetBytes(&rest, &value)) {
      records[std::string(key)].emplace_back(value);
      digest.Add(key, value);
      account.set_records(account.records() + 1);
      account.set_bytes(account.bytes() + key.size() + value.size());
    }
  }
  account.set_digest_low(digest.value().low);
  account.set_digest_high(digest.value().high);
  absl::Status status;
  for (auto& [key, values] : records) {
    std::sort(values.begin(), values.end());
    VectorValues all(values);
    status = reducer->Reduce(key, all, context);
    if (!status.ok()) break;
  }
  if (status.ok()) status = reducer->Finish(context);
  if (status.ok()) AddOutput(spec, *part, &result);
  SetStatus(status, &result);
  return result;
}

TaskResult RunModelPlan(const Job& job, const TaskSpec& spec) {
  TaskResult result;
  const Options options = OptionsOf(job, spec);
  const std::vector<InputSplit> splits(spec.splits().begin(), spec.splits().end());
  const std::vector<StageResult> finished(spec.finished().begin(),
                                          spec.finished().end());
  absl::StatusOr<PlanResult> plan =
      job.MakePlan({options, splits, finished, spec.partitions_hint()});
  if (plan.ok()) *result.mutable_plan() = *std::move(plan);
  SetStatus(plan.status(), &result);
  return result;
}

}  // namespace skep

// A reduce task: one partition of every map output, merged, through the reducer.

#include <memory>
#include <utility>

#include "absl/time/clock.h"
#include "base/digest.h"
#include "base/status.h"
#include "storage/merger.h"
#include "storage/record_stream.h"
#include "worker/attempt.h"
#include "worker/part_file.h"
#include "worker/phase_clock.h"
#include "worker/running_task.h"
#include "worker/shuffle/fetcher.h"
#include "worker/shuffle/reduce_inputs.h"
#include "worker/task_runner.h"

namespace skep {
namespace {

constexpr uint64_t kDefaultMemoryBytes = 256 << 20;
constexpr absl::Duration kProgressInterval = absl::Milliseconds(250);
// Of a reduce task's work, by guess: fetching is the first half.
constexpr float kFetchShare = 0.5f;

// Keeps the ledger's account of every record that passes.
class Accounting final : public RecordStream {
 public:
  explicit Accounting(RecordStream& stream) : stream_(stream) {}

  bool Next(Record* record) override {
    if (!stream_.Next(record)) return false;
    ++records_;
    bytes_ += record->key.size() + record->value.size();
    digest_.Add(record->key, record->value);
    return true;
  }
  absl::Status status() const override { return stream_.status(); }

  void Report(RecordAccount* account) const {
    account->set_records(records_);
    account->set_bytes(bytes_);
    account->set_digest_low(digest_.value().low);
    account->set_digest_high(digest_.value().high);
  }

 private:
  RecordStream& stream_;
  uint64_t records_ = 0;
  uint64_t bytes_ = 0;
  RecordDigest digest_;
};

class GroupValues final : public Values {
 public:
  explicit GroupValues(Groups& groups) : groups_(groups) {}
  bool Next(std::string_view* value) override { return groups_.NextValue(value); }

 private:
  Groups& groups_;
};

class ReduceTaskContext final : public ContextOver<ReduceContext> {
 public:
  using ContextOver::ContextOver;
};

absl::Status Fetch(const TaskInput& input, ReduceInputs& inputs, TaskResult* result) {
  const InPhase fetch_phase(&input.phases, PHASE_FETCH);
  const TaskSpec& spec = input.spec;
  FetchPlan plan;
  plan.job = spec.id().job();
  plan.stage = spec.id().stage();
  plan.partition = spec.id().task();
  plan.outputs.assign(spec.map_outputs().begin(), spec.map_outputs().end());
  std::vector<MapOutput> lost;
  absl::Time report_at = absl::Now() + kProgressInterval;
  const auto progress = [&](size_t complete) {
    if (!input.control.progress || absl::Now() < report_at) return;
    input.control.progress(kFetchShare * static_cast<float>(complete) /
                           static_cast<float>(plan.outputs.size()));
    report_at = absl::Now() + kProgressInterval;
  };
  const absl::Status status = FetchAll(input.env.shuffle, plan, input.env.fetch,
                                       input.control.stop, progress, inputs, &lost);
  for (MapOutput& output : lost) *result->add_lost_inputs() = std::move(output);
  return status;
}

absl::Status ReduceAll(RecordStream& records, Reducer& reducer, RunningTask& state,
                       ReduceTaskContext& context) {
  Groups groups(records);
  GroupValues values(groups);
  while (groups.NextGroup()) {
    const absl::Status reduced = reducer.Reduce(groups.key(), values, context);
    // Damaged input looks to the reducer like its end.
    SKEP_RETURN_IF_ERROR(groups.status());
    SKEP_RETURN_IF_ERROR(FromUserCode(reduced, state));
  }
  SKEP_RETURN_IF_ERROR(groups.status());
  return FromUserCode(reducer.Finish(context), state);
}

absl::Status MergeAndReduce(const TaskInput& input, const Stage& stage,
                            ReduceInputs& inputs, TaskResult* result) {
  const InPhase reduce_phase(&input.phases, PHASE_REDUCE);
  const TaskSpec& spec = input.spec;
  SKEP_ASSIGN_OR_RETURN(const std::unique_ptr<RecordStream> merged, inputs.Merge());
  std::unique_ptr<PartFile> part;
  if (spec.stage().writes_output()) {
    SKEP_ASSIGN_OR_RETURN(
        part, PartFile::Create(spec, input.env, input.control.stop, input.phases));
  }
  RunningTask state(spec, input.options, input.control.stop, part.get());
  ReduceTaskContext context(state);
  Accounting records(*merged);
  const std::unique_ptr<Reducer> reducer = stage.reducer();
  SKEP_RETURN_IF_ERROR(ReduceAll(records, *reducer, state, context));
  records.Report(result->mutable_consumed());
  if (part != nullptr) {
    SKEP_ASSIGN_OR_RETURN(*result->add_output(), part->Commit());
  }
  state.MoveTo(result);
  return absl::OkStatus();
}

}  // namespace

absl::Status RunReduceTask(const TaskInput& input, TaskResult* result) {
  const TaskSpec& spec = input.spec;
  const Stage* const stage = input.job.FindStage(spec.stage().name());
  if (stage == nullptr || stage->reducer == nullptr) {
    return FailedPrecondition("job ", spec.job().name(), " has no stage \"",
                              spec.stage().name(), "\" with a reducer here");
  }
  ReduceInputs inputs(input.env.local,
                      {.memory_bytes = spec.job().task_memory_bytes() > 0
                                           ? spec.job().task_memory_bytes()
                                           : kDefaultMemoryBytes,
                       .directory = AttemptScratch(input.env.scratch, spec.id())});
  absl::Status status = Fetch(input, inputs, result);
  if (status.ok()) status = MergeAndReduce(input, *stage, inputs, result);
  if (absl::IsDataLoss(status) && inputs.damaged() >= 0) {
    const MapOutput& output = spec.map_outputs(inputs.damaged());
    *result->add_lost_inputs() = output;
    return DataLoss("the output of m-", output.task(), " attempt ", output.attempt(),
                    " at ", output.address(), " is damaged: ", Message(status));
  }
  return status;
}

}  // namespace skep

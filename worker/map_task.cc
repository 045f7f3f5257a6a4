// A map task: a split's blocks or a payload through the mapper, to runs for the
// reducers or to a part file.

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "absl/time/clock.h"
#include "base/status.h"
#include "storage/block_reader.h"
#include "worker/attempt.h"
#include "worker/input_file.h"
#include "worker/part_file.h"
#include "worker/phase_clock.h"
#include "worker/running_task.h"
#include "worker/shuffle/map_output.h"
#include "worker/task_runner.h"

namespace skep {
namespace {

constexpr uint64_t kDefaultMemoryBytes = 256 << 20;
constexpr absl::Duration kProgressInterval = absl::Milliseconds(250);

class MapTaskContext final : public ContextOver<MapContext> {
 public:
  // `output` is null in a stage without reducers.
  MapTaskContext(RunningTask& state, MapOutputWriter* output)
      : ContextOver(state), output_(output) {}

  std::string_view payload() const override { return state().spec().payload(); }

  void Emit(std::string_view key, std::string_view value) override {
    if (CanEmit()) state().Fail(output_->Emit(key, value));
  }
  void EmitCount(std::string_view key, uint64_t n) override {
    if (CanEmit()) state().Fail(output_->EmitCount(key, n));
  }
  void EmitEach(std::span<const std::string_view> keys) override {
    if (CanEmit()) state().Fail(output_->EmitEach(keys));
  }

 private:
  // After an error the output takes no more.
  bool CanEmit() {
    if (output_ != nullptr && !state().failed()) return true;
    if (output_ == nullptr) {
      state().Fail(FailedPrecondition("stage \"", state().spec().stage().name(),
                                      "\" emitted a record, but has no reducer"));
    }
    return false;
  }

  MapOutputWriter* const output_;
};

absl::StatusOr<RecordFormat> FormatOf(const TaskInput& input) {
  SKEP_ASSIGN_OR_RETURN(const InputFormat format, input.job.input(input.options));
  RecordFormat records;
  if (format.kind == InputFormat::Kind::kFixed) {
    records.kind = RecordFormat::Kind::kFixed;
    records.record_size = format.record_size;
  }
  return records;
}

absl::Status MapSplit(const TaskInput& input, Mapper& mapper, RunningTask& state,
                      MapTaskContext& context) {
  const InPhase read_phase(&input.phases, PHASE_READ);
  const InputSplit& split = input.spec.split();
  SKEP_ASSIGN_OR_RETURN(const RecordFormat format, FormatOf(input));
  std::string warning;
  SKEP_ASSIGN_OR_RETURN(std::unique_ptr<ReadableFile> file,
                        OpenInput(input.env, input.spec.job(), split.file(),
                                  input.control.stop, &warning));
  if (!warning.empty()) state.Warn(warning);
  BlockReader reader(*file, split, format);
  absl::Time report_at = absl::Now() + kProgressInterval;
  while (true) {
    FileBlock bytes;
    const absl::StatusOr<bool> more = reader.Next(&bytes);
    // A damaged input stays damaged: only the user can mend it.
    if (absl::IsDataLoss(more.status())) return InvalidArgument(Message(more.status()));
    SKEP_RETURN_IF_ERROR(more.status());
    if (!*more) return absl::OkStatus();
    const Block block{bytes.bytes, split.file().name(), bytes.file_offset};
    {
      const InPhase map_phase(&input.phases, PHASE_MAP);
      SKEP_RETURN_IF_ERROR(FromUserCode(mapper.Map(block, context), state));
    }
    if (mapper.HasEnough()) return absl::OkStatus();
    if (input.control.progress && absl::Now() >= report_at) {
      const double done =
          static_cast<double>(bytes.file_offset + bytes.bytes.size() - split.offset());
      input.control.progress(std::min(1.0, done / std::max<double>(1, split.length())));
      report_at = absl::Now() + kProgressInterval;
    }
  }
}

void Report(const std::vector<PartitionEntry>& entries, TaskResult* result) {
  for (const PartitionEntry& entry : entries) {
    RecordAccount& account = *result->add_produced();
    account.set_records(entry.records);
    account.set_bytes(entry.bytes);
    account.set_digest_low(entry.digest.low);
    account.set_digest_high(entry.digest.high);
  }
}

MapOutputOptions OutputOptions(const TaskInput& input, Combine combine) {
  const TaskSpec& spec = input.spec;
  return {
      .memory_bytes = spec.job().task_memory_bytes() > 0
                          ? spec.job().task_memory_bytes()
                          : kDefaultMemoryBytes,
      .combine = combine,
      .data_path = MapOutputPath(input.env.scratch, spec.id()),
      .spill_prefix = JoinPath(AttemptScratch(input.env.scratch, spec.id()), "spill-"),
      .phases = &input.phases};
}

}  // namespace

absl::Status RunMapTask(const TaskInput& input, TaskResult* result) {
  const TaskSpec& spec = input.spec;
  const Stage* const stage = input.job.FindStage(spec.stage().name());
  if (stage == nullptr) {
    return FailedPrecondition("job ", spec.job().name(), " has no stage \"",
                              spec.stage().name(), "\" here");
  }
  std::optional<MapOutputWriter> output;
  std::unique_ptr<PartFile> part;
  if (spec.stage().partitions() > 0) {
    output.emplace(input.env.local, spec.stage(), OutputOptions(input, stage->combine));
  } else if (spec.stage().writes_output()) {
    SKEP_ASSIGN_OR_RETURN(
        part, PartFile::Create(spec, input.env, input.control.stop, input.phases));
  }
  RunningTask state(spec, input.options, input.control.stop, part.get());
  MapTaskContext context(state, output ? &*output : nullptr);
  const std::unique_ptr<Mapper> mapper = stage->mapper();
  if (spec.has_split()) {
    SKEP_RETURN_IF_ERROR(MapSplit(input, *mapper, state, context));
  }
  {
    const InPhase map_phase(&input.phases, PHASE_MAP);
    SKEP_RETURN_IF_ERROR(FromUserCode(mapper->Finish(context), state));
  }
  if (output) {
    SKEP_ASSIGN_OR_RETURN(const std::vector<PartitionEntry> entries, output->Finish());
    Report(entries, result);
  }
  if (part != nullptr) {
    SKEP_ASSIGN_OR_RETURN(*result->add_output(), part->Commit());
  }
  state.MoveTo(result);
  return absl::OkStatus();
}

}  // namespace skep

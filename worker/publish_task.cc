// The publish task: makes committed parts the job's output. Idempotent, since it is an
// attempt like any other and may be repeated after any of its steps.

#include "base/status.h"
#include "worker/output_store.h"
#include "worker/phase_clock.h"
#include "worker/task_runner.h"

namespace skep {
namespace {

constexpr char kReceiptDraft[] = "_temporary/_SUCCESS";
constexpr uint64_t kMaxReceiptBytes = 64 << 20;

// Whether an earlier attempt got as far as _SUCCESS here: then the token, by which a
// shared directory is known, may be gone.
bool AlreadyPublished(const TaskInput& input) {
  const std::string& directory = input.spec.job().output().directory();
  const absl::StatusOr<std::string> receipt =
      ReadFile(input.env.local, JoinPath(directory, kSuccessName), kMaxReceiptBytes);
  return receipt.ok() && *receipt == input.spec.receipt();
}

absl::Status WriteReceipt(OutputStore& store, const std::string& receipt) {
  SKEP_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file,
                        store.Create(kReceiptDraft));
  SKEP_RETURN_IF_ERROR(file->Append(receipt));
  SKEP_RETURN_IF_ERROR(file->Sync());
  SKEP_RETURN_IF_ERROR(file->Close());
  return store.Rename(kReceiptDraft, kSuccessName);
}

}  // namespace

absl::Status RunPublishTask(const TaskInput& input, TaskResult* result) {
  const InPhase publish_phase(&input.phases, PHASE_PUBLISH);
  const TaskSpec& spec = input.spec;
  absl::StatusOr<std::unique_ptr<OutputStore>> store =
      OpenOutput(input.env.local, input.env.submitter, spec.job(), input.env.host,
                 input.control.stop);
  if (!store.ok()) {
    if (!AlreadyPublished(input)) return store.status();
    return DirectOutput(input.env.local, spec.job().output().directory())
        ->Remove(kTemporaryFolder);
  }
  // Once cancelled, the submitter clears the directory: nothing may appear there again.
  const auto stopped = [&input] { return input.control.stop.stop_requested(); };
  for (const OutputFile& part : spec.parts()) {
    if (stopped()) return Cancelled("publishing: cancelled");
    SKEP_RETURN_IF_ERROR((*store)->Rename(AttemptPartName(part), part.name()));
    *result->add_output() = part;
  }
  if (stopped()) return Cancelled("publishing: cancelled");
  // Whoever sees _SUCCESS sees every part.
  SKEP_RETURN_IF_ERROR(WriteReceipt(**store, spec.receipt()));
  return (*store)->Remove(kTemporaryFolder);
}

}  // namespace skep

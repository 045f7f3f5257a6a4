#include "worker/task_testing.h"

#include <utility>

#include "base/digest.h"
#include "base/status.h"
#include "worker/attempt.h"

namespace skep {

void LocalShuffle::Fetch(const std::string& address, const FetchRequest& request,
                         Done done) {
  ++fetches;
  if (before) {
    const absl::Status status = before(request);
    if (!status.ok()) {
      done(status);
      return;
    }
  }
  Piece piece;
  absl::StatusOr<std::string> bytes = server_.Read(request, &piece.total_bytes);
  if (!bytes.ok()) {
    done(bytes.status());
    return;
  }
  piece.bytes = *std::move(bytes);
  if (after) after(request, &piece.bytes);
  done(std::move(piece));
}

void FirstCommitter::RequestCommit(const AttemptId& id, Done done) {
  AttemptRef task = RefOf(id);
  task.attempt = 0;
  const auto [it, first] = winners_.emplace(task, id.attempt());
  done(it->second == id.attempt());
}

absl::StatusOr<std::unique_ptr<ReadableFile>> FakeSubmitter::OpenToRead(
    const JobContext&, const InputFile& file, std::stop_token) {
  if (files == nullptr) return Unavailable("there is no submitter");
  return files->OpenToRead(file.path());
}

std::unique_ptr<OutputStore> FakeSubmitter::Output(const JobContext& job,
                                                   std::stop_token) {
  return DirectOutput(*files, job.output().directory());
}

namespace {

// The master's part of a job, without its cares.
class Engine {
 public:
  Engine(const JobSpec& job, FakeWorker& worker)
      : job_(job), worker_(worker), number_(worker.next_job++) {}

  absl::StatusOr<EngineResult> Run() {
    while (true) {
      TaskSpec plan = Task(TASK_PLAN, 0);
      *plan.mutable_splits() = job_.splits();
      plan.set_partitions_hint(job_.partitions());
      for (const StageResult& stage : finished_) *plan.add_finished() = stage;
      SKEP_ASSIGN_OR_RETURN(const TaskResult planned, RunOne(plan));
      if (planned.plan().has_answer()) {
        result_.answer = planned.plan().answer();
        break;
      }
      SKEP_RETURN_IF_ERROR(RunStage(planned.plan().stage()));
      ++stage_;
    }
    SKEP_RETURN_IF_ERROR(Publish());
    return std::move(result_);
  }

 private:
  TaskSpec Task(TaskKind kind, uint32_t task) const {
    TaskSpec spec;
    AttemptId& id = *spec.mutable_id();
    id.set_job(number_);
    id.set_stage(stage_);
    id.set_kind(kind);
    id.set_task(task);
    id.set_attempt(1);
    id.set_epoch(1);
    JobContext& context = *spec.mutable_job();
    context.set_name(job_.name());
    *context.mutable_options() = job_.options();
    *context.mutable_output() = job_.output();
    context.set_submitter_address(job_.submitter_address());
    context.set_submitter_host(job_.submitter_host());
    context.set_task_memory_bytes(job_.task_memory_bytes());
    return spec;
  }

  absl::StatusOr<TaskResult> RunOne(const TaskSpec& spec) {
    TaskResult result = worker_.Run(spec);
    SKEP_RETURN_IF_ERROR(StatusOf(result));
    for (const auto& [name, n] : result.counters()) {
      result_.counters[name] += n;
      (*stage_result_.mutable_counters())[name] += n;
    }
    for (const std::string& warning : result.warnings()) {
      result_.warnings.push_back(warning);
    }
    for (const OutputFile& part : result.output()) parts_.push_back(part);
    return result;
  }

  absl::Status RunStage(const StageSpec& stage) {
    stage_result_ = StageResult();
    StageSpec without_payloads = stage;
    const int maps =
        stage.job_input() ? job_.splits_size() : stage.tasks().payload_size();
    if (stage.has_tasks()) without_payloads.mutable_tasks()->clear_payload();
    *stage_result_.mutable_spec() = without_payloads;
    std::vector<MapOutput> outputs;
    for (int task = 0; task < maps; ++task) {
      TaskSpec spec = Task(TASK_MAP, task);
      *spec.mutable_stage() = without_payloads;
      if (stage.job_input()) {
        *spec.mutable_split() = job_.splits(task);
      } else {
        spec.set_payload(stage.tasks().payload(task));
      }
      SKEP_ASSIGN_OR_RETURN(const TaskResult result, RunOne(spec));
      stage_result_.add_map_results(result.result());
      for (int p = 0; p < result.produced_size(); ++p)
        Add(result.produced(p), &ledger_[p]);
      MapOutput& output = outputs.emplace_back();
      output.set_task(task);
      output.set_attempt(1);
      output.set_epoch(1);
      output.set_address("here");
    }
    for (uint32_t partition = 0; partition < stage.partitions(); ++partition) {
      TaskSpec spec = Task(TASK_REDUCE, partition);
      *spec.mutable_stage() = without_payloads;
      for (const MapOutput& output : outputs) *spec.add_map_outputs() = output;
      SKEP_ASSIGN_OR_RETURN(const TaskResult result, RunOne(spec));
      stage_result_.add_reduce_results(result.result());
      RecordAccount& produced = ledger_[partition];
      if (produced.SerializeAsString() != result.consumed().SerializeAsString()) {
        return Internal("partition ", partition, ": produced ",
                        produced.ShortDebugString(), ", consumed ",
                        result.consumed().ShortDebugString());
      }
    }
    ledger_.clear();
    finished_.push_back(stage_result_);
    return absl::OkStatus();
  }

  static void Add(const RecordAccount& account, RecordAccount* sum) {
    sum->set_records(sum->records() + account.records());
    sum->set_bytes(sum->bytes() + account.bytes());
    RecordDigest digest;
    digest.Merge({sum->digest_low(), sum->digest_high()});
    digest.Merge({account.digest_low(), account.digest_high()});
    sum->set_digest_low(digest.value().low);
    sum->set_digest_high(digest.value().high);
  }

  absl::Status Publish() {
    TaskSpec publish = Task(TASK_PUBLISH, 0);
    for (const OutputFile& part : parts_) *publish.add_parts() = part;
    publish.set_receipt("receipt");
    SKEP_RETURN_IF_ERROR(RunOne(publish).status());
    FileSystem& fs = job_.submitter_address().empty() ? worker_.environment.local
                                                      : *worker_.submitter.files;
    for (const OutputFile& part : publish.parts()) {
      SKEP_ASSIGN_OR_RETURN(
          const std::string bytes,
          ReadFile(fs, JoinPath(job_.output().directory(), part.name())));
      if (bytes.size() != part.bytes() || Digest64(bytes) != part.digest()) {
        return Internal(part.name(), " is not what its task said");
      }
      result_.parts.push_back(bytes);
    }
    return absl::OkStatus();
  }

  const JobSpec& job_;
  FakeWorker& worker_;
  const uint64_t number_;
  uint32_t stage_ = 0;
  std::vector<StageResult> finished_;
  StageResult stage_result_;
  std::map<uint32_t, RecordAccount> ledger_;
  std::vector<OutputFile> parts_;
  EngineResult result_;
};

}  // namespace

absl::StatusOr<EngineResult> RunJob(const JobSpec& job, FakeWorker& worker) {
  return Engine(job, worker).Run();
}

}  // namespace skep

#include "worker/attempt.h"

#include "base/status.h"
#include "base/strings.h"
#include "storage/file_system.h"

namespace skep {
namespace {

std::string TaskName(const AttemptId& id) {
  switch (id.kind()) {
    case TASK_MAP:
      return StrCat("m-", id.task());
    case TASK_REDUCE:
      return StrCat("r-", id.task());
    case TASK_PLAN:
      return "plan";
    case TASK_PUBLISH:
      return "publish";
    default:
      return StrCat("kind", static_cast<int>(id.kind()), "-", id.task());
  }
}

std::string FileName(const AttemptId& id) {
  return StrCat("s", id.stage(), "-", TaskName(id), ".", id.attempt(), ".e",
                id.epoch());
}

}  // namespace

AttemptRef RefOf(const AttemptId& id) {
  return {id.job(), id.stage(), id.kind(), id.task(), id.attempt(), id.epoch()};
}

AttemptId IdOf(uint64_t job, uint32_t stage, const MapOutput& output) {
  AttemptId id;
  id.set_job(job);
  id.set_stage(stage);
  id.set_kind(TASK_MAP);
  id.set_task(output.task());
  id.set_attempt(output.attempt());
  id.set_epoch(output.epoch());
  return id;
}

std::string AttemptName(const AttemptId& id) {
  return StrCat(TaskName(id), " attempt ", id.attempt());
}

std::string JobFolder(const std::string& scratch, uint64_t job) {
  return JoinPath(scratch, StrCat("job-", job));
}

std::string MapOutputPath(const std::string& scratch, const AttemptId& id) {
  return JoinPath(JobFolder(scratch, id.job()), FileName(id) + ".shuffle");
}

std::string AttemptScratch(const std::string& scratch, const AttemptId& id) {
  return JoinPath(JobFolder(scratch, id.job()), FileName(id) + ".tmp");
}

absl::Status StatusOf(const TaskResult& result) {
  if (result.status_code() == 0) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(result.status_code()),
                      result.status_message());
}

void SetStatus(const absl::Status& status, TaskResult* result) {
  result->set_status_code(static_cast<uint32_t>(status.code()));
  result->set_status_message(std::string(Message(status)));
}

}  // namespace skep

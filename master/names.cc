#include "master/names.h"

#include "base/strings.h"

namespace skep {

std::string TaskKey::ToString() const {
  static constexpr const char* kLetters[] = {"m", "r", "p", "o"};
  return StrCat(job, ".", stage, ".", kLetters[kind], task);
}

std::string AttemptKey::ToString() const {
  return StrCat(task.ToString(), "#", attempt);
}

AttemptKey KeyOf(const AttemptId& id) {
  return {{JobId(id.job()), id.stage(), id.kind(), id.task()}, id.attempt()};
}

AttemptId ToProto(const AttemptKey& key, uint64_t epoch) {
  AttemptId id;
  id.set_job(key.task.job.value());
  id.set_stage(key.task.stage);
  id.set_kind(key.task.kind);
  id.set_task(key.task.task);
  id.set_attempt(key.attempt);
  id.set_epoch(epoch);
  return id;
}

const char* KindName(TaskKind kind) {
  switch (kind) {
    case TASK_MAP:
      return "map";
    case TASK_REDUCE:
      return "reduce";
    case TASK_PLAN:
      return "plan";
    case TASK_PUBLISH:
      return "publish";
    default:
      return "unknown";
  }
}

}  // namespace skep

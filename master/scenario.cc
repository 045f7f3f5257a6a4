#include "master/scenario.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "base/strings.h"
#include "glog/logging.h"

namespace skep {
namespace {

// The value of "key=value" among the words; `otherwise` if there is none. A bare "key"
// is "1".
std::string Get(const std::vector<std::string>& words, const std::string& key,
                const std::string& otherwise = "") {
  for (const std::string& word : words) {
    if (word == key) return "1";
    if (word.rfind(key + "=", 0) == 0) return word.substr(key.size() + 1);
  }
  return otherwise;
}

uint64_t GetInt(const std::vector<std::string>& words, const std::string& key,
                const std::string& otherwise = "0") {
  uint64_t value = 0;
  CHECK(absl::SimpleAtoi(Get(words, key, otherwise), &value)) << key;
  return value;
}

std::string NameOf(const AttemptId& id) {
  std::string name = KeyOf(id).ToString();
  if (id.epoch() != 1) StrAppend(&name, "@", id.epoch());
  return name;
}

// The account that map task `map` produces for `partition`, made up.
void FillAccount(uint32_t map, uint32_t partition, RecordAccount* account) {
  account->set_records(map + 1);
  account->set_bytes((map + 1) * 10 + partition);
  account->set_digest_low(map * 1000 + partition + 7);
}

absl::StatusCode CodeNamed(const std::string& name) {
  for (int code = 0; code <= 16; ++code) {
    const auto status_code = static_cast<absl::StatusCode>(code);
    if (absl::StatusCodeToString(status_code) == name) return status_code;
  }
  LOG(FATAL) << "no status code " << name;
}

std::string Rest(const std::vector<std::string>& words, size_t from) {
  return absl::StrJoin(words.begin() + static_cast<long>(from), words.end(), " ");
}

}  // namespace

Scenario::Scenario() : scheduler_(SchedulerOptions{}) { Start(1); }

void Scenario::Start(uint64_t epoch) {
  Event event;
  event.mutable_master_started()->set_epoch(epoch);
  event.mutable_master_started()->set_seed(1);
  Step(std::move(event));
}

std::string Scenario::Play(std::string_view line) {
  trace_.clear();
  const Words words = absl::StrSplit(ToAbsl(line), ' ', absl::SkipEmpty());
  const std::string& what = words.at(0);
  if (what == "register") {
    Register(words);
  } else if (what == "disconnect") {
    Model& worker = workers_.at(words.at(1));
    Event event;
    event.mutable_worker_disconnected()->set_connection(worker.connection);
    Step(std::move(event));
  } else if (what == "heartbeat") {
    Heartbeat(words.at(1));
  } else if (what == "advance") {
    Advance(words);
  } else if (what == "submit") {
    Submit(words);
  } else if (what == "cancel") {
    Event event;
    event.mutable_job_cancelled()->set_job(std::stoul(words.at(1)));
    Step(std::move(event));
  } else if (what == "commit") {
    Event event;
    *event.mutable_commit_requested()->mutable_id() = SpecOf(words.at(1)).id();
    Step(std::move(event));
  } else if (what == "drop") {
    Event event;
    AttemptDropped& drop = *event.mutable_attempt_dropped();
    const Model& worker = workers_.at(runner_.at(words.at(1)));
    *drop.mutable_id() = SpecOf(words.at(1)).id();
    drop.set_worker(worker.id);
    drop.set_connection(worker.connection);
    drop.set_status_code(static_cast<int>(CodeNamed(words.at(2))));
    drop.set_status_message(words.at(2));
    Step(std::move(event));
  } else if (what == "status") {
    Status(words);
  } else if (what == "restart") {
    Start(std::stoul(words.at(1)));
  } else {
    Finish(words);
  }
  return trace_.empty() ? "(nothing)\n" : trace_;
}

void Scenario::Register(const Words& words) {
  Model& worker = workers_[words.at(1)];
  if (worker.incarnation == 0) worker.incarnation = workers_.size() * 100;
  worker.connection = ++last_connection_;
  for (const std::string& attempt : Words(absl::StrSplit(Get(words, "forget"), ','))) {
    worker.running.erase(attempt);
    worker.finished.erase(attempt);
  }
  Event event;
  event.mutable_worker_registered()->set_connection(worker.connection);
  RegisterRequest& request = *event.mutable_worker_registered()->mutable_request();
  request.set_name(words.at(1));
  request.set_incarnation(worker.incarnation);
  request.set_slots(static_cast<uint32_t>(GetInt(words, "slots", "2")));
  request.set_binary_digest(Get(words, "digest"));
  request.set_shuffle_address(words.at(1) + ":1");
  for (const std::string& name : worker.running)
    *request.add_running() = SpecOf(name).id();
  for (const std::string& name : worker.finished) {
    *request.add_finished() = SpecOf(name).id();
  }
  Step(std::move(event));
}

void Scenario::Heartbeat(const std::string& name) {
  const Model& worker = workers_.at(name);
  Event event;
  WorkerHeartbeat& heartbeat = *event.mutable_worker_heartbeat();
  heartbeat.set_connection(worker.connection);
  heartbeat.mutable_request()->set_worker(worker.id);
  heartbeat.mutable_request()->set_incarnation(worker.incarnation);
  Step(std::move(event));
}

void Scenario::Advance(const Words& words) {
  constexpr absl::Duration kTick = absl::Milliseconds(500);
  absl::Duration left;
  CHECK(absl::ParseDuration(words.at(1), &left));
  const std::string alive = Get(words, "alive");
  quiet_ = true;
  for (; left > absl::ZeroDuration(); left -= kTick) {
    clock_.Advance(kTick);
    for (const std::string& name :
         Words(absl::StrSplit(alive, ',', absl::SkipEmpty()))) {
      Heartbeat(name);
    }
    Event event;
    event.mutable_tick();
    Step(std::move(event));
  }
  quiet_ = false;
}

void Scenario::Submit(const Words& words) {
  Event event;
  event.mutable_job_submitted()->set_job(scheduler_.next_job().value());
  JobSpec& spec = *event.mutable_job_submitted()->mutable_spec();
  spec.set_name("wordcount");
  for (uint64_t i = 0; i < GetInt(words, "splits", "2"); ++i) {
    spec.add_splits()->set_offset(i);
  }
  if (!Get(words, "output").empty()) spec.mutable_output()->set_directory("/out");
  spec.set_binary_digest(Get(words, "digest"));
  spec.set_max_attempts(static_cast<uint32_t>(GetInt(words, "max_attempts")));
  Step(std::move(event));
}

void Scenario::Finish(const Words& words) {
  const std::string& name = words.at(1);
  const TaskSpec& spec = SpecOf(name);
  Model& worker = workers_.at(runner_.at(name));
  Event event;
  AttemptFinished& finished = *event.mutable_attempt_finished();
  *finished.mutable_id() = spec.id();
  finished.set_worker(worker.id);
  *finished.mutable_result() = ResultOf(words, spec);
  worker.running.erase(name);
  if (finished.result().status_code() == 0) worker.finished.insert(name);
  Step(std::move(event));
}

TaskResult Scenario::ResultOf(const Words& words, const TaskSpec& spec) const {
  const std::string& what = words[0];
  TaskResult result;
  if (what == "plan") {
    StageSpec& stage = *result.mutable_plan()->mutable_stage();
    stage.set_name(Get(words, "name", "main"));
    stage.set_partitions(static_cast<uint32_t>(GetInt(words, "partitions")));
    if (const uint64_t tasks = GetInt(words, "tasks"); tasks > 0) {
      for (uint64_t i = 0; i < tasks; ++i) stage.mutable_tasks()->add_payload("p");
    } else {
      stage.set_job_input(true);
    }
  } else if (what == "answer") {
    result.mutable_plan()->mutable_answer()->set_text(Rest(words, 2));
  } else if (what == "fail") {
    result.set_status_code(static_cast<uint32_t>(CodeNamed(words.at(2))));
    result.set_status_message(Rest(words, 3));
  } else if (what == "lost") {
    result.set_status_code(static_cast<uint32_t>(absl::StatusCode::kDataLoss));
    result.set_status_message("cannot fetch");
    for (const MapOutput& output : spec.map_outputs()) {
      const AttemptKey map{
          {JobId(spec.id().job()), spec.id().stage(), TASK_MAP, output.task()},
          output.attempt()};
      if (map.ToString() == words.at(2)) *result.add_lost_inputs() = output;
    }
    CHECK_EQ(result.lost_inputs_size(), 1) << words.at(2);
  } else {
    CHECK_EQ(what, "ok");
    result.set_result(KeyOf(spec.id()).task.ToString());
    (*result.mutable_counters())["records"] = 1;
    if (spec.id().kind() == TASK_MAP) {
      for (uint32_t p = 0; p < spec.stage().partitions(); ++p) {
        FillAccount(spec.id().task(), p, result.add_produced());
      }
    }
    RecordAccount& sum = *result.mutable_consumed();
    for (const MapOutput& map : spec.map_outputs()) {
      RecordAccount account;
      FillAccount(map.task(), spec.id().task(), &account);
      sum.set_records(sum.records() + account.records());
      sum.set_bytes(sum.bytes() + account.bytes());
      sum.set_digest_low(sum.digest_low() + account.digest_low());
    }
    if (!Get(words, "wrong").empty()) sum.set_records(sum.records() + 1);
    if (spec.job().output().directory() == "/out" && spec.id().kind() == TASK_REDUCE) {
      result.add_output()->set_name(StrCat("part-", spec.id().task()));
    }
  }
  return result;
}

const TaskSpec& Scenario::SpecOf(const std::string& attempt) const {
  const auto it = specs_.find(attempt);
  CHECK(it != specs_.end()) << "no attempt " << attempt << " was ever started";
  return it->second;
}

void Scenario::Status(const Words& words) {
  const auto status = scheduler_.Status(JobId(std::stoul(words.at(1))));
  if (!status) {
    trace_ = "unknown job\n";
    return;
  }
  // proto3's text leaves out what is zero; times and names are the same everywhere.
  JobStatus shown = *status;
  shown.clear_name();
  shown.clear_submitted_ms();
  shown.clear_started_ms();
  shown.clear_finished_ms();
  trace_ = shown.ShortDebugString() + "\n";
}

void Scenario::Step(Event event) {
  for (const Command& command : scheduler_.Step(std::move(event), clock_.Now())) {
    Print(command);
  }
}

std::string Scenario::WorkerOf(ConnectionId connection) const {
  for (const auto& [name, worker] : workers_) {
    if (worker.connection == connection.value()) return name;
  }
  return "?";
}

void Scenario::Print(const Command& command) {
  if (const auto* run = std::get_if<RunTask>(&command)) {
    const std::string name = NameOf(run->spec.id());
    const std::string worker = WorkerOf(run->connection);
    const bool resumed = !run->spec.has_job();
    if (!resumed) specs_[name] = run->spec;
    runner_[name] = worker;
    if (!workers_[worker].finished.contains(name))
      workers_[worker].running.insert(name);
    StrAppend(&trace_, resumed ? "resume " : "run ", worker, " ", name);
    for (const MapOutput& map : run->spec.map_outputs()) {
      StrAppend(&trace_, " m", map.task(), "#", map.attempt(), "@", map.address());
    }
    for (const OutputFile& part : run->spec.parts())
      StrAppend(&trace_, " ", part.name());
    if (run->spec.finished_size() > 0) {
      StrAppend(&trace_, " results=", run->spec.finished_size());
    }
    StrAppend(&trace_, "\n");
  } else if (const auto* cancel = std::get_if<CancelTask>(&command)) {
    const std::string name = NameOf(cancel->id);
    workers_[WorkerOf(cancel->connection)].running.erase(name);
    StrAppend(&trace_, "cancel ", WorkerOf(cancel->connection), " ", name, "\n");
  } else if (const auto* release = std::get_if<ReleaseJob>(&command)) {
    Model& worker = workers_[WorkerOf(release->connection)];
    std::erase_if(worker.finished, [&](const std::string& attempt) {
      return SpecOf(attempt).id().job() == release->job.value();
    });
    StrAppend(&trace_, "release ", WorkerOf(release->connection), " job ", release->job,
              "\n");
  } else if (const auto* reply = std::get_if<ReplyRegister>(&command)) {
    Model& worker = workers_[WorkerOf(reply->connection)];
    worker.id = reply->reply.worker();
    StrAppend(&trace_, "welcome ", WorkerOf(reply->connection), " id=", worker.id,
              " epoch=", reply->reply.epoch());
    for (const AttemptId& id : reply->reply.drop()) {
      worker.running.erase(NameOf(id));
      worker.finished.erase(NameOf(id));
      StrAppend(&trace_, " drop=", NameOf(id));
    }
    StrAppend(&trace_, "\n");
  } else if (const auto* heartbeat = std::get_if<ReplyHeartbeat>(&command)) {
    if (quiet_) return;
    StrAppend(&trace_, "heartbeat known=", heartbeat->reply.known() ? "yes" : "no",
              "\n");
  } else if (const auto* commit = std::get_if<ReplyCommit>(&command)) {
    StrAppend(&trace_, "commit granted=", commit->reply.granted() ? "yes" : "no", "\n");
  } else if (const auto* changed = std::get_if<JobChanged>(&command)) {
    const JobStatus status = *scheduler_.Status(changed->job);
    StrAppend(&trace_, "job ", changed->job, " ", JobState_Name(status.state()), "\n");
  } else if (const auto* note = std::get_if<Note>(&command)) {
    StrAppend(&trace_, "# ", note->text, "\n");
  }
}

std::string PlayScenario(std::string_view text) {
  Scenario scenario;
  std::string out;
  bool golden = false;
  for (absl::string_view line : absl::StrSplit(ToAbsl(text), '\n')) {
    if (line.empty()) {
      golden = false;
    } else if (golden || line == "----") {
      golden = true;
    } else if (line[0] == '#') {
      StrAppend(&out, line, "\n");
    } else {
      StrAppend(&out, line, "\n----\n", scenario.Play(ToStd(line)), "\n");
    }
  }
  return out;
}

}  // namespace skep

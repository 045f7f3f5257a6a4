#include "tests/simulator/sim_worker.h"

#include <algorithm>
#include <utility>

#include "base/digest.h"
#include "base/status.h"
#include "glog/logging.h"
#include "rpc/controller.h"

namespace skep {
namespace {

// A reducer gives up on a worker that it cannot reach for so long.
constexpr absl::Duration kUnreachable = absl::Seconds(5);
constexpr absl::Duration kRetry = absl::Milliseconds(200);
constexpr absl::Duration kCallTimeout = absl::Seconds(2);
constexpr int kMaxInjectedFailures = 2;  // of a task; its job allows three

}  // namespace

// Serves the outputs that this worker holds.
class SimWorker::Shuffle : public ShuffleService {
 public:
  explicit Shuffle(SimWorker& worker) : worker_(worker) {}

  void Fetch(google::protobuf::RpcController* controller, const FetchRequest* request,
             FetchReply* reply, google::protobuf::Closure* done) override {
    Controller& c = Controller::Of(controller);
    const auto it = worker_.attempts_.find(KeyOfId(request->map()));
    if (it == worker_.attempts_.end() ||
        it->second.partitions.size() <= request->partition()) {
      c.SetStatus(NotFound("no output of ", KeyOf(request->map())));
    } else {
      const std::string& bytes = it->second.partitions[request->partition()];
      reply->set_total_bytes(bytes.size());
      c.mutable_response_attachment() = bytes;
    }
    done->Run();
  }

 private:
  SimWorker& worker_;
};

SimWorker::SimWorker(World& world, const std::string& host, uint16_t port,
                     uint32_t slots, const Address& master)
    : world_(world),
      host_(host),
      incarnation_(world.random()),
      slots_(slots),
      shuffle_(std::make_unique<Shuffle>(*this)) {
  Transport& transport = world_.network.host(host_);
  shuffle_services_.Add(shuffle_.get());
  auto server = Server::Listen(transport, Address::Tcp(host_, port), shuffle_services_);
  CHECK(server.ok()) << server.status();
  server_ = *std::move(server);
  master_services_.Add(this);
  ConnectOptions options;
  options.services = &master_services_;
  options.max_backoff = absl::Milliseconds(500);
  options.seed = world_.random() | 1;
  options.on_state = [this, alive = alive_](bool connected) {
    if (*alive && connected) Register();
  };
  master_ = Connect(transport, master, options);
  Heartbeat();
}

// Its connections are broken by whoever kills it, so that what is answered here to let
// go of the calls reaches nobody.
SimWorker::~SimWorker() {
  *alive_ = false;
  for (auto& [key, running] : attempts_) {
    for (Waiter& waiter : running.waiters) waiter.done->Run();
  }
}

void SimWorker::After(absl::Duration delay, absl::AnyInvocable<void()> fn) {
  world_.executor.PostAfter(delay, [alive = alive_, fn = std::move(fn)]() mutable {
    if (*alive) fn();
  });
}

// --- With the master
// --------------------------------------------------------------------

void SimWorker::Register() {
  RegisterRequest request;
  request.set_name(host_);
  request.set_incarnation(incarnation_);
  request.set_slots(slots_);
  request.set_shuffle_address(server_->address().ToString());
  for (const auto& [key, running] : attempts_) {
    *(running.finished ? request.add_finished() : request.add_running()) =
        running.spec.id();
  }
  Call<RegisterReply>(
      *master_, Method<MasterService>("Register"), request, {.timeout = kCallTimeout},
      [this, alive = alive_](absl::StatusOr<Reply<RegisterReply>> reply) {
        if (!*alive) return;
        if (!reply.ok()) {
          // On a connection that is there; else on_state calls again.
          After(kRetry, [this] {
            if (id_ == 0 && master_->connected()) Register();
          });
          return;
        }
        id_ = reply->message.worker();
        lease_ = absl::Milliseconds(reply->message.lease_ms());
        for (const AttemptId& id : reply->message.drop()) Drop(KeyOfId(id));
      });
}

void SimWorker::Heartbeat() {
  After(lease_ / 3, [this] { Heartbeat(); });
  if (id_ == 0) return;
  HeartbeatRequest request;
  request.set_worker(id_);
  request.set_incarnation(incarnation_);
  Call<HeartbeatReply>(
      *master_, Method<MasterService>("Heartbeat"), request, {.timeout = kCallTimeout},
      [this, alive = alive_](absl::StatusOr<Reply<HeartbeatReply>> reply) {
        if (*alive && reply.ok() && !reply->message.known()) Register();
      });
}

void SimWorker::RunTask(google::protobuf::RpcController*, const TaskSpec* spec,
                        TaskResult* result, google::protobuf::Closure* done) {
  const Key key = KeyOfId(spec->id());
  auto it = attempts_.find(key);
  if (it != attempts_.end()) {
    if (it->second.finished) {
      *result = it->second.result;
      done->Run();
    } else {
      it->second.waiters.push_back({result, done});
    }
    return;
  }
  if (!spec->has_job()) {
    result->set_status_code(static_cast<uint32_t>(absl::StatusCode::kAborted));
    result->set_status_message("no such attempt here");
    done->Run();
    return;
  }
  Running& running = attempts_[key];
  running.spec = *spec;
  running.waiters.push_back({result, done});
  Begin(key);
}

void SimWorker::CancelTask(google::protobuf::RpcController*, const AttemptId* id,
                           Empty*, google::protobuf::Closure* done) {
  Fail(KeyOfId(*id), Cancelled("cancelled"));
  done->Run();
}

void SimWorker::ReleaseJob(google::protobuf::RpcController*,
                           const ReleaseJobRequest* request, Empty*,
                           google::protobuf::Closure* done) {
  std::vector<Key> keys;
  for (const auto& [key, running] : attempts_) {
    if (key.first.task.job == JobId(request->job())) keys.push_back(key);
  }
  for (const Key& key : keys) Drop(key);
  done->Run();
}

// --- Attempts
// -----------------------------------------------------------------------------

SimWorker::Running* SimWorker::Find(const Key& key) {
  const auto it = attempts_.find(key);
  return it == attempts_.end() || it->second.finished ? nullptr : &it->second;
}

void SimWorker::Begin(const Key& key) {
  ++world_.runs[key.first.task];
  Running& running = attempts_.at(key);
  if (key.first.task.kind == TASK_REDUCE) {
    running.fetch_deadline = world_.clock.Now() + kUnreachable;
    FetchNext(key);
    return;
  }
  // Most tasks are short, some take long.
  const absl::Duration longest =
      world_.random.Chance(0.05) ? absl::Seconds(4) : absl::Milliseconds(1000);
  After(world_.Between(absl::Milliseconds(1), longest), [this, key] { Execute(key); });
}

bool SimWorker::InjectFailure(const Key& key) {
  if (!world_.random.Chance(world_.failure_chance)) return false;
  if (world_.random.Chance(0.5)) {
    Fail(key, Unavailable("executor was killed"));
    return true;
  }
  int& injected = world_.injected_failures[key.first.task];
  if (injected >= kMaxInjectedFailures) return false;
  ++injected;
  Fail(key, absl::UnknownError("crashed by the simulator"));
  return true;
}

void SimWorker::Execute(const Key& key) {
  Running* running = Find(key);
  if (running == nullptr || InjectFailure(key)) return;
  const TaskSpec& spec = running->spec;
  const Job& job = *world_.jobs.Find(spec.job().name());
  switch (key.first.task.kind) {
    case TASK_PLAN:
      return Finish(key, RunModelPlan(job, spec));
    case TASK_PUBLISH:
      return Publish(key);
    case TASK_MAP:
      running->result =
          RunModelMap(job, spec, world_.files, &running->partitions, &running->part);
      break;
    default:
      running->result = RunModelReduce(job, spec, running->inputs, &running->part);
  }
  if (running->result.status_code() == 0 && running->result.output_size() > 0) {
    Commit(key);
  } else {
    Finish(key, running->result);
  }
}

void SimWorker::FetchNext(const Key& key) {
  Running* running = Find(key);
  if (running == nullptr) return;
  if (running->fetched == static_cast<size_t>(running->spec.map_outputs_size())) {
    After(world_.Between(absl::Milliseconds(1), absl::Milliseconds(1000)),
          [this, key] { Execute(key); });
    return;
  }
  const MapOutput& map = running->spec.map_outputs(static_cast<int>(running->fetched));
  const AttemptKey task = key.first;
  FetchRequest request;
  *request.mutable_map() =
      ToProto({{task.task.job, task.task.stage, TASK_MAP, map.task()}, map.attempt()},
              map.epoch());
  request.set_partition(task.task.task);
  Call<FetchReply>(
      PeerAt(map.address()), Method<ShuffleService>("Fetch"), request,
      {.timeout = kCallTimeout},
      [this, key, alive = alive_](absl::StatusOr<Reply<FetchReply>> reply) {
        if (*alive) Fetched(key, std::move(reply));
      });
}

void SimWorker::Fetched(const Key& key, absl::StatusOr<Reply<FetchReply>> reply) {
  Running* running = Find(key);
  if (running == nullptr) return;
  if (reply.ok()) {
    running->inputs.push_back(std::move(reply->attachment));
    ++running->fetched;
    running->fetch_deadline = world_.clock.Now() + kUnreachable;
    return FetchNext(key);
  }
  if (!absl::IsNotFound(reply.status()) &&
      world_.clock.Now() < running->fetch_deadline) {
    return After(kRetry, [this, key] { FetchNext(key); });
  }
  TaskResult result;
  result.set_status_code(static_cast<uint32_t>(absl::StatusCode::kDataLoss));
  result.set_status_message(reply.status().ToString());
  *result.add_lost_inputs() =
      running->spec.map_outputs(static_cast<int>(running->fetched));
  Finish(key, std::move(result));
}

void SimWorker::Commit(const Key& key) {
  Running* running = Find(key);
  if (running == nullptr) return;
  CommitRequest request;
  *request.mutable_id() = running->spec.id();
  Call<CommitReply>(
      *master_, Method<MasterService>("RequestCommit"), request,
      {.timeout = kCallTimeout},
      [this, key, alive = alive_](absl::StatusOr<Reply<CommitReply>> reply) {
        Running* running = *alive ? Find(key) : nullptr;
        if (running == nullptr) return;
        if (!reply.ok()) return After(kRetry, [this, key] { Commit(key); });
        if (!reply->message.granted()) {
          return Fail(key, Aborted("another attempt commits"));
        }
        const std::string& directory = running->spec.job().output().directory();
        for (const OutputFile& part : running->result.output()) {
          world_.committed[directory][AttemptPartName(part)] = running->part;
        }
        Finish(key, running->result);
      });
}

void SimWorker::Publish(const Key& key) {
  const TaskSpec& spec = Find(key)->spec;
  const std::string& directory = spec.job().output().directory();
  for (const OutputFile& part : spec.parts()) {
    const auto it = world_.committed[directory].find(AttemptPartName(part));
    if (it == world_.committed[directory].end() ||
        Digest64(it->second) != part.digest()) {
      return Fail(key, Internal(part.name(), " is not what was reported"));
    }
    world_.published[directory][part.name()] = it->second;
  }
  world_.published[directory]["_SUCCESS"] = spec.receipt();
  Finish(key, TaskResult());
}

void SimWorker::Fail(const Key& key, const absl::Status& status) {
  TaskResult result;
  result.set_status_code(static_cast<uint32_t>(status.code()));
  result.set_status_message(std::string(Message(status)));
  Finish(key, std::move(result));
}

void SimWorker::Finish(const Key& key, TaskResult result) {
  Running* running = Find(key);
  if (running == nullptr) return;
  running->finished = true;
  running->result = std::move(result);
  running->inputs.clear();
  for (Waiter& waiter : std::exchange(running->waiters, {})) {
    *waiter.result = running->result;
    waiter.done->Run();
  }
}

// Stops it if it runs; what it made is gone.
void SimWorker::Drop(const Key& key) {
  Fail(key, Cancelled("dropped"));
  attempts_.erase(key);
}

Channel& SimWorker::PeerAt(const std::string& address) {
  std::shared_ptr<Channel>& channel = peers_[address];
  if (channel == nullptr) {
    ConnectOptions options;
    options.wait_for_ready = false;
    options.max_backoff = absl::Milliseconds(500);
    options.seed = world_.random() | 1;
    channel = Connect(world_.network.host(host_), *Address::Parse(address), options);
  }
  return *channel;
}

}  // namespace skep

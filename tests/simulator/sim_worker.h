// A model worker on the simulated network: the real protocol, real jobs, no threads and
// no disk.
//
// It registers, sends heartbeats, runs attempts for a random time, keeps map outputs
// and serves them, fetches those of others, asks before it commits, and reports what it
// could not fetch. RunTask is idempotent by attempt; a disconnect stops nothing.

#ifndef SKEP_TESTS_SIMULATOR_SIM_WORKER_H_
#define SKEP_TESTS_SIMULATOR_SIM_WORKER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "jobs/api/fleet.pb.h"
#include "rpc/server.h"
#include "tests/simulator/sim_world.h"

namespace skep {

class SimWorker : public WorkerService {
 public:
  // On the host `host`. Destroying it is the death of the process; break or partition
  // its connections before.
  SimWorker(World& world, const std::string& host, uint16_t port, uint32_t slots,
            const Address& master);
  ~SimWorker() override;

  const std::string& host() const { return host_; }

  void RunTask(google::protobuf::RpcController* controller, const TaskSpec* spec,
               TaskResult* result, google::protobuf::Closure* done) override;
  void CancelTask(google::protobuf::RpcController* controller, const AttemptId* id,
                  Empty* reply, google::protobuf::Closure* done) override;
  void ReleaseJob(google::protobuf::RpcController* controller,
                  const ReleaseJobRequest* request, Empty* reply,
                  google::protobuf::Closure* done) override;

 private:
  // An attempt's name with its epoch.
  using Key = std::pair<AttemptKey, uint64_t>;
  struct Waiter {
    TaskResult* result;
    google::protobuf::Closure* done;
  };
  struct Running {
    TaskSpec spec;
    bool finished = false;
    TaskResult result;
    std::vector<Waiter> waiters;
    std::vector<std::string> partitions;  // a map's output
    std::string part;                     // its part file, until it is committed
    // A reduce attempt's fetches.
    std::vector<std::string> inputs;
    size_t fetched = 0;
    absl::Time fetch_deadline;
  };
  class Shuffle;

  static Key KeyOfId(const AttemptId& id) { return {KeyOf(id), id.epoch()}; }
  void Register();
  void Heartbeat();
  void Begin(const Key& key);
  void Execute(const Key& key);
  void FetchNext(const Key& key);
  void Fetched(const Key& key, absl::StatusOr<Reply<FetchReply>> reply);
  void Commit(const Key& key);
  void Publish(const Key& key);
  void Finish(const Key& key, TaskResult result);
  void Fail(const Key& key, const absl::Status& status);
  void Drop(const Key& key);
  bool InjectFailure(const Key& key);
  // Null if the attempt is no longer wanted or has ended.
  Running* Find(const Key& key);
  // Runs `fn` later unless this worker is dead by then.
  void After(absl::Duration delay, absl::AnyInvocable<void()> fn);
  Channel& PeerAt(const std::string& address);

  World& world_;
  const std::string host_;
  const uint64_t incarnation_;
  const uint32_t slots_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::map<Key, Running> attempts_;
  uint64_t id_ = 0;
  absl::Duration lease_ = absl::Seconds(3);

  std::unique_ptr<Shuffle> shuffle_;
  ServiceTable shuffle_services_, master_services_;
  std::unique_ptr<Server> server_;
  std::map<std::string, std::shared_ptr<Channel>> peers_;
  std::shared_ptr<Channel> master_;
};

}  // namespace skep

#endif  // SKEP_TESTS_SIMULATOR_SIM_WORKER_H_

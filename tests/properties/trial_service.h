// Serves Trial: does with each call what its request says.

#ifndef SKEP_TESTS_PROPERTIES_TRIAL_SERVICE_H_
#define SKEP_TESTS_PROPERTIES_TRIAL_SERVICE_H_

#include <map>
#include <memory>

#include "base/executor.h"
#include "tests/properties/call_ledger.h"
#include "tests/properties/trial.pb.h"

namespace skep {

// On the executor only. Outlives the servers that serve it and runs out by itself.
class TrialService final : public Trial {
 public:
  // Borrowed.
  TrialService(Executor& executor, CallLedger& ledger);
  ~TrialService() override;

  void Once(google::protobuf::RpcController* controller, const TrialRequest* request,
            TrialReply* reply, google::protobuf::Closure* done) override;
  void Again(google::protobuf::RpcController* controller, const TrialRequest* request,
             TrialReply* reply, google::protobuf::Closure* done) override;
  void Tell(google::protobuf::RpcController* controller, const TrialRequest* request,
            rpc2::Empty* reply, google::protobuf::Closure* done) override;

  // Calls begun and not answered.
  size_t in_progress() const { return jobs_.size(); }

 private:
  struct Job;
  void Begin(CallLedger::Kind kind, google::protobuf::RpcController* controller,
             const TrialRequest* request, TrialReply* reply,
             google::protobuf::Closure* done);
  void Finish(uint64_t job);

  Executor& executor_;
  CallLedger& ledger_;
  uint64_t last_job_ = 0;
  std::map<uint64_t, std::unique_ptr<Job>> jobs_;
};

}  // namespace skep

#endif  // SKEP_TESTS_PROPERTIES_TRIAL_SERVICE_H_

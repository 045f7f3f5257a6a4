#include "tests/properties/trial_service.h"

#include <functional>
#include <optional>
#include <stop_token>
#include <utility>

#include "base/status.h"
#include "rpc/controller.h"

namespace skep {

struct TrialService::Job {
  Controller& controller;
  const TrialRequest& request;
  TrialReply* reply;
  google::protobuf::Closure* done;
  TimerId timer;
  std::optional<std::stop_callback<std::function<void()>>> on_stop;
};

TrialService::TrialService(Executor& executor, CallLedger& ledger)
    : executor_(executor), ledger_(ledger) {}

TrialService::~TrialService() = default;

void TrialService::Once(google::protobuf::RpcController* controller,
                        const TrialRequest* request, TrialReply* reply,
                        google::protobuf::Closure* done) {
  Begin(CallLedger::Kind::kOnce, controller, request, reply, done);
}

void TrialService::Again(google::protobuf::RpcController* controller,
                         const TrialRequest* request, TrialReply* reply,
                         google::protobuf::Closure* done) {
  Begin(CallLedger::Kind::kAgain, controller, request, reply, done);
}

void TrialService::Tell(google::protobuf::RpcController* controller,
                        const TrialRequest* request, rpc2::Empty* /*reply*/,
                        google::protobuf::Closure* done) {
  Begin(CallLedger::Kind::kTell, controller, request, nullptr, done);
}

void TrialService::Begin(CallLedger::Kind kind,
                         google::protobuf::RpcController* controller,
                         const TrialRequest* request, TrialReply* reply,
                         google::protobuf::Closure* done) {
  Controller& own = Controller::Of(controller);
  ledger_.Served(kind, *request, own);
  const uint64_t number = ++last_job_;
  jobs_[number].reset(new Job{own, *request, reply, done, TimerId(), std::nullopt});
  Job& job = *jobs_[number];
  if (request->call_back() && own.peer() != nullptr) {
    // Its end is this one's.
    ledger_.Start(own.peer(), TrialRequest(), CallLedger::Kind::kOnce,
                  absl::Milliseconds(1 + request->delay_us() % 200),
                  [this, number] { Finish(number); });
    return;
  }
  if (request->delay_us() == 0) return Finish(number);
  job.timer = executor_.PostAfter(absl::Microseconds(request->delay_us()),
                                  [this, number] { Finish(number); });
  if (!request->until_stopped() || own.stop_token().stop_requested()) return;
  job.on_stop.emplace(own.stop_token(), [this, number] {
    // Some answer inside the stop, some after it.
    Job& stopped = *jobs_[number];
    ledger_.Stopped(stopped.request);
    executor_.Cancel(stopped.timer);
    stopped.controller.SetStatus(skep::Cancelled("stopped"));
    if (number % 2 == 0) return Finish(number);
    stopped.timer =
        executor_.PostAfter(absl::Microseconds(10), [this, number] { Finish(number); });
  });
}

void TrialService::Finish(uint64_t number) {
  const auto it = jobs_.find(number);
  const std::unique_ptr<Job> job = std::move(it->second);
  jobs_.erase(it);
  const uint64_t token = job->request.token();
  if (job->request.fail() != 0) {
    job->controller.SetStatus(
        absl::Status(static_cast<absl::StatusCode>(job->request.fail()), "as asked"));
  }
  job->controller.mutable_response_attachment() =
      TrialBytes(token, job->request.reply_bytes());
  if (job->reply != nullptr) job->reply->set_token(token);
  // `done` frees request and controller, the stop callback of which is ours.
  google::protobuf::Closure* const done = job->done;
  job->on_stop.reset();
  done->Run();
}

}  // namespace skep

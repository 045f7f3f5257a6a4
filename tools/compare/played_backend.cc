#include "tools/compare/played_backend.h"

#include <sys/prctl.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/clock.h"
#include "base/status.h"
#include "rpc/controller.h"

namespace skep {
namespace {

constexpr absl::Duration kLongestWait = absl::Seconds(1);

}  // namespace

PreciseTimer::PreciseTimer() : thread_([this] { Loop(); }) {}

PreciseTimer::~PreciseTimer() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    changed_.SignalAll();
  }
  thread_.join();
}

void PreciseTimer::RunAt(absl::Time at, std::function<void()> fn) {
  MutexLock lock(mutex_);
  const bool first = due_.empty() || at < due_.top().at;
  due_.push({at, order_++, std::move(fn)});
  if (first) changed_.SignalAll();
}

void PreciseTimer::Loop() {
  prctl(PR_SET_TIMERSLACK, 1);
  while (true) {
    std::function<void()> fn;
    {
      MutexLock lock(mutex_);
      if (stopped_) return;
      const absl::Duration left =
          due_.empty() ? kLongestWait : due_.top().at - Clock::Real().Now();
      if (left > absl::ZeroDuration()) {
        changed_.WaitFor(mutex_, std::min(left, kLongestWait));
        continue;
      }
      fn = due_.top().fn;
      due_.pop();
    }
    fn();
  }
}

void PlayedBackend::Echo(google::protobuf::RpcController* controller,
                         const echo::EchoRequest* request, echo::EchoResponse* response,
                         google::protobuf::Closure* done) {
  response->set_payload("");
  if (options_.fails) {
    Controller::Of(controller).SetStatus(Unavailable("this backend fails"));
    return done->Run();
  }
  if (options_.freezes) return frozen_.push_back(done);
  const Job job{
      absl::Nanoseconds(std::atoll(request->payload().c_str())) * options_.slowdown,
      done};
  if (static_cast<int>(working_.size()) < options_.workers) {
    Begin(job);
  } else {
    waiting_.push_back(job);
  }
}

void PlayedBackend::Begin(Job job) {
  const uint64_t number = next_++;
  working_[number] = job.done;
  timer_.RunAt(Clock::Real().Now() + job.takes,
               [weak = weak_from_this(), &executor = executor_, number] {
                 executor.Post([weak, number] {
                   if (const auto self = weak.lock()) self->End(number);
                 });
               });
}

void PlayedBackend::End(uint64_t number) {
  const auto found = working_.find(number);
  if (found == working_.end()) return;  // stopped meanwhile
  google::protobuf::Closure* const done = found->second;
  working_.erase(found);
  if (!waiting_.empty()) {
    const Job job = waiting_.front();
    waiting_.pop_front();
    Begin(job);
  }
  done->Run();
}

void PlayedBackend::Stop() {
  std::vector<google::protobuf::Closure*> all = std::exchange(frozen_, {});
  for (const auto& [number, done] : std::exchange(working_, {})) all.push_back(done);
  for (const Job& job : std::exchange(waiting_, {})) all.push_back(job.done);
  for (google::protobuf::Closure* const done : all) done->Run();
}

}  // namespace skep

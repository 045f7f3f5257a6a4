#include "tests/soak/call_load.h"

#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/random.h"
#include "base/status.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"

namespace skep {

// One call after another, each on some connection. Its next call begins where the last
// one ended: on that channel's loop.
class CallLoad::Lane {
 public:
  Lane(CallLoad& load, uint64_t seed) : load_(load), random_(seed) {}

  void Next() {
    if (!load_.TakeOne()) return load_.LaneEnds();
    const uint64_t number = ++number_;
    load_.started_.fetch_add(1, std::memory_order_relaxed);
    const std::shared_ptr<Channel>& channel =
        load_.channels_[random_.Below(load_.channels_.size())];
    payload_ = StrCat(reinterpret_cast<uintptr_t>(this), " ", number);
    payload_.resize(random_.Below(1000) + payload_.size(), '.');
    echo::EchoRequest request;
    request.set_payload(payload_);
    CallOptions options;
    // Too little for some, enough for most.
    options.timeout =
        random_.Chance(0.3)
            ? absl::Microseconds(static_cast<int64_t>(500 + random_.Below(50'000)))
            : absl::Seconds(10);
    if (random_.Chance(0.02)) options.attachment.assign(random_.Below(50'000), 'a');
    const bool cancel = random_.Chance(0.05);
    const auto wait = absl::Microseconds(
        static_cast<int64_t>(random_.Chance(0.5) ? 0 : random_.Below(5000)));
    const absl::Time deadline = Clock::Real().Now() + options.timeout;
    // The lane may be at its next call, on another thread, when this returns.
    Transport& transport = load_.transport_;
    const std::shared_ptr<Channel> kept = channel;
    const CallId id = Call<echo::EchoResponse>(
        *kept, Method<echo::EchoService>("Echo"), request, std::move(options),
        [this, number, deadline](absl::StatusOr<Reply<echo::EchoResponse>> reply) {
          if (number_.load() != number) {
            load_.twice_.fetch_add(1);
            return;
          }
          Ended(deadline, reply);
          Next();
        });
    if (!cancel) return;
    transport.executor().PostAfter(wait, [kept, id] { kept->Cancel(id); });
  }

 private:
  void Ended(absl::Time deadline,
             const absl::StatusOr<Reply<echo::EchoResponse>>& reply) {
    const int64_t late = absl::ToInt64Microseconds(Clock::Real().Now() - deadline);
    int64_t latest = load_.latest_us_.load();
    while (late > latest && !load_.latest_us_.compare_exchange_weak(latest, late)) {
    }
    switch (reply.status().code()) {
      case absl::StatusCode::kOk:
        load_.ok_.fetch_add(1);
        if (reply->message.payload() != payload_) load_.wrong_.fetch_add(1);
        return;
      case absl::StatusCode::kDeadlineExceeded:
        load_.deadline_.fetch_add(1);
        return;
      case absl::StatusCode::kCancelled:
        load_.cancelled_.fetch_add(1);
        return;
      case absl::StatusCode::kUnavailable:
        load_.disconnected_.fetch_add(1);
        return;
      default:
        load_.error_.fetch_add(1);
    }
  }

  CallLoad& load_;
  Random random_;
  std::atomic<uint64_t> number_{0};
  std::string payload_;
};

CallLoad::CallLoad(Transport& transport, const Address& to, Options options)
    : transport_(transport) {
  Random random(options.seed);
  for (int i = 0; i < options.connections; ++i) {
    channels_.push_back(Connect(transport, to, {.seed = random() | 1}));
  }
  for (int i = 0; i < options.in_flight; ++i) {
    lanes_.push_back(std::make_unique<Lane>(*this, random()));
  }
}

CallLoad::~CallLoad() = default;

bool CallLoad::AwaitConnected(absl::Duration patience) {
  const absl::Time end = Clock::Real().Now() + patience;
  for (const std::shared_ptr<Channel>& channel : channels_) {
    while (!channel->connected()) {
      if (Clock::Real().Now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  return true;
}

void CallLoad::Start(int64_t calls) {
  left_.store(calls);
  {
    MutexLock lock(mutex_);
    running_ = static_cast<int>(lanes_.size());
  }
  for (const std::unique_ptr<Lane>& lane : lanes_) lane->Next();
}

void CallLoad::LaneEnds() {
  MutexLock lock(mutex_);
  if (--running_ == 0) idle_.SignalAll();
}

bool CallLoad::Await(absl::Duration patience) {
  const absl::Time end = Clock::Real().Now() + patience;
  MutexLock lock(mutex_);
  while (running_ > 0) {
    const absl::Duration left = end - Clock::Real().Now();
    if (left <= absl::ZeroDuration()) return false;
    idle_.WaitFor(mutex_, left);
  }
  return true;
}

CallTally CallLoad::tally() const {
  CallTally tally;
  tally.started = started_.load();
  tally.ok = ok_.load();
  tally.deadline = deadline_.load();
  tally.cancelled = cancelled_.load();
  tally.disconnected = disconnected_.load();
  tally.error = error_.load();
  tally.wrong = wrong_.load();
  tally.twice = twice_.load();
  tally.latest = absl::Microseconds(latest_us_.load());
  return tally;
}

int64_t CallLoad::pending() const {
  int64_t pending = 0;
  for (const std::shared_ptr<Channel>& channel : channels_) {
    pending += channel->pending();
  }
  return pending;
}

std::string CallTally::ToString() const {
  return StrCat("started ", started, ", ok ", ok, ", deadline ", deadline,
                ", cancelled ", cancelled, ", disconnected ", disconnected, ", error ",
                error, ", at most ", absl::FormatDuration(latest), " past a deadline");
}

}  // namespace skep

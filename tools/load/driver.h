// Drives one link: when to send, and what came of it.
//
// Closed loop: a window of requests is kept outstanding, the next is sent when one is
// answered; it finds the capacity. Open loop: requests are sent at fixed moments,
// whatever the answers do, and the latency of each counts from the moment for which it
// was meant, so that a stall of the server (or of this process) is charged to every
// request which it delayed; it finds the latency at a rate.

#ifndef SKEP_TOOLS_LOAD_DRIVER_H_
#define SKEP_TOOLS_LOAD_DRIVER_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/histogram.h"
#include "tools/load/link.h"

namespace skep {

// What requests came to. Times in nanoseconds.
struct LoadStats {
  uint64_t sent = 0;
  uint64_t not_sent = 0;                // open loop: too many were outstanding
  uint64_t in_flight = 0;               // when sending ended
  std::array<uint64_t, 17> outcomes{};  // by absl::StatusCode
  // Of good answers, and of requests that were given up at their deadline: those waited
  // at least so long, and leaving them out would hide the worst.
  Histogram latency;
  Histogram lag;  // open loop: how long after its moment a request was sent
  // Latencies by buckets of kHistogramStep, exactly, if wanted.
  std::map<uint64_t, uint64_t> steps;
  int64_t first_sent = 0;  // on the executor's clock; 0: none
  int64_t last_answer = 0;

  void Merge(const LoadStats& other);
  uint64_t ok() const { return outcomes[0]; }
  uint64_t answered() const;
  uint64_t failed() const { return answered() - ok(); }
  // Not even by their deadline: the run was ended before.
  uint64_t unanswered() const { return sent - answered(); }
};

// The family's load tests write histograms of this step.
inline constexpr uint64_t kHistogramStep = 5'000;  // 5 us

struct DriverOptions {
  uint32_t window = 1;  // closed loop
  double rate = 0;      // open loop if over 0: requests a second of this link
  double phase = 0;     // in [0, 1): where in its period this link begins
  // Open loop too, if not empty: when each request is meant, in nanoseconds after the
  // beginning, ascending. In place of rate and phase.
  std::vector<int64_t> moments;
  absl::Duration duration = absl::InfiniteDuration();
  uint64_t requests = ~uint64_t{0};
  bool count_steps = false;
  // Whether the driver sets its own timers. False: someone who keeps better time than
  // the executor's milliseconds calls Tick.
  bool own_timers = true;
  // Requests outstanding on one link in open loop; over it they are not sent.
  uint32_t max_outstanding = 100'000;
};

// On the executor only.
class Driver final : LinkEvents {
 public:
  // `events` of the run: `ready` once when the link is connected or has failed to,
  // `finished` once when everything was sent and answered.
  struct Listener {
    std::function<void()> ready;
    std::function<void()> finished;
  };
  Driver(Executor& executor, const DriverOptions& options, Listener listener)
      : executor_(executor), options_(options), listener_(std::move(listener)) {}
  ~Driver() override;

  void Open(const LinkFactory& factory, Transport& transport,
            const LinkOptions& options);
  // Sends from `at`, which is now or a moment ago: the same for all links of a run.
  void Begin(absl::Time at);
  // Open loop: sends what is due.
  void Tick();
  // Nothing more is sent; `finished` follows when the outstanding are answered.
  void End();
  // Ends what is outstanding too.
  void Abandon();

  const LoadStats& stats() const { return stats_; }
  // Why the link is gone, if it is.
  const absl::Status& broken() const { return broken_; }
  BalancedCounters balanced_counters() const {
    return link_ == nullptr ? BalancedCounters() : link_->balanced_counters();
  }

 private:
  void OnReady() override;
  void OnReply(uint32_t slot, absl::StatusCode outcome) override;
  void OnBroken(const absl::Status& reason) override;

  bool open_loop() const { return options_.rate > 0 || !options_.moments.empty(); }
  // The moment for which request number `n` is meant.
  int64_t Moment(uint64_t n) const {
    if (!options_.moments.empty()) {
      return n < options_.moments.size() ? begin_ + options_.moments[n] : end_;
    }
    return begin_ + static_cast<int64_t>((static_cast<double>(n) + options_.phase) *
                                         1e9 / options_.rate);
  }
  int64_t Now() const { return absl::ToUnixNanos(executor_.clock().Now()); }
  bool MaySend(int64_t at) const {
    return sending_ && at < end_ && stats_.sent + stats_.not_sent < options_.requests;
  }
  void SendOne(int64_t meant, int64_t now);
  void TellReady();
  void CheckFinished();

  Executor& executor_;
  const DriverOptions options_;
  const Listener listener_;
  std::unique_ptr<Link> link_;
  bool told_ready_ = false;
  bool sending_ = false;
  bool begun_ = false;
  bool finished_ = false;
  absl::Status broken_;
  int64_t begin_ = 0;
  int64_t end_ = 0;
  std::vector<int64_t> meant_;  // by slot
  std::vector<uint32_t> free_;
  uint32_t outstanding_ = 0;
  TimerId timer_;
  LoadStats stats_;
};

}  // namespace skep

#endif  // SKEP_TOOLS_LOAD_DRIVER_H_

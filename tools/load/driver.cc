#include "tools/load/driver.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace skep {

uint64_t LoadStats::answered() const {
  uint64_t sum = 0;
  for (const uint64_t count : outcomes) sum += count;
  return sum;
}

void LoadStats::Merge(const LoadStats& other) {
  sent += other.sent;
  not_sent += other.not_sent;
  in_flight += other.in_flight;
  for (size_t i = 0; i < outcomes.size(); ++i) outcomes[i] += other.outcomes[i];
  latency.Merge(other.latency);
  lag.Merge(other.lag);
  for (const auto& [step, count] : other.steps) steps[step] += count;
  if (other.first_sent != 0 && (first_sent == 0 || other.first_sent < first_sent)) {
    first_sent = other.first_sent;
  }
  last_answer = std::max(last_answer, other.last_answer);
}

Driver::~Driver() { executor_.Cancel(timer_); }

void Driver::Open(const LinkFactory& factory, Transport& transport,
                  const LinkOptions& options) {
  link_ = factory(transport, options, *this);
}

void Driver::Begin(absl::Time at) {
  begun_ = true;
  sending_ = broken_.ok();
  begin_ = absl::ToUnixNanos(at);
  end_ = options_.duration == absl::InfiniteDuration()
             ? std::numeric_limits<int64_t>::max()
             : begin_ + absl::ToInt64Nanoseconds(options_.duration);
  if (!sending_) return CheckFinished();
  if (open_loop()) return Tick();
  const int64_t now = Now();
  for (uint32_t i = 0; i < options_.window && MaySend(now); ++i) SendOne(now, now);
  if (!MaySend(now)) End();
}

void Driver::Tick() {
  if (!sending_ || !begun_) return;
  const int64_t now = Now();
  while (true) {
    const int64_t meant = Moment(stats_.sent + stats_.not_sent);
    if (!MaySend(meant)) return End();
    if (meant > now) {
      if (options_.own_timers) {
        timer_ =
            executor_.PostAfter(absl::Nanoseconds(meant - now), [this] { Tick(); });
      }
      return;
    }
    if (outstanding_ >= options_.max_outstanding) {
      ++stats_.not_sent;
    } else {
      SendOne(meant, now);
    }
  }
}

void Driver::SendOne(int64_t meant, int64_t now) {
  uint32_t slot;
  if (free_.empty()) {
    slot = static_cast<uint32_t>(meant_.size());
    meant_.push_back(meant);
  } else {
    slot = free_.back();
    free_.pop_back();
    meant_[slot] = meant;
  }
  ++outstanding_;
  ++stats_.sent;
  if (stats_.first_sent == 0) stats_.first_sent = now;
  if (open_loop()) stats_.lag.Record(static_cast<uint64_t>(now - meant));
  link_->Send(slot);
}

void Driver::OnReply(uint32_t slot, absl::StatusCode outcome) {
  const int64_t now = Now();
  ++stats_.outcomes[static_cast<size_t>(outcome)];
  stats_.last_answer = now;
  if (outcome == absl::StatusCode::kOk ||
      outcome == absl::StatusCode::kDeadlineExceeded) {
    const auto latency =
        static_cast<uint64_t>(std::max<int64_t>(0, now - meant_[slot]));
    stats_.latency.Record(latency);
    if (options_.count_steps) ++stats_.steps[latency / kHistogramStep];
  }
  --outstanding_;
  free_.push_back(slot);
  if (!open_loop() && sending_) {
    if (MaySend(now)) {
      SendOne(now, now);
    } else {
      End();
    }
  }
  CheckFinished();
}

void Driver::End() {
  if (std::exchange(sending_, false)) stats_.in_flight = outstanding_;
  CheckFinished();
}

void Driver::Abandon() {
  End();
  if (link_ != nullptr) link_->Close();
}

void Driver::OnReady() { TellReady(); }

void Driver::OnBroken(const absl::Status& reason) {
  broken_ = reason;
  TellReady();
  End();
}

void Driver::TellReady() {
  if (!std::exchange(told_ready_, true)) listener_.ready();
}

void Driver::CheckFinished() {
  if (sending_ || !begun_ || outstanding_ > 0) return;
  if (!std::exchange(finished_, true)) listener_.finished();
}

}  // namespace skep

#include "tools/load/stream_link.h"

#include <utility>

#include "base/status.h"

namespace skep {

StreamLink::StreamLink(Transport& transport, const LinkOptions& options,
                       LinkEvents& events)
    : options_(options), events_(events), executor_(transport.executor()) {
  transport.Connect(options.target, options.timeout,
                    [this, alive = std::weak_ptr<bool>(alive_)](
                        absl::StatusOr<std::unique_ptr<Stream>> stream) mutable {
                      if (alive.lock()) OnConnected(std::move(stream));
                    });
  ArmExpiry();
}

StreamLink::~StreamLink() { executor_.Cancel(expiry_); }

void StreamLink::Close() { Break(Cancelled("the load has ended")); }

StreamLink::Request& StreamLink::Begin(uint32_t slot) {
  if (slot >= requests_.size()) requests_.resize(slot + 1);
  Request& request = requests_[slot];
  request.outstanding = true;
  request.deadline = executor_.clock().Now() + options_.timeout;
  ++request.generation;
  return request;
}

void StreamLink::Finish(uint32_t slot, absl::StatusCode outcome) {
  if (!std::exchange(requests_[slot].outstanding, false)) return;
  answered_ = answered_ || outcome == absl::StatusCode::kOk;
  events_.OnReply(slot, outcome);
}

void StreamLink::FinishSoon(uint32_t slot, absl::StatusCode outcome) {
  executor_.Post([this, slot, outcome, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.lock()) Finish(slot, outcome);
  });
}

void StreamLink::OnConnected(absl::StatusOr<std::unique_ptr<Stream>> stream) {
  if (!stream.ok()) return Break(stream.status());
  stream_ = std::move(*stream);
  stream_->Start(this);
  events_.OnReady();
}

void StreamLink::OnClosed(const absl::Status& reason) {
  Break(!reason.ok() ? reason
                     : Unavailable(options_.target, " closed the connection",
                                   answered_ ? ""
                                             : " without an answer: does it serve "
                                               "what is asked, in this protocol?"));
}

void StreamLink::Break(const absl::Status& reason) {
  if (broken_) return;
  broken_ = true;
  if (stream_ != nullptr) stream_->Abort(reason);
  // The stream itself goes with this object: we may be inside one of its events.
  dead_ = std::move(stream_);
  events_.OnBroken(reason);
  for (uint32_t slot = 0; slot < requests_.size(); ++slot) {
    Finish(slot, absl::StatusCode::kUnavailable);
  }
}

// Looks for requests whose deadline has passed: a few times within each one's time,
// since a timer for every request would cost more than the request.
void StreamLink::ArmExpiry() {
  expiry_ = executor_.PostAfter(options_.timeout / 8, [this] {
    const absl::Time now = executor_.clock().Now();
    for (uint32_t slot = 0; slot < requests_.size(); ++slot) {
      if (requests_[slot].outstanding && requests_[slot].deadline <= now) {
        Finish(slot, absl::StatusCode::kDeadlineExceeded);
      }
    }
    ArmExpiry();
  });
}

}  // namespace skep

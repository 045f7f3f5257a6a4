// How a backend's connection passes large replies through, and waits for clients that
// take them slowly.

#include <glog/logging.h>

#include <utility>

#include "base/coding.h"
#include "base/status.h"
#include "rpc/balance/backend_link.h"
#include "rpc/balance/balancer_client.h"

namespace skep {
namespace {

// How long replies to others wait behind one whose client takes it slowly.
constexpr absl::Duration kOthersWait = absl::Milliseconds(100);
// A client that takes less than kMoves of a reply in this time, and a backend that
// sends less of one, are given up.
constexpr absl::Duration kClientStalled = absl::Seconds(30);
constexpr absl::Duration kBackendStalled = absl::Seconds(10);
constexpr size_t kMoves = 64 << 10;
// Our own servers end a connection that takes nothing for 30 s.
constexpr absl::Duration kBackendsPatience = absl::Seconds(15);

void BreakClient(BalancerClient& client, absl::Status why) {
  LOG(WARNING) << "balancer_slow_client client=" << client.peer() << " reason=\"" << why
               << '"';
  client.Break(std::move(why));
}

}  // namespace

ReplyCut::Verdict BackendLink::BeginPassing(std::string_view front, absl::Time now) {
  if (front.size() < kFrameSizeBytes + kMinFrameSize ||
      LoadBig32(front.data()) < shard_.options().cut_through) {
    return ReplyCut::Verdict::kNo;
  }
  Envelope head;
  const ReplyCut::Verdict verdict = ReplyCut::Judge(front, &head);
  if (verdict != ReplyCut::Verdict::kYes) return verdict;
  const uint32_t place = shard_.calls().Find(head.id);
  if (place == kNoPlace) return ReplyCut::Verdict::kNo;
  const BalancerCall& call = shard_.calls()[place];
  if (call.link != this) return ReplyCut::Verdict::kNo;
  if (call.client != nullptr) {
    if (!call.client->BeginPassing(place)) return ReplyCut::Verdict::kNo;
    // It is being answered: what ends it now is the end of a connection.
    shard_.calls().SetDeadline(place, absl::InfiniteFuture());
  }
  passing_.emplace(
      Passing{.cut = ReplyCut(front, call.client_id), .call = head.id, .heard = now});
  return ReplyCut::Verdict::kYes;
}

BalancerClient* BackendLink::PassingClient() const {
  const uint32_t place = shard_.calls().Find(passing_->call);
  return place == kNoPlace ? nullptr : shard_.calls()[place].client;
}

size_t BackendLink::Pass(std::string_view in, absl::Time now) {
  BalancerClient* const client = PassingClient();
  const size_t taken =
      passing_->cut.Pass(in, client == nullptr ? nullptr : &client->stream());
  // Who sends a byte now and then has stopped, too.
  passing_->lately += taken;
  if (passing_->lately >= kMoves) {
    passing_->heard = now;
    passing_->lately = 0;
  }
  if (passing_->unpaused) promised_.Set(client == nullptr ? 0 : passing_->cut.left());
  if (passing_->cut.complete()) {
    const uint32_t place = shard_.calls().Find(passing_->call);
    passing_.reset();
    if (place == kNoPlace) return taken;
    const BalancerShard::Ended ended = shard_.End(place, absl::StatusCode::kOk, now);
    if (ended.client != nullptr) ended.client->EndPassing();
  } else if (client != nullptr && client->Passed() && !passing_->unpaused) {
    Pause(*client, now);
  }
  return taken;
}

void BackendLink::Pause(BalancerClient& client, absl::Time now) {
  passing_->paused = true;
  passing_->moved = now;
  passing_->paused_at = now;
  passing_->untaken = client.stream().untaken();
  pardoned_ = true;
  stream_->SetReading(false);
  LookAfterPause();
}

void BackendLink::LookAfterPause() {
  pause_timer_ = shard_.executor().PostAfter(kOthersWait, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->OnPaused();
  });
}

void BackendLink::PassOn() {
  if (!passing_) return;
  if (PassingClient() == nullptr) promised_.Set(0);
  if (!passing_->paused) return;
  shard_.executor().Cancel(pause_timer_);
  passing_->paused = false;
  passing_->heard = shard_.Now();
  stream_->SetReading(true);
}

void BackendLink::OnPaused() {
  if (!connected() || !passing_ || !passing_->paused) return;
  BalancerClient* const client = PassingClient();
  if (client == nullptr) return PassOn();
  const absl::Time now = shard_.Now();
  const size_t untaken = client->stream().untaken();
  // Who takes a byte now and then takes nothing.
  if (untaken + kMoves <= passing_->untaken) {
    passing_->moved = now;
    passing_->untaken = untaken;
  }
  const size_t left = passing_->cut.left();
  // Calls that this backend has room for only when it is done wait, too: with a window
  // of one, nobody else is behind the reply.
  // And a backend that is not read for long takes the balancer for dead.
  const bool backend_waits = now - passing_->paused_at >= kBackendsPatience &&
                             now - passing_->moved < kBackendsPatience;
  if (outstanding_ > 1 || shard_.CallsWait() || backend_waits) {
    // It waits no longer: the client's queue takes the rest.
    passing_->unpaused = true;
    if (client->HasRoomFor(left)) {
      promised_.Set(left);
    } else {
      BreakClient(*client, ResourceExhausted(
                               "there is no room for the ", left,
                               " bytes of a reply that are still to come: ", untaken,
                               " are not taken"));
    }
  } else if (now - passing_->moved >= kClientStalled) {
    BreakClient(*client, DeadlineExceeded("less than ", kMoves,
                                          " bytes of a reply were taken in ",
                                          absl::FormatDuration(kClientStalled)));
  } else {
    return LookAfterPause();
  }
  PassOn();
}

void BackendLink::StopPassing() {
  shard_.executor().Cancel(pause_timer_);
  promised_.Set(0);
  passing_.reset();
}

void BackendLink::Tick(absl::Time now) {
  CountHeld();
  if (!connected() || !passing_ || passing_->paused ||
      now - passing_->heard < kBackendStalled) {
    return;
  }
  stream_->Abort(DeadlineExceeded("backend ", backend_->address,
                                  " stopped in the middle of a reply"));
}

}  // namespace skep

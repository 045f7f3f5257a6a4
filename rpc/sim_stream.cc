#include "rpc/sim_stream.h"

#include <glog/logging.h>

#include <algorithm>

#include "base/status.h"

namespace skep {

// --- SimWorld -----------------------------------------------------------------

absl::Duration SimWorld::RandomLatency() {
  return options.latency + options.jitter * random.Unit();
}

std::pair<std::string, std::string> SimWorld::Unordered(const std::string& a,
                                                        const std::string& b) {
  return {std::min(a, b), std::max(a, b)};
}

bool SimWorld::IsCut(const std::string& a, const std::string& b) const {
  return cuts_.count(Unordered(a, b)) != 0;
}

void SimWorld::AddCut(const std::string& a, const std::string& b, int count) {
  const auto pair = Unordered(a, b);
  int& cuts = cuts_[pair];
  cuts = std::max(0, cuts + count);
  if (cuts == 0) cuts_.erase(pair);
}

void SimWorld::AddPipe(const std::shared_ptr<SimPipe>& pipe) {
  if (pipes_.size() >= sweep_at_) {
    std::erase_if(pipes_, [](const auto& weak) { return weak.expired(); });
    sweep_at_ = std::max<size_t>(1024, 2 * pipes_.size());
  }
  pipes_.push_back(pipe);
}

std::vector<std::shared_ptr<SimPipe>> SimWorld::Pipes() const {
  std::vector<std::shared_ptr<SimPipe>> result;
  for (const auto& weak : pipes_) {
    if (auto pipe = weak.lock()) result.push_back(std::move(pipe));
  }
  return result;
}

std::vector<std::shared_ptr<SimPipe>> SimWorld::PipesBetween(
    const std::string& a, const std::string& b) const {
  std::vector<std::shared_ptr<SimPipe>> result = Pipes();
  std::erase_if(result, [&](const auto& pipe) { return !pipe->Between(a, b); });
  return result;
}

// --- SimPipe ------------------------------------------------------------------

size_t SimPipe::Room(size_t wanted) const {
  const size_t window = world_->options.window_bytes;
  const size_t free = std::max(window, unread_) - unread_;
  return free < std::min(wanted, window / 4) ? 0 : std::min(wanted, free);
}

void SimPipe::Send(std::string_view bytes) {
  Random& random = world_->random;
  unread_ += bytes.size();
  while (!bytes.empty()) {
    const size_t largest = world_->options.max_segment_bytes;
    const size_t most = random.Chance(0.25) ? std::min<size_t>(8, largest) : largest;
    const size_t size = std::min<size_t>(bytes.size(), 1 + random.Below(most));
    Push({.bytes = std::string(bytes.substr(0, size))});
    bytes.remove_prefix(size);
  }
}

void SimPipe::Push(Segment segment) {
  absl::Duration delay = world_->RandomLatency();
  if (world_->random.Chance(world_->options.loss)) {
    delay += world_->options.retransmit_after;
  }
  if (world_->random.Chance(world_->options.reset)) segment.kind = Segment::kReset;
  const double bytes = static_cast<double>(segment.bytes.size());
  segments_.push_back(std::move(segment));
  ArriveAfter(delay, absl::Seconds(bytes / world_->options.bytes_per_second));
}

void SimPipe::ArriveAfter(absl::Duration delay, absl::Duration transfer) {
  // None overtakes another. Each arrival takes the first segment, whichever it was made
  // for, so the order holds also when a partition let some of them wait.
  const absl::Time now = world_->executor.clock().Now();
  last_arrival_ = std::max(last_arrival_, now + delay) + transfer;
  world_->executor.PostAfter(last_arrival_ - now,
                             [self = shared_from_this()] { self->Arrive(); });
}

void SimPipe::Arrive() {
  if (world_->gone || segments_.empty()) return;
  if (world_->IsCut(from_, to_)) {
    ++held_;
    return;
  }
  const Segment segment = std::move(segments_.front());
  segments_.pop_front();
  if (receiver == nullptr) {
    // Nobody there: what still comes is answered with a reset.
    if (segment.kind == Segment::kBytes && sender != nullptr) sender->OnReset();
    return;
  }
  switch (segment.kind) {
    case Segment::kBytes:
      receiver->OnBytes(segment.bytes);
      break;
    case Segment::kEnd:
      receiver->OnEnd();
      break;
    case Segment::kReset:
      segments_.clear();
      receiver->OnReset();
      if (sender != nullptr) sender->OnReset();
      break;
  }
}

void SimPipe::Taken(size_t bytes) {
  unread_ -= bytes;
  if (sender != nullptr) sender->OnRoom();
}

void SimPipe::Release() {
  for (; held_ > 0; --held_) ArriveAfter(world_->RandomLatency(), absl::ZeroDuration());
}

bool SimPipe::Between(const std::string& a, const std::string& b) const {
  return (from_ == a && to_ == b) || (from_ == b && to_ == a);
}

// --- SimStream ----------------------------------------------------------------

SimStream::SimStream(std::shared_ptr<SimWorld> world, std::shared_ptr<SimPipe> out,
                     std::shared_ptr<SimPipe> in, std::string local, std::string peer)
    : world_(std::move(world)),
      out_(std::move(out)),
      in_(std::move(in)),
      local_(std::move(local)),
      peer_(std::move(peer)),
      self_(std::make_shared<SimStream*>(this)) {
  out_->sender = this;
  in_->receiver = this;
}

SimStream::~SimStream() {
  *self_ = nullptr;
  if (!connected_) return;
  // As a kernel does it: a reset if bytes are lost on either side, else an orderly end.
  if (!output_.empty() || !arrived_.empty()) {
    out_->SendReset();
  } else if (!shut_) {
    out_->SendEnd();
  }
  Disconnect();
}

void SimStream::Start(StreamHandler* handler) {
  CHECK(handler_ == nullptr) << "started twice: " << peer_;
  handler_ = handler;
  Stream::Attach(handler, this);
  Schedule();
}

void SimStream::Write(std::string_view bytes) {
  if (!connected_ || closing_) return;
  output_.Append(bytes);
  if (output_.size() > kStreamHighWater) above_mark_ = true;
  Schedule();
}

char* SimStream::BeginWrite(size_t most) {
  output_.Reserve(most);
  return output_.Tail();
}

void SimStream::EndWrite(size_t count) {
  if (!connected_ || closing_) return;
  output_.Commit(count);
  if (output_.size() > kStreamHighWater) above_mark_ = true;
  Schedule();
}

void SimStream::SetReading(bool on) {
  if (on == reading_ || !connected_) return;
  reading_ = on;
  offer_again_ = on;
  Schedule();
}

void SimStream::CloseWhenDrained(absl::Duration linger) {
  if (closing_ || !connected_) return;
  closing_ = true;
  linger_timer_ = world_->executor.PostAfter(linger, [this] {
    linger_timer_ = TimerId();
    if (!output_.empty()) out_->SendReset();
    Finish(DeadlineExceeded("connection to ", peer_, ": not closed in time, ",
                            output_.size(), " bytes unsent"));
  });
  Schedule();
}

void SimStream::Abort(absl::Status reason) {
  if (!connected_) return;
  out_->SendReset();
  Disconnect();
  aborted_ = true;
  broken_ = std::move(reason);
  Schedule();
}

void SimStream::OnBytes(std::string_view bytes) {
  arrived_ += bytes;
  Schedule();
}

void SimStream::OnEnd() {
  end_arrived_ = true;
  Schedule();
}

void SimStream::OnReset() {
  if (broken_.ok()) {
    broken_ = Unavailable("connection to ", peer_, ": Connection reset by peer");
  }
  Schedule();
}

void SimStream::OnNetworkGone() {
  Finish(Cancelled("connection to ", peer_, ": the network is gone"));
}

void SimStream::Schedule() {
  if (scheduled_ || handler_ == nullptr) return;
  scheduled_ = true;
  world_->executor.Post([self = self_] {
    if (*self != nullptr) (*self)->Turn();
  });
}

void SimStream::Turn() {
  scheduled_ = false;
  if (handler_ == nullptr) return;
  if (aborted_) {
    Finish(broken_);
    return;
  }
  if (!Deliver()) return;
  if (!broken_.ok()) {
    Finish(broken_);
    return;
  }
  Flush();
}

bool SimStream::Deliver() {
  if (!reading_) return true;
  if (!arrived_.empty() || (offer_again_ && !input_.empty())) {
    offer_again_ = false;
    const std::string read = std::exchange(arrived_, {});
    input_.Append(read);
    in_->Taken(read.size());
    size_t consumed;
    if (!Tell([&] { consumed = handler_->OnData(input_.view()); })) return false;
    CHECK_LE(consumed, input_.size()) << "consumed more than there is: " << peer_;
    input_.Consume(consumed);
  }
  if (reading_ && end_arrived_ && !peer_closed_) {
    peer_closed_ = true;
    return Tell([this] { handler_->OnPeerClosed(); });
  }
  return true;
}

bool SimStream::Flush() {
  const std::string_view sent = output_.view().substr(0, out_->Room(output_.size()));
  out_->Send(sent);
  output_.Consume(sent.size());
  if (!output_.empty()) return true;
  if (std::exchange(above_mark_, false)) {
    if (!Tell([this] { handler_->OnDrained(); })) return false;
    if (!output_.empty()) return true;
  }
  if (closing_ && !shut_) {
    shut_ = true;
    out_->SendEnd();
  }
  if (shut_ && peer_closed_) {
    Finish(absl::OkStatus());
    return false;
  }
  return true;
}

template <typename Event>
bool SimStream::Tell(Event event) {
  const std::shared_ptr<SimStream*> self = self_;
  event();
  return *self != nullptr && connected_;
}

void SimStream::Finish(const absl::Status& reason) {
  Disconnect();
  lost_ = output_.size();
  output_.Consume(lost_);
  if (handler_ != nullptr) std::exchange(handler_, nullptr)->OnClosed(reason);
}

void SimStream::Disconnect() {
  connected_ = false;
  world_->executor.Cancel(std::exchange(linger_timer_, TimerId()));
  if (out_->sender == this) out_->sender = nullptr;
  if (in_->receiver == this) in_->receiver = nullptr;
}

}  // namespace skep

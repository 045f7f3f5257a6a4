#include "rpc/tcp_stream.h"

#include <errno.h>
#include <glog/logging.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace skep {
namespace {

// Reads of one stream before the others of its loop have their turn.
constexpr int kReadsPerEvent = 4;
// What one event answers leaves together; but if it is all that the loop has to do, in
// parts of so many writes, so that the peer works on them meanwhile. Two parts of what
// is in flight are best, one for each side to work on, as long as neither falls asleep
// between them; more only wake the other often.
constexpr int kWritesTogether = 16;
constexpr int kMostTogether = 64;
// Answers of one event that are fewer and smaller leave with those of the turn's other
// events, which wakes the peer less often.
constexpr int kFewWrites = 4;
constexpr size_t kFewBytes = 2048;
// Read to where a handler wants them, in one call: no more than stays in the cache
// until the handler has looked at them.
constexpr size_t kDirectBytes = 512 << 10;
constexpr int kPiecesPerSend = 16;
// Written at once, it makes the stream one that carries bulk.
constexpr size_t kMuch = 64 << 10;

std::string EndName(const SocketAddress& address) {
  return address.family() == AF_UNIX && address.ToAddress() == Address()
             ? "unix:"
             : address.ToAddress().ToString();
}

// The connecting end of a Unix socket has no name: the listening end names both.
std::string PeerName(int fd) {
  const std::string peer = EndName(PeerAddress(fd));
  return peer == "unix:" ? EndName(LocalAddress(fd)) : peer;
}

void ResetOnClose(int fd) {
  const linger at_once = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

}  // namespace

TcpStream::TcpStream(EventLoop& loop, Fd socket)
    : loop_(loop),
      socket_(std::move(socket)),
      peer_(PeerName(socket_.get())),
      local_(EndName(LocalAddress(socket_.get()))) {
  PrepareStreamSocket(socket_.get());
}

TcpStream::~TcpStream() {
  if (destroyed_ != nullptr) *destroyed_ = true;
  LoseUnsent();
  Disconnect();
}

// A peer must not take the front part of our output for the whole.
void TcpStream::LoseUnsent() {
  if (socket_.valid() && !output_.empty()) ResetOnClose(socket_.get());
}

void TcpStream::Start(StreamHandler* handler) {
  DCHECK(loop_.IsCurrent());
  CHECK(handler_ == nullptr) << "started twice: " << peer_;
  handler_ = handler;
  Stream::Attach(handler, this);
  loop_.Attach(this);
  attached_ = true;
  interest_ = kReadable;
  const absl::Status status = loop_.Watch(socket_.get(), interest_, this);
  watched_ = status.ok();
  if (!status.ok()) Abort(status);
}

void TcpStream::Write(std::string_view bytes) {
  if (!socket_.valid() || closing_) return;
  output_.Append(bytes);
  Written();
}

void TcpStream::WriteBulk(std::string_view bytes) {
  if (!socket_.valid() || closing_) return;
  NoteBulk(bytes.size());
  // An error is found again, and told, when the queue is flushed.
  if (!blocked_ && handler_ != nullptr) {
    SendFront(&bytes);
    // Written does not ask to be told when there is room again.
    if (blocked_) Wake();
  }
  Write(bytes);
}

void TcpStream::WriteOwned(std::string bytes) {
  if (!socket_.valid() || closing_) return;
  NoteBulk(bytes.size());
  output_.AppendBulk(std::move(bytes));
  if (output_.size() > kStreamHighWater) above_mark_ = true;
  // Leaves with what is written next, at once: see Written.
  if (!blocked_) Wake();
}

char* TcpStream::BeginWrite(size_t most) { return output_.BeginWrite(most); }

void TcpStream::EndWrite(size_t count) {
  if (!socket_.valid() || closing_) return;
  output_.EndWrite(count);
  Written();
}

void TcpStream::Written() {
  if (!blocked_) {
    // An error is found again, and told, when the queue is flushed.
    if (IsPart() || output_.has_bulk()) SendFront();
    Wake();
  }
  if (output_.size() > kStreamHighWater) above_mark_ = true;
}

bool TcpStream::IsPart() {
  ++writes_;
  if (!telling_) return false;
  in_flight_.AddWrite();
  if (writes_ < kWritesTogether || !loop_.Alone()) return false;
  if (!loop_.ExpectMore()) return true;
  return writes_ >= std::min(in_flight_.most() / 2, kMostTogether);
}

void TcpStream::NoteBulk(size_t size) {
  if (size < kMuch || std::exchange(carries_bulk_, true)) return;
  PrepareForBulk(socket_.get());
}

ssize_t TcpStream::SendFront(std::string_view* more) {
  writes_ = 0;
  iovec pieces[kPiecesPerSend + 1];
  int count = output_.Front(pieces, kPiecesPerSend);
  if (more != nullptr && count < kPiecesPerSend) {
    pieces[count++] = {const_cast<char*>(more->data()), more->size()};
  }
  msghdr message = {};
  message.msg_iov = pieces;
  message.msg_iovlen = static_cast<size_t>(count);
  const ssize_t sent = sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
  if (sent > 0) {
    const size_t queued = std::min(static_cast<size_t>(sent), output_.size());
    output_.Consume(queued);
    if (more != nullptr) more->remove_prefix(static_cast<size_t>(sent) - queued);
  }
  if (sent < 0 && errno == EAGAIN) blocked_ = true;
  return sent;
}

size_t TcpStream::untaken() const {
  int in_kernel = 0;
  if (!socket_.valid() || ioctl(socket_.get(), SIOCOUTQ, &in_kernel) != 0)
    return unsent();
  return unsent() + static_cast<size_t>(in_kernel);
}

void TcpStream::SetReading(bool on) {
  if (on == reading_ || !socket_.valid()) return;
  reading_ = on;
  offer_again_ = on;
  if (on) {
    loop_.CallAtTurnEnd(this);
  } else {
    Wake();
  }
}

void TcpStream::CloseWhenDrained(absl::Duration linger) {
  if (closing_ || !socket_.valid()) return;
  closing_ = true;
  linger_timer_ = loop_.PostAfter(linger, [this] { OnLingerPassed(); });
  Wake();
}

void TcpStream::Abort(absl::Status reason) {
  if (!socket_.valid()) return;
  abort_reason_ = std::move(reason);
  aborted_ = true;
  ResetOnClose(socket_.get());
  Disconnect();
  loop_.Attach(this);
  attached_ = true;
  loop_.CallAtTurnEnd(this);
}

void TcpStream::Wake() { loop_.CallAtTurnEnd(this); }

void TcpStream::OnReady(Readiness ready) {
  if ((ready & kWritable) != 0) {
    blocked_ = false;
    if (!Flush()) return;
  }
  const bool reads = reading_ && !peer_closed_;
  if (reads && (ready & (kReadable | kBroken)) != 0) {
    // Finds what broke the connection too, after the bytes that came before.
    if (!ReadAvailable()) return;
  } else if ((ready & kBroken) != 0) {
    const int error = PendingError(socket_.get());
    if (error != 0) {
      Finish(ConnectionError(error, StrCat("connection to ", peer_)));
      return;
    }
    // Closed in both directions, and the handler does not want to know yet. The poller
    // would report it for ever.
    loop_.Unwatch(socket_.get(), this);
    watched_ = false;
  }
  UpdateInterest();
}

void TcpStream::OnTurnEnd() {
  if (aborted_) {
    Finish(abort_reason_);
    return;
  }
  if (std::exchange(offer_again_, false) && !input_.empty()) {
    size_t consumed;
    if (!Offer(input_.view(), &consumed)) return;
    input_.Consume(consumed);
  }
  if (Flush()) UpdateInterest();
}

void TcpStream::OnLoopStopping() {
  attached_ = false;
  Finish(aborted_ ? abort_reason_
                  : Cancelled("connection to ", peer_, ": the transport is stopping"));
}

bool TcpStream::ReadAvailable() {
  // What is to be offered again comes before anything newer, the peer's end included.
  for (int i = 0; i < kReadsPerEvent && reading_ && !offer_again_ && !peer_closed_;
       ++i) {
    // To where the handler wants many, and else into the loop's memory, so that bytes
    // which are consumed at once are not copied and idle streams hold none; behind what
    // is left of earlier ones, if any.
    const bool fresh = input_.empty();
    std::span<char> direct;
    std::span<char> into(loop_.scratch(), EventLoop::kScratchBytes);
    if (fresh) {
      direct = handler_->Room();
      if (direct.size() > kDirectBytes) {
        direct = direct.first(kDirectBytes);
        into = {};
      }
    } else {
      input_.Reserve(EventLoop::kScratchBytes);
      into = {input_.Tail(), input_.room()};
    }
    const ssize_t count = Receive(direct, into);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return true;
      Finish(ConnectionError(errno, StrCat("read from ", peer_)));
      return false;
    }
    if (count == 0) return ReceivePeerClosed();
    const size_t received = static_cast<size_t>(count);
    const size_t filled = std::min(received, direct.size());
    if (filled != 0 && !Tell([&] { handler_->OnFilled(filled); })) return false;
    if (!TakeIn(into.data(), received - filled, fresh)) return false;
    const bool drained = received < direct.size() + into.size();
    const bool few = writes_ < kFewWrites && output_.size() < kFewBytes;
    if (!(few && drained) && !Flush()) return false;
    if (drained) return true;
  }
  return true;
}

ssize_t TcpStream::Receive(std::span<char> direct, std::span<char> rest) {
  if (direct.empty()) return recv(socket_.get(), rest.data(), rest.size(), 0);
  const iovec pieces[] = {{direct.data(), direct.size()}, {rest.data(), rest.size()}};
  return readv(socket_.get(), pieces, rest.empty() ? 1 : 2);
}

bool TcpStream::TakeIn(const char* at, size_t count, bool fresh) {
  if (count == 0) return true;
  if (!fresh) input_.Commit(count);
  const std::string_view bytes = fresh ? std::string_view(at, count) : input_.view();
  size_t consumed;
  if (!Offer(bytes, &consumed)) return false;
  if (fresh) {
    input_.Append(bytes.substr(consumed));
  } else {
    input_.Consume(consumed);
  }
  return true;
}

bool TcpStream::Offer(std::string_view bytes, size_t* consumed) {
  if (!Tell([&] { *consumed = handler_->OnData(bytes); })) return false;
  CHECK_LE(*consumed, bytes.size()) << "consumed more than there is: " << peer_;
  return true;
}

bool TcpStream::ReceivePeerClosed() {
  peer_closed_ = true;
  return Tell([this] { handler_->OnPeerClosed(); }) && Flush();
}

bool TcpStream::Flush() {
  if (!output_.empty() && !blocked_ && !SendQueued()) return false;
  if (!output_.empty()) return true;
  if (std::exchange(above_mark_, false)) {
    if (!Tell([this] { handler_->OnDrained(); })) return false;
    // What the handler wrote leaves at the end of the turn: a handler that always has
    // more must not keep the loop to itself.
    if (!output_.empty()) {
      Wake();
      return true;
    }
  }
  if (closing_ && !shut_) {
    shut_ = true;
    shutdown(socket_.get(), SHUT_WR);
  }
  if (shut_ && peer_closed_) {
    Finish(absl::OkStatus());
    return false;
  }
  return true;
}

bool TcpStream::SendQueued() {
  while (!output_.empty()) {
    if (SendFront() >= 0 || errno == EINTR) continue;
    if (blocked_) return true;
    Finish(ConnectionError(
        errno, StrCat("write to ", peer_, " (", output_.size(), " bytes unsent)")));
    return false;
  }
  return true;
}

template <typename Event>
bool TcpStream::Tell(Event event) {
  bool destroyed = false;
  destroyed_ = &destroyed;
  telling_ = true;
  event();
  if (destroyed) return false;
  destroyed_ = nullptr;
  telling_ = false;
  in_flight_.EndEvent();
  return socket_.valid();
}

void TcpStream::Finish(absl::Status reason) {
  LoseUnsent();
  Disconnect();
  lost_ = output_.size();
  output_.Consume(lost_);
  if (handler_ != nullptr) std::exchange(handler_, nullptr)->OnClosed(reason);
}

void TcpStream::Disconnect() {
  if (linger_timer_ != TimerId()) loop_.Cancel(linger_timer_);
  linger_timer_ = TimerId();
  if (std::exchange(watched_, false)) loop_.Unwatch(socket_.get(), this);
  if (std::exchange(attached_, false)) loop_.Detach(this);
  socket_.Reset();
}

void TcpStream::UpdateInterest() {
  if (!watched_) {
    // Closed in both directions already; reading on will find that out.
    if (!reading_ || peer_closed_) return;
    const absl::Status status = loop_.Watch(socket_.get(), kReadable, this);
    CHECK(status.ok()) << status;
    watched_ = true;
    interest_ = kReadable;
  }
  const Readiness wanted =
      static_cast<Readiness>((reading_ && !peer_closed_ ? kReadable : kNothing) |
                             (blocked_ ? kWritable : kNothing));
  if (wanted == interest_) return;
  interest_ = wanted;
  loop_.ChangeInterest(socket_.get(), interest_, this);
}

void TcpStream::OnLingerPassed() {
  linger_timer_ = TimerId();
  Finish(DeadlineExceeded("connection to ", peer_, ": not closed in time, ",
                          output_.size(), " bytes unsent"));
}

}  // namespace skep

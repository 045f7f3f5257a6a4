// Stream over a connected socket (TCP, Unix, socket pair) on an EventLoop.

#ifndef SKEP_RPC_TCP_STREAM_H_
#define SKEP_RPC_TCP_STREAM_H_

#include <span>
#include <string>
#include <string_view>

#include "rpc/buffer.h"
#include "rpc/event_loop.h"
#include "rpc/in_flight.h"
#include "rpc/output_queue.h"
#include "rpc/socket.h"
#include "rpc/transport.h"

namespace skep {

class TcpStream final : public Stream, private Watcher {
 public:
  // Takes a connected socket. Touches the loop no sooner than in Start, so it may be
  // made, and destroyed unstarted, on any thread.
  TcpStream(EventLoop& loop, Fd socket);
  ~TcpStream() override;

  void Start(StreamHandler* handler) override;
  void Write(std::string_view bytes) override;
  void WriteBulk(std::string_view bytes) override;
  void WriteOwned(std::string bytes) override;
  char* BeginWrite(size_t most) override;
  void EndWrite(size_t count) override;
  size_t unsent() const override { return output_.size(); }
  size_t untaken() const override;
  size_t lost() const override { return lost_; }
  void SetReading(bool on) override;
  void CloseWhenDrained(absl::Duration linger) override;
  void Abort(absl::Status reason) override;
  Executor& executor() override { return loop_; }
  const std::string& peer() const override { return peer_; }
  const std::string& local() const override { return local_; }

 private:
  void OnReady(Readiness ready) override;
  void OnTurnEnd() override;
  void OnLoopStopping() override;

  // These run handler code. False: the stream is closed, or even destroyed, and must
  // not be touched any more.
  bool ReadAvailable();
  bool Offer(std::string_view bytes, size_t* consumed);
  bool TakeIn(const char* at, size_t count, bool fresh);
  ssize_t Receive(std::span<char> direct, std::span<char> rest);
  bool ReceivePeerClosed();
  bool Flush();
  bool SendQueued();
  void Written();
  // Sends in parts: see kWritesTogether.
  bool IsPart();
  void NoteBulk(size_t size);
  // Sends the front of the queue, and `*more` behind it: takes off what was sent. As
  // send, and sets blocked_.
  ssize_t SendFront(std::string_view* more = nullptr);
  template <typename Event>
  bool Tell(Event event);

  // The end: OnClosed, the last touch of the handler. By value: the handler may destroy
  // this object, and with it the reason for which it was aborted.
  void Finish(absl::Status reason);
  void LoseUnsent();
  // Lets go of the socket and of the loop.
  void Disconnect();
  void UpdateInterest();
  void OnLingerPassed();
  // What Write and the like did takes effect at the turn's end.
  void Wake();

  EventLoop& loop_;
  Fd socket_;
  const std::string peer_;
  const std::string local_;

  StreamHandler* handler_ = nullptr;
  Buffer input_;        // Received and not consumed.
  OutputQueue output_;  // Written and not sent.
  Readiness interest_ = kNothing;
  bool attached_ = false;      // To the loop.
  bool watched_ = false;       // By the poller.
  bool reading_ = true;        // As SetReading said.
  bool offer_again_ = false;   // Reading was resumed: input_ is offered.
  bool blocked_ = false;       // The kernel takes no more output for now.
  bool above_mark_ = false;    // Output was over kStreamHighWater and has not drained.
  bool peer_closed_ = false;   // The peer's half.
  bool carries_bulk_ = false;  // And is prepared for it.
  bool closing_ = false;       // CloseWhenDrained was called.
  bool shut_ = false;          // Our half.
  bool telling_ = false;       // Inside a handler's event.
  int writes_ = 0;             // Since bytes were last given to the kernel.
  InFlight in_flight_;
  absl::Status abort_reason_;
  bool aborted_ = false;
  TimerId linger_timer_;
  size_t lost_ = 0;  // Of output_, when the stream ended.
  // Set where the destructor must tell a function further up that it ran.
  bool* destroyed_ = nullptr;
};

}  // namespace skep

#endif  // SKEP_RPC_TCP_STREAM_H_

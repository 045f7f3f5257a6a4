// The channel itself: one connection at a time, the table of outstanding calls, and
// what the peer calls here. Connect, ChannelOver and Server (server.h) are its makers.
//
// Threads: Start, Cancel, Close and replies come from anywhere; everything else, and
// every event of the stream, happens on the executor, whose state needs no lock. Calls
// and replies from other threads are encoded there and gather in the inbox, a lock-free
// list, and one posted closure sends all that it finds. A mutex holds only why there is
// no connection.
//
// Life: whoever holds a shared_ptr keeps it alive; closing keeps it alive by itself
// until the stream's last event.

#ifndef SKEP_RPC_CHANNEL_CORE_H_
#define SKEP_RPC_CHANNEL_CORE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/random.h"
#include "rpc/call_table.h"
#include "rpc/channel.h"
#include "rpc/inbox.h"
#include "rpc/large_frame.h"
#include "rpc/rpc0_codec.h"
#include "rpc/server.h"
#include "rpc/serving.h"
#include "rpc/transport.h"

namespace skep {

class ControlHello;
class ControlPing;

struct ChannelCoreOptions {
  ConnectOptions connect;
  // The server's end of a connection: it waits for hello instead of saying it, and
  // stops reading while its replies are not taken.
  bool accepted = false;
  size_t high_water_bytes = 4 << 20;
  int max_calls = 10'000;
  size_t max_request_bytes = 64 << 20;
  absl::Duration idle_timeout = absl::InfiniteDuration();
  absl::Duration frame_timeout = absl::InfiniteDuration();
  absl::Duration stall_timeout = absl::InfiniteDuration();
  LegacyFailure legacy_failure = LegacyFailure::kError;
  std::function<std::unique_ptr<StreamHandler>(Stream&)> other_protocol;
  // Shared by the server's connections; made if null.
  std::shared_ptr<ServerLoad> load;
  // The channel has ended for good. On the executor.
  std::function<void()> on_ended;
};

class ChannelCore final : public Channel,
                          public StreamHandler,
                          public ReplySink,
                          public std::enable_shared_from_this<ChannelCore> {
 public:
  ChannelCore(Executor& executor, std::string peer, ChannelCoreOptions options);
  ~ChannelCore() override;

  // One of the two, once. On any thread.
  void Adopt(std::unique_ptr<Stream> stream);
  void ConnectTo(Transport* transport, Address to);

  // Tells a skep peer to go away, which closes when its calls are done; closes itself
  // when what another peer asked is answered. On the executor.
  void BeginShutdown();
  // Ends the connection without waiting for anything. On the executor.
  void AbortNow(absl::Status reason);
  // The same without a further event, for an executor that may never run again. Not
  // inside an event of the stream.
  void DropNow(absl::Status reason);

  Executor& executor() { return executor_; }

  // Channel.
  CallId Start(const google::protobuf::MethodDescriptor& method,
               const google::protobuf::Message& request,
               google::protobuf::Message* response, CallOptions options,
               Done done) override;
  void Cancel(CallId call) override;
  void Close(absl::Status reason) override;
  bool connected() const override { return ready_.load(std::memory_order_relaxed); }
  int pending() const override {
    return pending_.load(std::memory_order_relaxed) +
           submitted_.load(std::memory_order_relaxed);
  }
  std::string peer() const override { return peer_; }
  ChannelCounters counters() const override;
  bool OnExecutor() const override { return executor_.IsCurrent(); }

  // StreamHandler.
  size_t OnData(std::string_view bytes) override;
  std::span<char> Room() override;
  void OnFilled(size_t count) override;
  void OnPeerClosed() override;
  void OnDrained() override;
  void OnClosed(const absl::Status& reason) override;

  // ReplySink.
  bool Here() const override { return executor_.IsCurrent(); }
  void Submit(ServedReply* reply) override { PushToInbox(reply); }
  void FinishCall(ServedCall call, OutFrame frame) override;
  void FailCall(ServedCall call, OutFrame frame, bool extended) override;
  void Reply(ServedCall call, const Envelope& reply,
             const google::protobuf::Message& response, size_t room,
             std::string attachment) override;
  void WhenWritten(ServedCall call, std::function<void(absl::Time)> done) override;

 private:
  // A number that the executor alone changes, and anybody reads.
  template <typename Number>
  static void Add(std::atomic<Number>& number, Number by) {
    number.store(number.load(std::memory_order_relaxed) + by,
                 std::memory_order_relaxed);
  }

  // channel_core.cc: calls out.
  CallId Refuse(absl::Status status, Done done);
  absl::Status Admit();
  void SendAtOnce(CallSlot* slot, const Envelope& envelope,
                  const google::protobuf::Message& request, size_t room,
                  std::string attachment);
  // Encodes it into its slot, for a connection or for the executor's turn.
  void Encode(const Envelope& envelope, const google::protobuf::Message& message,
              std::string attachment, absl::Time now, CallSlot* slot);
  void PushToInbox(InboxNode* node);
  // Deals with what other threads have given.
  void TakeInbox();
  void TakeCall(CallSlot* slot);
  void SendWaiting();
  void Transmit(CallSlot* slot);
  // `frame` is used up; its head's memory stays.
  void WriteFrame(OutFrame& frame);
  void WriteFrame(OutFrame&& frame) { WriteFrame(frame); }
  // Encodes into the stream's own memory. `room` is FrameRoom's.
  void WriteInPlace(const Envelope& envelope, const google::protobuf::Message& body,
                    size_t room, std::string attachment);
  void NoteUnsent();
  // channel_completion.cc: how calls end.
  void OnReply(const Envelope& reply);
  void Complete(OutstandingCall& call, const absl::Status& status,
                const Envelope* reply);
  void CompleteAll(std::vector<OutstandingCall> calls, const absl::Status& status);
  // Of what completions began in this read, if they took long.
  void PutOffDeadlines();
  void ArmTimer();
  void ArmTimerAt(absl::Time earliest);
  void OnTimer();
  void CancelNow(CallId id);
  std::string Describe(const OutstandingCall& call) const;

  // channel_connection.cc: the connection.
  void TryConnect();
  void OnConnectFailed(const absl::Status& status);
  void ScheduleReconnect();
  void OnStream(std::unique_ptr<Stream> stream);
  // There is no connection any more, because of `reason`.
  void NotReady(const absl::Status& reason);
  absl::Status LastError() const;
  absl::Status EndReason() const;
  // channel_input.cc: frames and calls in.
  size_t OnDelegateData(std::string_view bytes);
  // False: the frame is no good, and *fault says why.
  bool HandleBody(std::string_view body, absl::Time now,
                  const std::shared_ptr<Channel>& self, std::string* fault);
  void HandleEnvelope(const Envelope& envelope, absl::Time now,
                      const std::shared_ptr<Channel>& self);
  // The same for large_, of which all has come.
  bool HandleLarge(absl::Time now, const std::shared_ptr<Channel>& self,
                   std::string* fault);
  void OnRequest(const Envelope& request, absl::Time now,
                 const std::shared_ptr<Channel>& self);
  void Fault(std::string_view what);
  // Of a client that speaks TLS where there is none.
  void RefuseTls();
  // Half-closes; what the peer still sends does not matter.
  void HangUp(const absl::Status& reason);
  // Nothing more comes in: fails what was sent. What was queued may still leave, except
  // for the last `lost` bytes.
  void EndCalls(const absl::Status& reason, size_t lost = 0);
  void EndForGood(absl::Status reason);
  void CloseNow(absl::Status reason);
  void UpdateReading();
  void MaybeClose();
  void CheckIdle();
  void SetState(bool connected);
  // channel_written.cc: when replies have left.
  void AwaitWritten(ServedCall call, absl::Time since,
                    std::function<void(absl::Time)> done);
  // channel_limits.cc: memory, slow frames, silent peers.
  void CountMemory();
  bool HoldsTooMuch() const;
  // `bytes` of a frame wait for the rest.
  void NotePartialFrame(size_t bytes, absl::Time now);
  // The rest has come.
  void NoteWholeFrame();
  void CheckFrameIn(absl::Duration delay);
  void CheckFrame();
  void CheckTaking();
  void WatchPeer();
  void CheckPeerIn(absl::Duration delay);
  void CheckPeer();
  void OnPing(const ControlPing& ping);
  void SayStillHere();
  // channel_control.cc: hello, cancel, go-away.
  void OnControl(const Envelope& request);
  void OnHello(const Envelope& request);
  void SayHello();
  // The peer does not want us, and said why: to be tried again after the backoff.
  void Refused(std::string_view reason);
  void OnHelloReply(const absl::Status& status, const ControlHello& sent,
                    const ControlHello& reply);
  void SendControl(const char* method, const google::protobuf::Message& request);
  void OnGoAway();

  absl::Time Now() const { return executor_.clock().Now(); }

  Executor& executor_;
  const std::string peer_;
  const ChannelCoreOptions options_;
  const std::shared_ptr<ServerLoad> load_;

  // Of other threads, too.
  CallTable calls_;
  Inbox inbox_;
  std::atomic<int> submitted_{0};  // outstanding calls in the inbox
  mutable Mutex mutex_;
  absl::Status end_reason_ ABSL_GUARDED_BY(mutex_);
  absl::Status last_error_ ABSL_GUARDED_BY(mutex_);  // why there is no connection

  // Changed on the executor, read anywhere.
  std::atomic<int> pending_{0};          // but for those in the inbox
  std::atomic<size_t> unsent_bytes_{0};  // of the stream, as last seen
  std::atomic<bool> ready_{false};       // connected, and not going away
  std::atomic<bool> ended_{false};
  struct Counters {
    std::atomic<uint64_t> sent{0};
    std::atomic<uint64_t> replies{0};
    std::atomic<uint64_t> deadlines{0};
    std::atomic<uint64_t> cancelled{0};
    std::atomic<uint64_t> disconnected{0};
    std::atomic<uint64_t> late_replies{0};
    std::atomic<uint64_t> duplicate_replies{0};
    std::atomic<uint64_t> foreign_replies{0};
    std::atomic<uint64_t> error_frames{0};
  } counters_;

  // On the executor only.
  Transport* transport_ = nullptr;  // null: never reconnects
  Address to_;
  Random random_;
  int failures_ = 0;  // attempts to connect in a row
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Serving> serving_;
  std::unique_ptr<StreamHandler> delegate_;  // speaks another protocol on our stream
  std::unique_ptr<LargeFrame> large_;        // is on its way in
  uint32_t connection_ = 0;
  uint64_t written_ = 0;  // bytes, to this connection
  bool seen_data_ = false;
  bool told_connected_ = false;
  bool discarding_ = false;   // input no longer matters
  bool input_ended_ = false;  // the peer's half is closed
  bool draining_ = false;     // closes when its calls are done
  bool closing_ = false;      // our half is closed, or will be when drained
  bool reading_ = true;
  bool watching_peer_ = false;   // calls are outstanding: it must say something
  bool peer_asked_ = false;      // whether it is there
  uint64_t taken_at_check_ = 0;  // bytes, by the peer's kernel or ours
  bool still_here_ = false;      // the peer is told so soon
  bool memory_check_ = false;    // is due
  size_t counted_memory_ = 0;    // of ours, in load_
  uint64_t taken_before_ = 0;    // bytes, by the peer, of those that it may not take
  absl::Time took_at_;           // when it took some, or had none to take
  size_t partial_frame_ = 0;     // bytes
  absl::Time frame_began_;
  TimerId frame_timer_;
  bool peer_is_skep_ = false;
  bool scoped_ = false;  // nothing between us and the peer: control messages work
  uint64_t last_accepted_id_ = 0;
  absl::Time last_activity_;
  bool handling_ = false;      // what came at last_activity_
  std::vector<CallId> begun_;  // meanwhile, by completions
  TimerId idle_timer_;
  TimerId timer_;
  absl::Time timer_at_ = absl::InfiniteFuture();
  std::shared_ptr<ChannelCore> self_;  // while closing: see above
};

}  // namespace skep

#endif  // SKEP_RPC_CHANNEL_CORE_H_

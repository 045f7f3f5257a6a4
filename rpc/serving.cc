#include "rpc/serving.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "base/status.h"
#include "glog/logging.h"
#include "rpc/bulk.h"
#include "rpc/frame.h"
#include "rpc/pb_codec.h"
#include "rpc/service_table.h"

namespace skep {
namespace {

// Told to callers when the server is full: long enough for a queue to move.
constexpr absl::Duration kFullRetryAfter = absl::Milliseconds(100);
// In a PB frame, beside its response and the name of its type.
constexpr size_t kPbEnvelopeBytes = 64;

OutFrame FromWhole(std::string frame) {
  OutFrame out;
  out.checksum = LoadBig32(frame.data() + frame.size() - kFrameChecksumBytes);
  frame.resize(frame.size() - kFrameChecksumBytes);
  out.head = std::move(frame);
  return out;
}

// Kept for other calls, by each thread, of each method.
#ifdef __SANITIZE_ADDRESS__
constexpr size_t kKeptCalls = 0;  // so that a touch after a call's end is found
#else
constexpr size_t kKeptCalls = 256;
#endif
// Messages that were larger are not kept.
constexpr size_t kKeptMessageBytes = 16 << 10;

// How the caller is to be answered.
struct Origin {
  uint64_t id = 0;
  uint64_t trace = 0;
  bool has_trace = false;
  bool extended = false;
  bool no_reply = false;
  bool pb = false;
};

// One call, from its request to its reply. It and its messages serve one call after
// another: a call is over when the handler runs it.
class ServerCall final : public google::protobuf::Closure {
 public:
  // A call that has ended on this thread, or a new one.
  static ServerCall* Take(const ServedMethod& method) {
    std::vector<std::unique_ptr<ServerCall>>& kept = KeptFor(method);
    if (kept.empty()) return new ServerCall(method);
    ServerCall* const call = kept.back().release();
    kept.pop_back();
    return call;
  }
  explicit ServerCall(const ServedMethod& method)
      : request_(method.request->New()), response_(method.response->New()) {}

  // `method` is copied: a late `done` may outlive the table. `sink` is shared: handlers
  // outlive connections. `load` is the sink's.
  void Begin(const ServedMethod& method, const Origin& origin, ServedCall name,
             size_t bytes, absl::Time arrived, std::shared_ptr<ReplySink> sink,
             ServerLoad& load, const Clock& clock) {
    clock_ = &clock;
    arrived_ = begun_ = arrived;
    method_ = method;
    bytes_ = bytes;
    origin_ = origin;
    name_ = name;
    sink_ = std::move(sink);
    load_ = &load;
    load.CallBegins(bytes_);
    if (method.counts != nullptr) method.counts->Begin();
  }

  google::protobuf::Message& request() { return *request_; }
  Controller& controller() { return controller_; }

  // At `now`, or a little later. False: its caller no longer waits, and it was not
  // begun.
  bool Execute(absl::Time now) {
    begun_ = method_.counts == nullptr ? now : clock_->Now();
    if (controller_.deadline() <= now) {
      controller_.SetStatus(DeadlineExceeded(
          method_.method->full_name(), " was not begun before its caller's deadline"));
      Run();
      return false;
    }
    if (controller_.IsCanceled()) {
      controller_.SetStatus(
          Cancelled(method_.method->full_name(), " was cancelled before it was begun"));
      Run();
      return false;
    }
    method_.service->CallMethod(method_.method, &controller_, request_.get(),
                                response_.get(), this);
    return true;
  }

  void FailFull(absl::Status status, absl::Duration retry_after = kFullRetryAfter) {
    controller_.set_retry_after(retry_after);
    Fail(std::move(status), WireError::kTimeout);
  }

  void Fail(absl::Status status, WireError error) {
    controller_.SetStatus(std::move(status));
    error_ = error;
    Run();
  }

  // The handler's `done`. On any thread.
  void Run() override {
    name_.stop_taken = controller_.stop_token_taken();
    if (!origin_.no_reply && controller_.status().ok()) Prepare();
    std::unique_ptr<SlowCall> slow;
    if (method_.counts != nullptr) slow = Count();
    if (origin_.no_reply) {
      sink_->FinishCall(name_, OutFrame());
    } else if (!controller_.status().ok()) {
      sink_->FailCall(name_, EncodeError(), origin_.extended || origin_.pb);
    } else if (origin_.pb) {
      sink_->FinishCall(name_, EncodePb());
    } else {
      sink_->Reply(name_, reply_, *response_, room_,
                   std::move(controller_.mutable_response_attachment()));
    }
    if (slow != nullptr) Keep(std::move(slow));
    End();
  }

 private:
  using Kept = std::vector<std::unique_ptr<ServerCall>>;

  // Those of the method that have ended on this thread.
  static Kept& KeptFor(const ServedMethod& method) {
    // A process serves a handful of methods.
    thread_local std::vector<std::pair<const google::protobuf::MethodDescriptor*, Kept>>
        all;
    for (auto& [served, kept] : all) {
      if (served == method.method) return kept;
    }
    return all.emplace_back(method.method, Kept()).second;
  }

  // The last touch of this call, and maybe of its memory.
  void End() {
    std::unique_ptr<ServerCall> self(this);
    load_->CallEnds(bytes_);
    GiveBulk(std::move(controller_.mutable_request_attachment()));
    if (!method_.keeps_messages || bytes_ > kKeptMessageBytes ||
        room_ > kKeptMessageBytes) {
      return;
    }
    // First: these may end a channel, and so other calls, which keep themselves too.
    sink_ = nullptr;
    controller_.Reset();
    Kept& kept = KeptFor(method_);
    if (kept.size() >= kKeptCalls) return;
    error_ = WireError::kNone;
    reply_ = Envelope();
    room_ = 0;
    request_->Clear();
    response_->Clear();
    kept.push_back(std::move(self));
  }

  // Makes reply_, or an error of a response that cannot be sent.
  void Prepare() {
    if (!response_->IsInitialized()) {
      controller_.SetStatus(Internal(method_.method->full_name(),
                                     " made a response that lacks ",
                                     response_->InitializationErrorString()));
      return;
    }
    if (origin_.pb) return;
    reply_.type = MessageType::kResponse;
    reply_.id = origin_.id;
    if (origin_.extended) {
      reply_.load = load_->calls();
      reply_.Set(Envelope::kLoad);
    }
    if (origin_.has_trace) {
      reply_.trace = origin_.trace;
      reply_.Set(Envelope::kTrace);
    }
    const absl::StatusOr<size_t> room =
        FrameRoom(reply_, response_.get(), controller_.response_attachment().size());
    if (room.ok()) {
      room_ = *room;
      return;
    }
    controller_.SetStatus(absl::Status(
        absl::StatusCode::kFailedPrecondition,
        absl::StrCat(method_.method->full_name(), ": ", room.status().message())));
  }

  // As its caller sees it, who does not take a reply that comes too late.
  absl::StatusCode Outcome(absl::Time now) const {
    if (controller_.deadline() <= now) return absl::StatusCode::kDeadlineExceeded;
    if (controller_.IsCanceled()) return absl::StatusCode::kCancelled;
    return controller_.status().code();
  }

  // What there is to say of the call, if it was slow.
  std::unique_ptr<SlowCall> Count() {
    const absl::Time now = clock_->Now();
    const absl::Duration total = now - arrived_;
    const absl::StatusCode code = Outcome(now);
    method_.counts->End(code, total);
    if (!method_.metrics->slow()->Wants(total, method_.counts->p99(), now)) {
      return nullptr;
    }
    const std::shared_ptr<Channel>& peer = controller_.peer();
    return std::make_unique<SlowCall>(SlowCall{
        .ended = now,
        .method = method_.method->full_name(),
        .peer = peer == nullptr ? "" : peer->peer(),
        .code = code,
        .request_bytes = bytes_,
        .reply_bytes =
            response_->ByteSizeLong() + controller_.response_attachment().size(),
        .trace = origin_.has_trace ? origin_.trace : 0,
        .queued = begun_ - arrived_,
        .handler = now - begun_});
  }

  // Its reply is with the connection, maybe not yet with the kernel.
  void Keep(std::unique_ptr<SlowCall> slow) {
    const absl::Time handed = clock_->Now();
    slow->encoding = handed - slow->ended;
    // shared: std::function wants to be copied.
    sink_->WhenWritten(
        name_, [log = method_.metrics->slow(), handed,
                slow = std::shared_ptr<SlowCall>(std::move(slow))](absl::Time written) {
          slow->writing = written - handed;
          log->Add(std::move(*slow));
        });
  }

  OutFrame EncodePb() const {
    const size_t size = response_->ByteSizeLong() + kPbEnvelopeBytes +
                        method_.method->output_type()->full_name().size();
    return FromWhole(size > kMaxFrameSize
                         ? EncodePbError(origin_.id, WireError::kInvalidResponse)
                         : EncodePbReply(origin_.id, *response_));
  }

  OutFrame EncodeError() const {
    const WireError error =
        error_ == WireError::kNone ? WireErrorOf(controller_.status()) : error_;
    if (origin_.pb) return FromWhole(EncodePbError(origin_.id, error));
    return EncodeErrorReply(origin_.id, error, controller_.status(),
                            controller_.retry_after(), origin_.extended);
  }

  const Clock* clock_ = nullptr;
  absl::Time arrived_;
  absl::Time begun_;  // by the handler
  ServedMethod method_;
  size_t bytes_ = 0;
  Origin origin_;
  ServedCall name_;
  std::shared_ptr<ReplySink> sink_;
  ServerLoad* load_ = nullptr;
  const std::unique_ptr<google::protobuf::Message> request_;
  const std::unique_ptr<google::protobuf::Message> response_;
  Controller controller_;
  WireError error_ = WireError::kNone;
  Envelope reply_;
  size_t room_ = 0;  // for it
};

void CountUnknown(const ServiceTable* services) {
  if (services == nullptr || services->impl().metrics == nullptr) return;
  services->impl().metrics->AddUnknown();
}

// By value: what the stop runs may end the call, and with it the slot's own source.
void Stop(std::stop_source source) { source.request_stop(); }

// Runs a call whose request has been read; it answers through its sink.
void Dispatch(ServerCall* call, const ServedMethod& method, ThreadPool* pool,
              absl::Time now, const Clock& clock,
              const std::shared_ptr<ServerLoad>& load) {
  if (method.run == ServiceTable::Run::kInline || pool == nullptr) {
    call->Execute(now);
    return;
  }
  Admission::Ticket ticket;
  const absl::Duration left = call->controller().deadline() - now;
  const Admission::Verdict verdict =
      load->admission().Arrive(method.method, pool->threads(), left, &ticket);
  if (!verdict.admitted) {
    return call->FailFull(
        ResourceExhausted("overloaded: the call would wait ",
                          absl::FormatDuration(verdict.wait), " for a thread and has ",
                          absl::FormatDuration(left)),
        verdict.retry_after);
  }
  // Counted apart from the call: a handler may answer and still be running.
  load->HandlerBegins();
  const bool queued = pool->Schedule([call, &clock, load, ticket] {
    const absl::Time begun = clock.Now();
    load->admission().Begin(ticket);
    const bool ran = call->Execute(begun);
    load->admission().End(ticket, clock.Now() - begun, ran);
    load->HandlerEnds();
  });
  if (queued) return;
  load->HandlerEnds();
  load->admission().Drop(ticket);
  call->FailFull(ResourceExhausted("the server's pool has ", pool->queued(),
                                   " calls waiting: try again later"));
}

}  // namespace

absl::Status ServerLoad::Admit(size_t bytes) const {
  const size_t held = this->held();
  if (held == 0 || held + bytes <= max_memory_bytes_) return absl::OkStatus();
  return ResourceExhausted("the server holds ", held,
                           " bytes of requests and replies: with another ", bytes,
                           " it is over its limit of ", max_memory_bytes_);
}

void ServerLoad::HandlerBegins() {
  MutexLock lock(mutex_);
  ++handlers_;
}
void ServerLoad::HandlerEnds() {
  MutexLock lock(mutex_);
  if (--handlers_ == 0) idle_.SignalAll();
}
bool ServerLoad::AwaitHandlers(absl::Duration timeout) {
  const absl::Time end = Clock::Real().Now() + timeout;
  MutexLock lock(mutex_);
  while (handlers_ > 0) {
    const absl::Duration left = end - Clock::Real().Now();
    if (left <= absl::ZeroDuration()) return false;
    idle_.WaitFor(mutex_, left);
  }
  return true;
}

Serving::Serving(const ServiceTable* services, ThreadPool* pool, const Clock& clock,
                 std::shared_ptr<ServerLoad> load, uint32_t connection)
    : services_(services),
      pool_(pool),
      clock_(clock),
      load_(std::move(load)),
      connection_(connection) {}

Serving::~Serving() { StopAll(); }

uint32_t Serving::Begin(uint64_t id, size_t bytes, absl::Time deadline) {
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  slot.id = id;
  slot.bytes = bytes;
  slot.live = true;
  if (!slot.stop.stop_possible()) slot.stop = std::stop_source();
  deadlines_.Set(index, deadline);
  ++live_;
  request_bytes_ += bytes;
  return index;
}

void Serving::Handle(const Envelope& request, absl::Time now, bool extended,
                     std::shared_ptr<ReplySink> sink, std::shared_ptr<Channel> peer) {
  Origin origin;
  origin.id = request.id;
  origin.trace = request.trace;
  origin.has_trace = request.Has(Envelope::kTrace);
  origin.extended = extended || request.HasExtension();
  origin.no_reply = (request.flags & kFlagNoReply) != 0;
  absl::Time deadline = absl::InfiniteFuture();
  if (request.Has(Envelope::kBudget)) {
    deadline = now + absl::Microseconds(request.budget_us);
  }
  const size_t bytes = request.request.size() + request.attachment.size();
  const uint32_t slot = Begin(request.id, bytes, deadline);
  const ServedCall name{connection_, slot};

  WireError error = WireError::kNoService;
  const ServedMethod* const method =
      services_ == nullptr
          ? nullptr
          : services_->impl().Find(request.service, request.method, &error);
  if (method == nullptr) {
    CountUnknown(services_);
    if (origin.no_reply) return sink->FinishCall(name, OutFrame());
    const absl::Status status =
        error == WireError::kNoService
            ? Unimplemented("no service ", request.service, " is served here")
            : Unimplemented(request.service, " has no method ", request.method);
    return sink->FailCall(name,
                          EncodeErrorReply(origin.id, error, status,
                                           absl::ZeroDuration(), origin.extended),
                          origin.extended);
  }
  absl::Status admitted = load_->Admit(bytes);
  ServerCall* const call = ServerCall::Take(*method);
  call->Begin(*method, origin, name, bytes, now, std::move(sink), *load_, clock_);
  if (!admitted.ok()) return call->FailFull(std::move(admitted));
  if (!ParseMessage(request.request, &call->request())) {
    call->Fail(InvalidArgument(method->method->full_name(), ": the request of ",
                               request.request.size(), " bytes is not a ",
                               method->method->input_type()->full_name()),
               WireError::kInvalidRequest);
    return;
  }
  Controller& controller = call->controller();
  controller.mutable_request_attachment() = TakeAttachment(request);
  controller.set_deadline(deadline, clock_);
  controller.set_stop_token(slots_[slot].stop.get_token());
  controller.set_peer(std::move(peer));
  Dispatch(call, *method, pool_, now, clock_, load_);
}

void Serving::HandlePb(const PbMessage& request, std::shared_ptr<ReplySink> sink,
                       std::shared_ptr<Channel> peer) {
  Origin origin;
  origin.id = request.id();
  origin.pb = true;
  const size_t bytes = request.request().size();
  const uint32_t slot = Begin(origin.id, bytes, absl::InfiniteFuture());
  const ServedCall name{connection_, slot};
  const ServedMethod* const method =
      services_ == nullptr ? nullptr
                           : services_->impl().FindByRequestType(request.typename_());
  if (method == nullptr) {
    CountUnknown(services_);
    sink->FinishCall(name, FromWhole(EncodePbError(origin.id, WireError::kNoMethod)));
    return;
  }
  absl::Status admitted = load_->Admit(bytes);
  const absl::Time now = clock_.Now();
  ServerCall* const call = ServerCall::Take(*method);
  call->Begin(*method, origin, name, bytes, now, std::move(sink), *load_, clock_);
  if (!admitted.ok()) return call->FailFull(std::move(admitted));
  if (!ParseMessage(request.request(), &call->request())) {
    call->Fail(InvalidArgument("the request is not a ", request.typename_()),
               WireError::kInvalidRequest);
    return;
  }
  call->controller().set_stop_token(slots_[slot].stop.get_token());
  call->controller().set_peer(std::move(peer));
  Dispatch(call, *method, pool_, now, clock_, load_);
}

void Serving::Finished(ServedCall call) {
  Slot& slot = slots_[call.slot];
  slot.live = false;
  if (call.stop_taken || slot.stop.stop_requested()) {
    slot.stop = std::stop_source(std::nostopstate);
  }
  deadlines_.Clear(call.slot);
  free_.push_back(call.slot);
  --live_;
  request_bytes_ -= slot.bytes;
}

void Serving::Cancel(uint64_t id) {
  // A scan: cancels are rare, and calls in progress are bounded.
  for (Slot& slot : slots_) {
    if (slot.live && slot.id == id) Stop(slot.stop);
  }
}

void Serving::StopAll() {
  for (Slot& slot : slots_) {
    if (slot.live) Stop(slot.stop);
  }
}

void Serving::StopExpired(absl::Time now) {
  while (!deadlines_.empty() && deadlines_.Earliest() <= now) {
    const uint32_t slot = deadlines_.EarliestSlot();
    deadlines_.Clear(slot);
    Stop(slots_[slot].stop);
  }
}

}  // namespace skep

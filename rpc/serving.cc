#include "rpc/serving.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "rpc/pb_codec.h"
#include "rpc/server_call.h"
#include "rpc/service_table.h"

namespace skep {
namespace {

void CountUnknown(const ServiceTable* services) {
  if (services == nullptr || services->impl().metrics == nullptr) return;
  services->impl().metrics->AddUnknown();
}

// By value: what the stop runs may end the call, and with it the slot's own source.
void Stop(std::stop_source source) { source.request_stop(); }

}  // namespace

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
  if (cancels_) by_id_.Add(index, id);
  slot.bytes = bytes;
  slot.live = true;
  if (!slot.stop.stop_possible()) {
    slot.stop = std::stop_source();
    slot.token = slot.stop.get_token();
  }
  deadlines_.Set(index, deadline);
  ++live_;
  request_bytes_ += bytes;
  return index;
}

void Serving::Handle(const Envelope& request, absl::Time now, bool extended,
                     const std::shared_ptr<Channel>& peer, ReplySink& sink) {
  CallOrigin origin;
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
    if (origin.no_reply) return sink.FinishCall(name, OutFrame());
    const absl::Status status =
        error == WireError::kNoService
            ? Unimplemented("no service ", request.service, " is served here")
            : Unimplemented(request.service, " has no method ", request.method);
    return sink.FailCall(name,
                         EncodeErrorReply(origin.id, error, status,
                                          absl::ZeroDuration(), origin.extended),
                         origin.extended);
  }
  absl::Status admitted = load_->Admit(bytes);
  ServerCall* const call = ServerCall::Take(*method);
  call->Begin(*method, origin, name, bytes, now, peer, sink, *load_, clock_);
  call->controller().set_stop_token(slots_[slot].token);
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
  call->Dispatch(pool_, now, load_);
}

void Serving::HandlePb(const PbMessage& request, const std::shared_ptr<Channel>& peer,
                       ReplySink& sink) {
  CallOrigin origin;
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
    sink.FinishCall(name, FromWhole(EncodePbError(origin.id, WireError::kNoMethod)));
    return;
  }
  absl::Status admitted = load_->Admit(bytes);
  const absl::Time now = clock_.Now();
  ServerCall* const call = ServerCall::Take(*method);
  call->Begin(*method, origin, name, bytes, now, peer, sink, *load_, clock_);
  call->controller().set_stop_token(slots_[slot].token);
  if (!admitted.ok()) return call->FailFull(std::move(admitted));
  if (!ParseMessage(request.request(), &call->request())) {
    call->Fail(InvalidArgument("the request is not a ", request.typename_()),
               WireError::kInvalidRequest);
    return;
  }
  call->Dispatch(pool_, now, load_);
}

void Serving::Finished(ServedCall call) {
  Slot& slot = slots_[call.slot];
  slot.live = false;
  if (call.stop_taken || slot.stop.stop_requested()) {
    slot.stop = std::stop_source(std::nostopstate);
  }
  deadlines_.Clear(call.slot);
  if (cancels_) by_id_.Remove(call.slot);
  free_.push_back(call.slot);
  --live_;
  request_bytes_ -= slot.bytes;
}

void Serving::Cancel(uint64_t id) {
  if (!cancels_) {
    cancels_ = true;
    for (uint32_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].live) by_id_.Add(i, slots_[i].id);
    }
  }
  // Copied first: what a stop runs may end calls.
  std::vector<std::stop_source> named;
  for (const uint32_t slot : by_id_.Find(id)) named.push_back(slots_[slot].stop);
  for (std::stop_source& each : named) each.request_stop();
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

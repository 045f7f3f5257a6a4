// For tests of the channel: an echo service that answers when told, and a peer that
// speaks raw bytes.

#ifndef SKEP_RPC_CHANNEL_TESTING_H_
#define SKEP_RPC_CHANNEL_TESTING_H_

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "base/status.h"
#include "rpc/controller.h"
#include "rpc/frame.h"
#include "rpc/rpc0_codec.h"
#include "rpc/services/echo.pb.h"
#include "rpc/transport.h"

namespace skep {

// Echoes payload and attachment at once, but "hold..." only when Release is called and
// "fail" with NotFound.
class EchoService final : public echo::EchoService {
 public:
  struct Held {
    Controller* controller;
    const echo::EchoRequest* request;
    echo::EchoResponse* response;
    google::protobuf::Closure* done;
  };

  void Echo(google::protobuf::RpcController* c, const echo::EchoRequest* request,
            echo::EchoResponse* response, google::protobuf::Closure* done) override {
    ++calls;
    const Held call{&Controller::Of(c), request, response, done};
    if (request->payload().starts_with("hold")) {
      held.push_back(call);
    } else {
      Answer(call);
    }
  }

  // Answers the call that has been held longest.
  void Release() {
    const Held call = held.front();
    held.pop_front();
    Answer(call);
  }
  void ReleaseAll() {
    while (!held.empty()) Release();
  }

  int calls = 0;
  std::deque<Held> held;

 private:
  static void Answer(const Held& call) {
    if (call.request->payload() == "fail") {
      call.controller->SetStatus(NotFound("no such thing"));
      call.controller->set_retry_after(absl::Milliseconds(250));
    }
    call.response->set_payload(call.request->payload());
    call.controller->mutable_response_attachment() =
        call.controller->request_attachment();
    call.done->Run();
  }
};

// One end of a stream, by hand.
class RawPeer final : public StreamHandler {
 public:
  explicit RawPeer(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {
    stream_->Start(this);
  }

  size_t OnData(std::string_view bytes) override {
    received += bytes;
    return bytes.size();
  }
  void OnPeerClosed() override { eof = true; }
  void OnClosed(const absl::Status& reason) override {
    closed = reason;
    stream_ = nullptr;
  }

  void Write(std::string_view bytes) { stream_->Write(bytes); }
  Stream& stream() { return *stream_; }

  // The next whole frame of what was received; its views live until the next call.
  std::optional<Envelope> Next() {
    received.erase(0, taken_);
    taken_ = 0;
    const Frame frame = ParseFrame(received);
    Envelope envelope;
    if (frame.state != Frame::State::kReady ||
        !ParseEnvelope(frame.body.substr(kRpc0Tag.size()), &envelope)) {
      return std::nullopt;
    }
    taken_ = frame.length;
    return envelope;
  }

  std::string received;
  bool eof = false;
  std::optional<absl::Status> closed;

 private:
  std::unique_ptr<Stream> stream_;
  size_t taken_ = 0;
};

inline std::string EncodeWhole(const Envelope& envelope,
                               const google::protobuf::MessageLite* body = nullptr,
                               std::string attachment = "") {
  OutFrame frame;
  const absl::Status status =
      EncodeFrame(envelope, body, std::move(attachment), &frame);
  return status.ok() ? frame.ToString() : "";
}

inline Envelope EchoRequestEnvelope(uint64_t id) {
  Envelope e;
  e.type = MessageType::kRequest;
  e.id = id;
  e.service = "echo.EchoService";
  e.Set(Envelope::kService);
  e.method = "Echo";
  e.Set(Envelope::kMethod);
  return e;
}

inline std::string EchoRequestFrame(uint64_t id, std::string payload,
                                    std::optional<absl::Duration> budget = {}) {
  echo::EchoRequest request;
  request.set_payload(std::move(payload));
  Envelope e = EchoRequestEnvelope(id);
  if (budget) {
    e.budget_us = static_cast<uint32_t>(absl::ToInt64Microseconds(*budget));
    e.Set(Envelope::kBudget);
  }
  return EncodeWhole(e, &request);
}

inline std::string EchoReplyFrame(uint64_t id, std::string payload) {
  echo::EchoResponse response;
  response.set_payload(std::move(payload));
  Envelope e;
  e.type = MessageType::kResponse;
  e.id = id;
  return EncodeWhole(e, &response);
}

inline std::string ErrorFrame(uint64_t id, WireError error) {
  Envelope e;
  e.type = MessageType::kResponse;
  e.id = id;
  e.error = error;
  e.Set(Envelope::kError);
  return EncodeWhole(e);
}

}  // namespace skep

#endif  // SKEP_RPC_CHANNEL_TESTING_H_

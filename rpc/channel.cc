#include "rpc/channel.h"

#include <optional>
#include <utility>

#include "absl/strings/cord.h"
#include "base/mutex.h"
#include "base/status.h"
#include "glog/logging.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace skep {
namespace {

// In a status's payloads: no byte of the call left this process.
constexpr char kNeverSent[] = "skep/never-sent";

}  // namespace

bool NeverSent(const absl::Status& status) {
  return status.GetPayload(kNeverSent).has_value();
}

absl::Status MarkNeverSent(absl::Status status) {
  status.SetPayload(kNeverSent, absl::Cord());
  return status;
}

void Channel::CallMethod(const google::protobuf::MethodDescriptor* method,
                         google::protobuf::RpcController* controller,
                         const google::protobuf::Message* request,
                         google::protobuf::Message* response,
                         google::protobuf::Closure* done) {
  Controller* const own = controller == nullptr ? nullptr : &Controller::Of(controller);
  CallOptions options;
  if (own != nullptr) {
    options.timeout = own->timeout();
    options.attachment = std::move(own->mutable_request_attachment());
  }
  if (done == nullptr) {
    std::string attachment;
    absl::Status status = BlockingStart(*this, *method, *request, response,
                                        std::move(options), &attachment);
    if (own != nullptr) {
      own->SetStatus(std::move(status));
      own->mutable_response_attachment() = std::move(attachment);
    }
    return;
  }
  Start(*method, *request, response, std::move(options),
        [own, done](const Controller& outcome) {
          if (own != nullptr) {
            own->SetStatus(outcome.status());
            own->set_retry_after(outcome.retry_after());
            own->mutable_response_attachment() = outcome.TakeResponseAttachment();
          }
          done->Run();
        });
}

absl::Status BlockingStart(Channel& channel,
                           const google::protobuf::MethodDescriptor& method,
                           const google::protobuf::Message& request,
                           google::protobuf::Message* response, CallOptions options,
                           std::string* response_attachment) {
  CHECK(!channel.OnExecutor()) << "a blocking call of " << method.full_name()
                               << " on its channel's own executor would never end";
  Mutex mutex;
  CondVar done;
  std::optional<absl::Status> status;
  channel.Start(method, request, response, std::move(options),
                [&](const Controller& outcome) {
                  MutexLock lock(mutex);
                  *response_attachment = outcome.TakeResponseAttachment();
                  status = outcome.status();
                  done.Signal();
                });
  // Every call ends by its deadline or its connection's end, so this does.
  MutexLock lock(mutex);
  while (!status.has_value()) done.Wait(mutex);
  return *std::move(status);
}

const google::protobuf::MethodDescriptor& MethodOf(
    const google::protobuf::ServiceDescriptor& service, const char* name) {
  const google::protobuf::MethodDescriptor* method = service.FindMethodByName(name);
  CHECK(method != nullptr) << service.full_name() << " has no method " << name;
  return *method;
}

}  // namespace skep

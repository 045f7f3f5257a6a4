#include "rpc/channel.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <stop_token>
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

CallOptions Onward(const Controller& incoming, CallOptions options) {
  options.timeout = std::min(options.timeout, incoming.remaining());
  return options;
}

CallId StartOnward(const std::shared_ptr<Channel>& channel, const Controller& incoming,
                   const google::protobuf::MethodDescriptor& method,
                   const google::protobuf::Message& request,
                   google::protobuf::Message* response, CallOptions options,
                   Channel::Done done) {
  using OnStop = std::stop_callback<std::function<void()>>;
  struct Link {
    Mutex mutex;
    bool done ABSL_GUARDED_BY(mutex) = false;
    std::unique_ptr<OnStop> on_stop ABSL_GUARDED_BY(mutex);
  };
  // Before the call starts: it may complete on another thread before this goes on, and
  // what that runs may end the incoming one.
  const std::stop_token stop = incoming.stop_token();
  // shared: for the same reason.
  auto link = std::make_shared<Link>();
  const CallId id =
      channel->Start(method, request, response, Onward(incoming, std::move(options)),
                     [link, done = std::move(done)](const Controller& outcome) mutable {
                       std::unique_ptr<OnStop> on_stop;
                       {
                         MutexLock lock(link->mutex);
                         link->done = true;
                         on_stop = std::move(link->on_stop);
                       }
                       on_stop = nullptr;
                       done(outcome);
                     });
  auto on_stop =
      std::make_unique<OnStop>(stop, [weak = std::weak_ptr<Channel>(channel), id] {
        if (const std::shared_ptr<Channel> channel = weak.lock()) channel->Cancel(id);
      });
  MutexLock lock(link->mutex);
  if (!link->done) link->on_stop = std::move(on_stop);
  return id;
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

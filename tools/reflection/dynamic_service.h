// Calls methods that this binary was not compiled with, from what a server says of
// itself through muduo.net.RpcService.

#ifndef SKEP_TOOLS_REFLECTION_DYNAMIC_SERVICE_H_
#define SKEP_TOOLS_REFLECTION_DYNAMIC_SERVICE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rpc/channel.h"

namespace skep {

struct ServiceListing {
  std::string service;
  // As the server prints them: "echo.EchoService.Echo (echo.EchoRequest) : ...".
  std::vector<std::string> methods;
};

// What a server serves. Unimplemented: it does not know muduo.net.RpcService.
absl::StatusOr<std::vector<ServiceListing>> ListServices(Channel& channel,
                                                         absl::Duration timeout);

// One service, described by the server that serves it.
class DynamicService {
 public:
  // NotFound: the server has no such service. DataLoss: what it sent is no description.
  static absl::StatusOr<std::unique_ptr<DynamicService>> Fetch(
      Channel& channel, const std::string& service, absl::Duration timeout);
  ~DynamicService();

  // Calls `method` (its short name) with a request in protobuf's JSON; returns the
  // reply in JSON. InvalidArgument: no such method, or the JSON is not of the request's
  // type.
  absl::StatusOr<std::string> Call(Channel& channel, const std::string& method,
                                   const std::string& json, absl::Duration timeout);

 private:
  struct Impl;
  explicit DynamicService(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace skep

#endif  // SKEP_TOOLS_REFLECTION_DYNAMIC_SERVICE_H_

// The inside of ServiceTable (server.h): methods by name and by request type.

#ifndef SKEP_RPC_SERVICE_TABLE_H_
#define SKEP_RPC_SERVICE_TABLE_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "rpc/metrics.h"
#include "rpc/rpc0_codec.h"
#include "rpc/server.h"

namespace skep {

// One method that is served.
struct ServedMethod {
  google::protobuf::Service* service = nullptr;
  const google::protobuf::MethodDescriptor* method = nullptr;
  const google::protobuf::Message* request = nullptr;  // prototypes
  const google::protobuf::Message* response = nullptr;
  ServiceTable::Run run = ServiceTable::Run::kInline;
  // Its messages may be kept for other calls, for as long as the process lives.
  bool keeps_messages = false;
  // Null: not measured.
  ServerMetrics* metrics = nullptr;
  CallCounts* counts = nullptr;
};

struct ServiceTable::Entry {
  google::protobuf::Service* service = nullptr;
  std::vector<ServedMethod> methods;
};

struct ServiceTable::Impl {
  absl::flat_hash_map<std::string, std::unique_ptr<Entry>> services;
  // For typed requests: the one method that takes the type; null where several do.
  absl::flat_hash_map<std::string, const ServedMethod*> by_request_type;
  std::vector<std::string> names;  // of the services, in the order of Add
  std::unique_ptr<google::protobuf::Service> reflection;
  ServerMetrics* metrics = nullptr;

  const Entry* FindService(std::string_view service) const;
  // Null and *error: kNoService or kNoMethod.
  const ServedMethod* Find(std::string_view service, std::string_view method,
                           WireError* error) const;
  const ServedMethod* FindByRequestType(std::string_view type) const;
};

// muduo.net.RpcService about a table, which it borrows.
std::unique_ptr<google::protobuf::Service> MakeReflection(
    const ServiceTable::Impl& services);

}  // namespace skep

#endif  // SKEP_RPC_SERVICE_TABLE_H_

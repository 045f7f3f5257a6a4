// muduo.net.RpcService: what a server says about itself.

#include <memory>
#include <set>
#include <string>

#include "base/strings.h"
#include "google/protobuf/descriptor.h"
#include "rpc/rpc_service.pb.h"
#include "rpc/service_table.h"

namespace skep {
namespace {

using muduo::net::GetServiceRequest;
using muduo::net::GetServiceResponse;
using muduo::net::ListRpcRequest;
using muduo::net::ListRpcResponse;

// The file as .proto text and all it imports, each once, itself first: what servers of
// the family send (they leave out what is imported by imports).
void AddFile(const google::protobuf::FileDescriptor& file, std::set<std::string>* seen,
             GetServiceResponse* response) {
  if (!seen->insert(file.name()).second) return;
  response->add_proto_file(file.DebugString());
  response->add_proto_file_name(file.name());
  for (int i = 0; i < file.dependency_count(); ++i) {
    AddFile(*file.dependency(i), seen, response);
  }
}

class Reflection final : public muduo::net::RpcService {
 public:
  explicit Reflection(const ServiceTable::Impl& services) : services_(services) {}

  void listRpc(google::protobuf::RpcController*, const ListRpcRequest* request,
               ListRpcResponse* response, google::protobuf::Closure* done) override {
    response->set_error(muduo::net::NO_ERROR);
    if (!request->has_service_name()) {
      for (const std::string& name : services_.names) {
        List(*services_.FindService(name), *request, response);
      }
    } else if (const auto* entry = services_.FindService(request->service_name())) {
      List(*entry, *request, response);
    } else {
      response->set_error(muduo::net::NO_SERVICE);
    }
    done->Run();
  }

  void getService(google::protobuf::RpcController*, const GetServiceRequest* request,
                  GetServiceResponse* response,
                  google::protobuf::Closure* done) override {
    response->set_error(muduo::net::NO_ERROR);
    if (const auto* entry = services_.FindService(request->service_name())) {
      std::set<std::string> seen;
      AddFile(*entry->service->GetDescriptor()->file(), &seen, response);
    } else {
      response->set_error(muduo::net::NO_SERVICE);
    }
    done->Run();
  }

 private:
  static void List(const ServiceTable::Entry& entry, const ListRpcRequest& request,
                   ListRpcResponse* response) {
    response->add_service_name(entry.service->GetDescriptor()->full_name());
    if (!request.list_method()) return;
    for (const ServedMethod& served : entry.methods) {
      const auto& method = *served.method;
      response->add_method_name(StrCat(method.full_name(), " (",
                                       method.input_type()->full_name(),
                                       ") : ", method.output_type()->full_name()));
    }
  }

  const ServiceTable::Impl& services_;
};

}  // namespace

std::unique_ptr<google::protobuf::Service> MakeReflection(
    const ServiceTable::Impl& services) {
  return std::make_unique<Reflection>(services);
}

}  // namespace skep

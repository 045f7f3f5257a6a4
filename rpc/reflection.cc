// muduo.net.RpcService: what a server says about itself.

#include <memory>
#include <set>
#include <string>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "rpc/rpc_service.pb.h"
#include "rpc/service_table.h"

namespace skep {
namespace {

using muduo::net::GetServiceRequest;
using muduo::net::GetServiceResponse;
using muduo::net::ListRpcRequest;
using muduo::net::ListRpcResponse;

// The file and all it imports, each once, imports first.
void AddFile(const google::protobuf::FileDescriptor& file, std::set<std::string>* seen,
             GetServiceResponse* response) {
  if (!seen->insert(file.name()).second) return;
  for (int i = 0; i < file.dependency_count(); ++i) {
    AddFile(*file.dependency(i), seen, response);
  }
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  proto.SerializeToString(response->add_proto_file());
  response->add_proto_file_name(file.name());
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
      response->add_method_name(served.method->full_name());
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

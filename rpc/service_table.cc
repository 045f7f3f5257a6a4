#include "rpc/service_table.h"

#include <utility>

#include "base/strings.h"
#include "glog/logging.h"

namespace skep {

ServiceTable::ServiceTable() : impl_(std::make_unique<Impl>()) {}
ServiceTable::~ServiceTable() = default;

void ServiceTable::Add(google::protobuf::Service* service, Run run) {
  const google::protobuf::ServiceDescriptor& descriptor = *service->GetDescriptor();
  auto entry = std::make_unique<Entry>();
  entry->service = service;
  for (int i = 0; i < descriptor.method_count(); ++i) {
    const google::protobuf::MethodDescriptor* method = descriptor.method(i);
    // Not those of a factory that may go before us.
    const bool generated =
        descriptor.file()->pool() == google::protobuf::DescriptorPool::generated_pool();
    entry->methods.push_back({service, method, &service->GetRequestPrototype(method),
                              &service->GetResponsePrototype(method), run, generated});
  }
  for (const ServedMethod& method : entry->methods) {
    const auto [it, is_new] = impl_->by_request_type.try_emplace(
        method.method->input_type()->full_name(), &method);
    if (!is_new) it->second = nullptr;
  }
  impl_->names.push_back(descriptor.full_name());
  const bool is_new =
      impl_->services.emplace(descriptor.full_name(), std::move(entry)).second;
  CHECK(is_new) << descriptor.full_name() << " is served twice";
}

void ServiceTable::SetRun(const std::string& service, const std::string& method,
                          Run run) {
  const auto it = impl_->services.find(service);
  CHECK(it != impl_->services.end()) << service << " is not in the table";
  for (ServedMethod& served : it->second->methods) {
    if (served.method->name() == method) {
      served.run = run;
      return;
    }
  }
  LOG(FATAL) << service << " has no method " << method;
}

void ServiceTable::AddReflection() {
  impl_->reflection = MakeReflection(*impl_);
  Add(impl_->reflection.get());
}

void ServiceTable::Measure(ServerMetrics* metrics) {
  impl_->metrics = metrics;
  for (const std::string& name : impl_->names) {
    for (ServedMethod& served : impl_->services.at(name)->methods) {
      served.metrics = metrics;
      served.counts = &metrics->Of(served.method->full_name());
    }
  }
}

const ServiceTable::Entry* ServiceTable::Impl::FindService(
    std::string_view service) const {
  const auto it = services.find(ToAbsl(service));
  return it == services.end() ? nullptr : it->second.get();
}

const ServedMethod* ServiceTable::Impl::Find(std::string_view service,
                                             std::string_view method,
                                             WireError* error) const {
  const Entry* const entry = FindService(service);
  if (entry == nullptr) {
    *error = WireError::kNoService;
    return nullptr;
  }
  // A service has a handful of methods: looking at each beats hashing.
  for (const ServedMethod& served : entry->methods) {
    if (served.method->name() == method) return &served;
  }
  *error = WireError::kNoMethod;
  return nullptr;
}

const ServedMethod* ServiceTable::Impl::FindByRequestType(std::string_view type) const {
  const auto it = by_request_type.find(ToAbsl(type));
  return it == by_request_type.end() ? nullptr : it->second;
}

}  // namespace skep

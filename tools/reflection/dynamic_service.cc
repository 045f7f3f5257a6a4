#include "tools/reflection/dynamic_service.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "base/status.h"
#include "google/protobuf/compiler/parser.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/descriptor_database.h"
#include "google/protobuf/dynamic_message.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/util/json_util.h"
#include "nlohmann/json.hpp"
#include "rpc/rpc_service.pb.h"

namespace skep {
namespace {

using google::protobuf::FileDescriptorProto;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

// In one line: "payload (string), numbers (repeated int64)".
std::string FieldsOf(const google::protobuf::Descriptor& type) {
  std::string all;
  for (int i = 0; i < type.field_count(); ++i) {
    const google::protobuf::FieldDescriptor& field = *type.field(i);
    const std::string of =
        field.message_type() != nullptr ? field.message_type()->full_name()
        : field.enum_type() != nullptr  ? field.enum_type()->full_name()
                                        : std::string(field.type_name());
    StrAppend(&all, all.empty() ? "" : ", ", field.name(), " (",
              field.is_repeated() ? "repeated " : "", of, ")");
  }
  return all.empty() ? "none" : all;
}

// What protobuf says in several lines (what it met, the text around that, a mark
// below), in one; and, of a text that is no JSON at all, where.
std::string WhatIsWrong(const std::string& json, std::string_view said) {
  std::string_view what = said.substr(0, said.find('\n'));
  // Of the whole it says ": ", where it names a part otherwise.
  if (what.starts_with(": ")) what.remove_prefix(2);
  size_t at = 0;  // counted from 1
  try {
    [[maybe_unused]] const auto parsed = nlohmann::json::parse(json);
  } catch (const nlohmann::json::parse_error& error) {
    at = error.byte;
  }
  if (at == 0) return std::string(what);
  if (at > json.size()) return StrCat(what, " at its end, after byte ", json.size());
  return StrCat(what, " at byte ", at, ": '", absl::CHexEscape(json.substr(at - 1, 10)),
                "'");
}

// Keeps the first thing that is wrong with a .proto text or its descriptors.
class FirstError final : public google::protobuf::io::ErrorCollector,
                         public google::protobuf::DescriptorPool::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (text_.empty()) text_ = StrCat("line ", line + 1, ": ", message);
  }
  void AddError(const std::string& file, const std::string& element,
                const google::protobuf::Message* /*descriptor*/,
                ErrorLocation /*where*/, const std::string& message) override {
    if (text_.empty()) text_ = StrCat(file, ": ", element, ": ", message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

absl::Status ParseProtoText(const std::string& name, const std::string& text,
                            FileDescriptorProto* file) {
  google::protobuf::io::ArrayInputStream input(text.data(),
                                               static_cast<int>(text.size()));
  FirstError errors;
  google::protobuf::io::Tokenizer tokenizer(&input, &errors);
  google::protobuf::compiler::Parser parser;
  parser.RecordErrorsTo(&errors);
  if (!parser.Parse(&tokenizer, file)) {
    return DataLoss("the server's description of ", name,
                    " is no .proto: ", errors.text());
  }
  file->set_name(name);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<ServiceListing>> ListServices(Channel& channel,
                                                         absl::Duration timeout) {
  const MethodDescriptor& list = Method<muduo::net::RpcService>("listRpc");
  SKEP_ASSIGN_OR_RETURN(
      const auto names,
      BlockingCall<muduo::net::ListRpcResponse>(
          channel, list, muduo::net::ListRpcRequest(), {.timeout = timeout}));
  std::vector<ServiceListing> services;
  for (const std::string& name : names.message.service_name()) {
    muduo::net::ListRpcRequest request;
    request.set_service_name(name);
    request.set_list_method(true);
    SKEP_ASSIGN_OR_RETURN(const auto methods,
                          BlockingCall<muduo::net::ListRpcResponse>(
                              channel, list, request, {.timeout = timeout}));
    services.push_back(
        {name,
         {methods.message.method_name().begin(), methods.message.method_name().end()}});
  }
  return services;
}

struct DynamicService::Impl {
  // What the server said; where it left out a file that is imported, ours.
  google::protobuf::SimpleDescriptorDatabase described;
  google::protobuf::DescriptorPoolDatabase ours{
      *google::protobuf::DescriptorPool::generated_pool()};
  google::protobuf::MergedDescriptorDatabase all{&described, &ours};
  FirstError errors;
  google::protobuf::DescriptorPool pool{&all, &errors};
  google::protobuf::DynamicMessageFactory messages{&pool};
  const ServiceDescriptor* service = nullptr;
};

DynamicService::DynamicService(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DynamicService::~DynamicService() = default;

absl::StatusOr<std::unique_ptr<DynamicService>> DynamicService::Fetch(
    Channel& channel, const std::string& service, absl::Duration timeout) {
  muduo::net::GetServiceRequest request;
  request.set_service_name(service);
  SKEP_ASSIGN_OR_RETURN(const auto reply,
                        BlockingCall<muduo::net::GetServiceResponse>(
                            channel, Method<muduo::net::RpcService>("getService"),
                            request, {.timeout = timeout}));
  const muduo::net::GetServiceResponse& description = reply.message;
  if (description.error() != muduo::net::NO_ERROR) {
    return NotFound(channel.peer(), " serves no ", service, "; `skep rpc list ",
                    channel.peer(), "` shows what it serves");
  }
  if (description.proto_file_size() != description.proto_file_name_size()) {
    return DataLoss(channel.peer(), " described ", service, " by ",
                    description.proto_file_size(), " files with ",
                    description.proto_file_name_size(), " names");
  }
  auto impl = std::make_unique<Impl>();
  for (int i = 0; i < description.proto_file_size(); ++i) {
    FileDescriptorProto file;
    SKEP_RETURN_IF_ERROR(ParseProtoText(description.proto_file_name(i),
                                        description.proto_file(i), &file));
    impl->described.Add(file);
  }
  impl->service = impl->pool.FindServiceByName(service);
  if (impl->service == nullptr) {
    return DataLoss(channel.peer(), "'s description of ", service,
                    " is incomplete: ", impl->errors.text());
  }
  return std::unique_ptr<DynamicService>(new DynamicService(std::move(impl)));
}

absl::StatusOr<std::string> DynamicService::Call(Channel& channel,
                                                 const std::string& method_name,
                                                 const std::string& json,
                                                 absl::Duration timeout) {
  const MethodDescriptor* method = impl_->service->FindMethodByName(method_name);
  if (method == nullptr) {
    std::string names;
    for (int i = 0; i < impl_->service->method_count(); ++i) {
      StrAppend(&names, i == 0 ? "" : ", ", impl_->service->method(i)->name());
    }
    return NotFound(impl_->service->full_name(), " has no method ", method_name,
                    "; it has ", names);
  }
  const std::unique_ptr<google::protobuf::Message> request(
      impl_->messages.GetPrototype(method->input_type())->New());
  const std::unique_ptr<google::protobuf::Message> response(
      impl_->messages.GetPrototype(method->output_type())->New());
  const auto parsed = google::protobuf::util::JsonStringToMessage(json, request.get());
  if (!parsed.ok()) {
    return InvalidArgument(
        "the request is no JSON for ", request->GetTypeName(), ": ",
        WhatIsWrong(json, {parsed.message().data(), parsed.message().size()}),
        "; its fields: ", FieldsOf(*request->GetDescriptor()));
  }
  if (!request->IsInitialized()) {
    return InvalidArgument(request->GetTypeName(), " misses required fields: ",
                           request->InitializationErrorString());
  }
  std::string attachment;
  SKEP_RETURN_IF_ERROR(BlockingStart(channel, *method, *request, response.get(),
                                     {.timeout = timeout}, &attachment));
  std::string out;
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  const auto printed =
      google::protobuf::util::MessageToJsonString(*response, &out, options);
  if (!printed.ok()) return Internal("printing the reply: ", printed.ToString());
  return out;
}

}  // namespace skep

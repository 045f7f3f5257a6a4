#include <memory>
#include <optional>
#include <string>

#include "google/protobuf/compiler/parser.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/descriptor_database.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "rpc/channel_test_bed.h"
#include "rpc/rpc_service.pb.h"

namespace skep {
namespace {

using muduo::net::GetServiceRequest;
using muduo::net::GetServiceResponse;
using muduo::net::ListRpcRequest;
using muduo::net::ListRpcResponse;
using muduo::net::RpcService;

class ReflectionTest : public ChannelTestBed {
 protected:
  ReflectionTest() {
    services_.AddReflection();
    Listen();
    channel_ = Dial();
  }

  template <typename Response>
  Response Ask(const char* method, const google::protobuf::Message& request) {
    std::optional<absl::StatusOr<Reply<Response>>> outcome;
    Call<Response>(*channel_, Method<RpcService>(method), request, {},
                   [&](absl::StatusOr<Reply<Response>> o) { outcome = std::move(o); });
    executor_.RunFor(absl::Seconds(1));
    EXPECT_TRUE(outcome.has_value() && outcome->ok());
    return outcome.has_value() && outcome->ok() ? (*outcome)->message : Response();
  }

  std::shared_ptr<Channel> channel_;
};

TEST_F(ReflectionTest, Lists) {
  ListRpcRequest request;
  const auto all = Ask<ListRpcResponse>("listRpc", request);
  EXPECT_EQ(all.error(), muduo::net::NO_ERROR);
  ASSERT_EQ(all.service_name_size(), 2);
  EXPECT_EQ(all.service_name(0), "echo.EchoService");
  EXPECT_EQ(all.service_name(1), "muduo.net.RpcService");
  EXPECT_EQ(all.method_name_size(), 0);

  request.set_service_name("echo.EchoService");
  request.set_list_method(true);
  const auto one = Ask<ListRpcResponse>("listRpc", request);
  EXPECT_EQ(one.service_name_size(), 1);
  ASSERT_EQ(one.method_name_size(), 1);
  EXPECT_EQ(one.method_name(0),
            "echo.EchoService.Echo (echo.EchoRequest) : echo.EchoResponse");

  request.set_service_name("no.Such");
  EXPECT_EQ(Ask<ListRpcResponse>("listRpc", request).error(), muduo::net::NO_SERVICE);
}

TEST_F(ReflectionTest, GivesFilesThatBuildTheService) {
  GetServiceRequest request;
  request.set_service_name("echo.EchoService");
  const auto got = Ask<GetServiceResponse>("getService", request);
  ASSERT_EQ(got.error(), muduo::net::NO_ERROR);
  ASSERT_EQ(got.proto_file_size(), got.proto_file_name_size());
  google::protobuf::SimpleDescriptorDatabase files;
  for (int i = 0; i < got.proto_file_size(); ++i) {
    google::protobuf::io::ArrayInputStream text(
        got.proto_file(i).data(), static_cast<int>(got.proto_file(i).size()));
    google::protobuf::io::Tokenizer tokenizer(&text, nullptr);
    google::protobuf::FileDescriptorProto file;
    ASSERT_TRUE(google::protobuf::compiler::Parser().Parse(&tokenizer, &file))
        << got.proto_file(i);
    file.set_name(got.proto_file_name(i));
    ASSERT_TRUE(files.Add(file));
  }
  google::protobuf::DescriptorPool pool(&files);
  const auto* service = pool.FindServiceByName("echo.EchoService");
  ASSERT_NE(service, nullptr);
  EXPECT_EQ(service->method(0)->input_type()->full_name(), "echo.EchoRequest");

  request.set_service_name("no.Such");
  EXPECT_EQ(Ask<GetServiceResponse>("getService", request).error(),
            muduo::net::NO_SERVICE);
}

}  // namespace
}  // namespace skep

// The same load on gRPC's callback API, for comparison.

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "glog/logging.h"
#include "tests/bench/grpc_echo.grpc.pb.h"
#include "tests/bench/rpc_load.h"

namespace skep {
namespace {

using SteadyClock = std::chrono::steady_clock;

class EchoServer final : public bench::Echo::CallbackService {
 public:
  explicit EchoServer(size_t attachment) : attachment_(attachment) {}

  grpc::ServerUnaryReactor* Echo(grpc::CallbackServerContext* context,
                                 const bench::EchoRequest* request,
                                 bench::EchoResponse* response) override {
    response->set_payload(request->payload());
    if (attachment_ != 0) response->mutable_attachment()->assign(attachment_, 'a');
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

 private:
  const size_t attachment_;
};

std::shared_ptr<grpc::ServerCredentials> ServerSide(const RpcLoad& load) {
  if (load.certificates == nullptr) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = load.certificates->authority;
  options.pem_key_cert_pairs.push_back(
      {load.certificates->key, load.certificates->certificate});
  return grpc::SslServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> ClientSide(const RpcLoad& load) {
  if (load.certificates == nullptr) return grpc::InsecureChannelCredentials();
  return grpc::SslCredentials({.pem_root_certs = load.certificates->authority,
                               .pem_private_key = load.certificates->key,
                               .pem_cert_chain = load.certificates->certificate});
}

int Serve(const RpcLoad& load) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", ServerSide(load), &port);
  builder.RegisterService(new EchoServer(load.reply_attachment));
  builder.SetMaxReceiveMessageSize(-1);
  CHECK(builder.BuildAndStart().release() != nullptr);
  return port;
}

// One connection and its calls in flight.
class Caller {
 public:
  Caller(const RpcLoad& load, int port, CallMeter* meter)
      : load_(load), meter_(meter), lanes_(load.in_flight) {
    grpc::ChannelArguments arguments;
    // Else channels to one address share a connection.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetMaxReceiveMessageSize(-1);
    auto channel = grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port),
                                             ClientSide(load), arguments);
    CHECK(channel->WaitForConnected(std::chrono::system_clock::now() +
                                    std::chrono::seconds(10)));
    stub_ = bench::Echo::NewStub(std::move(channel));
    request_.set_payload(std::string(load.payload_bytes, 'x'));
    if (load.request_attachment != 0) {
      request_.mutable_attachment()->assign(load.request_attachment, 'a');
    }
  }

  void Start() {
    for (Lane& lane : lanes_) Call(&lane);
  }

 private:
  struct Lane {
    bench::EchoResponse response;
    std::unique_ptr<grpc::ClientContext> context;
    SteadyClock::time_point started;
  };

  void Call(Lane* lane) {
    if (meter_->timed()) lane->started = SteadyClock::now();
    lane->context = std::make_unique<grpc::ClientContext>();
    // What a call of skep has by default.
    lane->context->set_deadline(std::chrono::system_clock::now() +
                                std::chrono::seconds(10));
    stub_->async()->Echo(
        lane->context.get(), &request_, &lane->response, [this, lane](grpc::Status s) {
          CHECK(s.ok()) << s.error_message();
          CHECK_EQ(lane->response.payload().size(), load_.payload_bytes);
          CHECK_EQ(lane->response.attachment().size(), load_.reply_attachment);
          if (meter_->timed()) {
            meter_->CountTimed(SteadyClock::now() - lane->started);
          } else {
            meter_->Count();
          }
          Call(lane);
        });
  }

  const RpcLoad load_;
  CallMeter* const meter_;
  std::unique_ptr<bench::Echo::Stub> stub_;
  bench::EchoRequest request_;
  std::vector<Lane> lanes_;
};

void Drive(const RpcLoad& load, int port, CallMeter* meter) {
  auto* callers = new std::vector<std::unique_ptr<Caller>>;
  for (int i = 0; i < load.connections; ++i) {
    callers->push_back(std::make_unique<Caller>(load, port, meter));
  }
  for (const auto& caller : *callers) caller->Start();
}

}  // namespace

const RpcSystem kGrpcSystem = {"gRPC", Serve, Drive};

}  // namespace skep

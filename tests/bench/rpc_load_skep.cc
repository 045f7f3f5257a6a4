// The benchmark's load on skep's channel.

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/thread_pool.h"
#include "glog/logging.h"
#include "rpc/bulk.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/tcp_transport.h"
#include "rpc/tls/tls_transport.h"
#include "tests/bench/rpc_load.h"

namespace skep {
namespace {

using SteadyClock = std::chrono::steady_clock;

Transport* NewTransport(const RpcLoad& load) {
  TcpTransportOptions options;
  if (load.spin) options.spin = absl::Microseconds(50);
  auto* const sockets = new TcpTransport(1, options);
  if (load.certificates == nullptr) return sockets;
  auto credentials =
      TlsCredentials::FromPem(load.certificates->authority,
                              {load.certificates->certificate, load.certificates->key});
  CHECK(credentials.ok()) << credentials.status();
  return new TlsTransport(*sockets, *std::move(credentials));
}

std::string Filled(size_t size) {
  std::string bytes = ReserveBulk(size);
  bytes.resize(size);
  std::fill(bytes.begin(), bytes.end(), 'a');
  return bytes;
}

class EchoServer final : public echo::EchoService {
 public:
  explicit EchoServer(size_t attachment) : attachment_(attachment) {}

  void Echo(google::protobuf::RpcController* controller,
            const echo::EchoRequest* request, echo::EchoResponse* response,
            google::protobuf::Closure* done) override {
    response->set_payload(request->payload());
    if (attachment_ != 0) {
      Controller::Of(controller).mutable_response_attachment() = Filled(attachment_);
    }
    done->Run();
  }

 private:
  const size_t attachment_;
};

int Serve(const RpcLoad& load) {
  auto* transport = NewTransport(load);
  auto* services = new ServiceTable;
  ServerOptions options;
  auto run = ServiceTable::Run::kInline;
  if (load.on_pool) {
    run = ServiceTable::Run::kPool;
    options.pool = new ThreadPool("handlers", 2);
  }
  services->Add(new EchoServer(load.reply_attachment), run);
  options.max_connections = load.connections + load.idle_connections + 1;
  auto server =
      Server::Listen(*transport, Address::Tcp("127.0.0.1", 0), *services, options);
  CHECK(server.ok()) << server.status();
  return (*server.value().release()).address().port();
}

// One connection and its calls in flight.
class Caller {
 public:
  Caller(const RpcLoad& load, std::shared_ptr<Channel> channel, CallMeter* meter)
      : load_(load),
        channel_(std::move(channel)),
        meter_(meter),
        lanes_(load.in_flight) {
    request_.set_payload(std::string(load.payload_bytes, 'x'));
  }

  void Start() {
    for (Lane& lane : lanes_) Call(&lane);
  }

 private:
  struct Lane {
    echo::EchoResponse response;
    SteadyClock::time_point started;
  };

  void Call(Lane* lane) {
    if (meter_->timed()) lane->started = SteadyClock::now();
    CallOptions options;
    if (load_.request_attachment != 0) {
      options.attachment = Filled(load_.request_attachment);
    }
    channel_->Start(method_, request_, &lane->response, std::move(options),
                    [this, lane](const Controller& outcome) {
                      CHECK(outcome.status().ok()) << outcome.status();
                      CHECK_EQ(lane->response.payload().size(), load_.payload_bytes);
                      CHECK_EQ(outcome.response_attachment().size(),
                               load_.reply_attachment);
                      if (meter_->timed()) {
                        meter_->CountTimed(SteadyClock::now() - lane->started);
                      } else {
                        meter_->CountAlone();  // on the transport's one loop
                      }
                      Call(lane);
                    });
  }

  const RpcLoad load_;
  const std::shared_ptr<Channel> channel_;
  CallMeter* const meter_;
  const google::protobuf::MethodDescriptor& method_ = Method<echo::EchoService>("Echo");
  echo::EchoRequest request_;
  std::vector<Lane> lanes_;
};

// A thread that makes calls, so many of them in flight. It sleeps when that many are,
// until half of them have completed.
class CallingThread {
 public:
  CallingThread(const RpcLoad& load, std::vector<std::shared_ptr<Channel>> channels,
                CallMeter* meter)
      : channels_(std::move(channels)),
        meter_(meter),
        most_(load.in_flight * static_cast<int>(channels_.size())),
        responses_(most_) {
    request_.set_payload(std::string(load.payload_bytes, 'x'));
    for (echo::EchoResponse& response : responses_) idle_.push_back(&response);
    thread_ = std::thread([this] { Run(); });
  }

 private:
  void Run() {
    for (size_t turn = 0;; ++turn) {
      if (idle_.empty()) TakeCompleted();
      echo::EchoResponse* const response = idle_.back();
      idle_.pop_back();
      channels_[turn % channels_.size()]->Start(
          method_, request_, response, {}, [this, response](const Controller& outcome) {
            CHECK(outcome.status().ok()) << outcome.status();
            CHECK_EQ(response->payload().size(), request_.payload().size());
            meter_->CountAlone();  // on the transport's one loop
            Completed(response);
          });
    }
  }

  // On the channels' loop, which is one. A list of its own, so that what is measured is
  // the channel's.
  void Completed(echo::EchoResponse* response) {
    completed_[completions_ % completed_.size()] = response;
    ++completions_;
    told_.store(completions_, std::memory_order_seq_cst);
    if (completions_ >= wanted_.load(std::memory_order_seq_cst)) told_.notify_one();
  }
  void TakeCompleted() {
    const uint64_t wanted = taken_ + (most_ + 1) / 2;
    wanted_.store(wanted, std::memory_order_seq_cst);
    uint64_t told = told_.load(std::memory_order_seq_cst);
    while (told < wanted) {
      told_.wait(told);
      told = told_.load(std::memory_order_seq_cst);
    }
    wanted_.store(~uint64_t{0}, std::memory_order_relaxed);
    for (; taken_ < told; ++taken_) {
      idle_.push_back(completed_[taken_ % completed_.size()]);
    }
  }

  const std::vector<std::shared_ptr<Channel>> channels_;
  CallMeter* const meter_;
  const int most_;
  const google::protobuf::MethodDescriptor& method_ = Method<echo::EchoService>("Echo");
  echo::EchoRequest request_;
  std::vector<echo::EchoResponse> responses_;
  std::vector<echo::EchoResponse*> idle_;
  uint64_t taken_ = 0;  // of those that completed
  std::vector<echo::EchoResponse*> completed_ =
      std::vector<echo::EchoResponse*>(responses_.size());
  uint64_t completions_ = 0;
  std::atomic<uint64_t> told_{0};
  std::atomic<uint64_t> wanted_{~uint64_t{0}};
  std::thread thread_;
};

void Drive(const RpcLoad& load, int port, CallMeter* meter) {
  auto* transport = NewTransport(load);
  auto* callers = new std::vector<std::unique_ptr<Caller>>;
  auto* idle = new std::vector<std::shared_ptr<Channel>>;
  // Each is connected before the next, so that no queue of the kernel's overflows.
  const auto connected = [&] {
    auto channel = skep::Connect(*transport, Address::Tcp("127.0.0.1", port));
    echo::EchoRequest request;
    request.set_payload("");
    const auto reply = BlockingCall<echo::EchoResponse>(
        *channel, Method<echo::EchoService>("Echo"), request);
    CHECK(reply.ok()) << reply.status();
    return channel;
  };
  for (int i = 0; i < load.idle_connections; ++i) idle->push_back(connected());
  if (load.caller_threads != 0) {
    std::vector<std::shared_ptr<Channel>> channels;
    for (int i = 0; i < load.connections; ++i) channels.push_back(connected());
    // They stay: the process ends without cleaning up.
    for (int i = 0; i < load.caller_threads; ++i) {
      new CallingThread(load, channels, meter);
    }
    return;
  }
  for (int i = 0; i < load.connections; ++i) {
    callers->push_back(std::make_unique<Caller>(load, connected(), meter));
  }
  transport->executor().Post([callers] {
    for (const auto& caller : *callers) caller->Start();
  });
}

}  // namespace

const RpcSystem kSkepSystem = {"skep", Serve, Drive};

}  // namespace skep

// For tests of the balanced channel: echo backends on the simulated network.

#ifndef SKEP_RPC_BALANCE_BALANCED_TESTING_H_
#define SKEP_RPC_BALANCE_BALANCED_TESTING_H_

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"
#include "rpc/balance/balanced_channel.h"
#include "rpc/channel_testing.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/services/median.pb.h"
#include "rpc/sim_transport.h"

namespace skep {

// What one backend does with its calls.
struct Behaviour {
  absl::Duration delay;
  absl::Status status;  // told to callers
  absl::Duration retry_after;
};

class SimBackend {
 public:
  SimBackend(SimNetwork& network, Executor& executor, const std::string& host)
      : network_(network), host_(host), echo_(*this, executor), sorter_(*this) {
    services_.Add(&echo_);
    services_.Add(&sorter_);
    Listen();
  }

  void Listen() {
    auto server = Server::Listen(network_.host(host_), address(), services_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  void Kill() { server_ = nullptr; }
  Server& server() { return *server_; }
  Address address() const { return Address::Tcp(host_, 7000); }

  Behaviour behaviour;
  int calls = 0;
  int stopped = 0;  // whose token was stopped before they ended

 private:
  // Idempotent, as its option says.
  class Echoes final : public echo::EchoService {
   public:
    Echoes(SimBackend& backend, Executor& executor)
        : backend_(backend), executor_(executor) {}
    void Serve(Controller& c, const echo::EchoRequest& request,
               echo::EchoResponse* response, google::protobuf::Closure* done) {
      const Behaviour what = backend_.behaviour;
      ++backend_.calls;
      c.SetStatus(what.status);
      c.set_retry_after(what.retry_after);
      c.mutable_response_attachment() = c.request_attachment();
      response->set_payload(request.payload() + "@" + backend_.host_);
      if (what.delay == absl::ZeroDuration()) return done->Run();
      executor_.PostAfter(what.delay, [this, &c, done] {
        backend_.stopped += c.stop_token().stop_requested();
        done->Run();
      });
    }
    void Echo(google::protobuf::RpcController* c, const echo::EchoRequest* request,
              echo::EchoResponse* response, google::protobuf::Closure* done) override {
      Serve(Controller::Of(c), *request, response, done);
    }

   private:
    SimBackend& backend_;
    Executor& executor_;
  };
  // Generate is not idempotent.
  class Sorts final : public median::Sorter {
   public:
    explicit Sorts(SimBackend& backend) : backend_(backend) {}
    void Generate(google::protobuf::RpcController* c, const median::GenerateRequest*,
                  rpc2::Empty*, google::protobuf::Closure* done) override {
      ++backend_.calls;
      Controller::Of(c).SetStatus(backend_.behaviour.status);
      done->Run();
    }

   private:
    SimBackend& backend_;
  };

  SimNetwork& network_;
  const std::string host_;
  Echoes echo_;
  Sorts sorter_;
  ServiceTable services_;
  std::unique_ptr<Server> server_;
};

class BalancedTest : public ::testing::Test {
 protected:
  explicit BalancedTest(int backends = 3) : network_(executor_, /*seed=*/11) {
    for (int i = 0; i < backends; ++i) {
      backends_.push_back(
          std::make_unique<SimBackend>(network_, executor_, StrCat("s", i)));
    }
  }
  ~BalancedTest() override {
    channel_ = nullptr;
    // Longer than any backend waits before it answers: what it holds goes with that.
    executor_.RunFor(absl::Hours(2));
  }

  // `weights`: of the first backends; the others have 1.
  void Dial(BalancedOptions options = {}, const std::vector<double>& weights = {}) {
    std::vector<BackendSpec> specs;
    for (const auto& backend : backends_) {
      specs.push_back({.address = backend->address()});
      if (specs.size() <= weights.size()) {
        specs.back().weight = weights[specs.size() - 1];
      }
    }
    channel_ = BalancedChannel::Create(network_.host("c"), specs, std::move(options));
    Run();
    for (const auto& backend : channel_->backends()) ASSERT_TRUE(backend.connected);
  }
  void Run(absl::Duration d = absl::Milliseconds(20)) { executor_.RunFor(d); }
  // Runs until `condition`; false if that takes more than a minute.
  template <typename Condition>
  [[nodiscard]] bool RunUntil(Condition condition,
                              absl::Duration step = absl::Milliseconds(20)) {
    const absl::Time end = executor_.clock().Now() + absl::Minutes(1);
    while (!condition()) {
      if (executor_.clock().Now() > end) return false;
      Run(step);
    }
    return true;
  }

  struct Outcome {
    int completions = 0;
    absl::Status status;
    std::string payload;
    std::string attachment;
    absl::Time at;
  };
  // A call whose outcome stands in outcomes_[the number that it returns].
  size_t Echo(CallOptions options = {}) {
    const size_t index = outcomes_.size();
    outcomes_.emplace_back();
    echo::EchoRequest request;
    request.set_payload("hello");
    ids_.push_back(Call<echo::EchoResponse>(
        *channel_, Method<echo::EchoService>("Echo"), request, std::move(options),
        [this, index](absl::StatusOr<Reply<echo::EchoResponse>> reply) {
          Outcome& outcome = outcomes_[index];
          ++outcome.completions;
          outcome.at = clock_.Now();
          outcome.status = reply.status();
          if (!reply.ok()) return;
          outcome.payload = reply->message.payload();
          outcome.attachment = reply->attachment;
        }));
    return index;
  }
  size_t Generate() {
    const size_t index = outcomes_.size();
    outcomes_.emplace_back();
    median::GenerateRequest request;
    request.set_count(1);
    request.set_min(0);
    request.set_max(9);
    ids_.push_back(Call<rpc2::Empty>(
        *channel_, Method<median::Sorter>("Generate"), request, {},
        [this, index](const absl::StatusOr<Reply<rpc2::Empty>>& reply) {
          ++outcomes_[index].completions;
          outcomes_[index].status = reply.status();
        }));
    return index;
  }
  int TotalCalls() const {
    int calls = 0;
    for (const auto& backend : backends_) calls += backend->calls;
    return calls;
  }
  void ExpectAllCompletedOnce() const {
    for (size_t i = 0; i < outcomes_.size(); ++i) {
      EXPECT_EQ(outcomes_[i].completions, 1) << i;
    }
    EXPECT_EQ(channel_->pending(), 0);
    for (const auto& backend : channel_->backends()) EXPECT_EQ(backend.pending, 0);
  }

  SimulatedClock clock_;
  ManualExecutor executor_{clock_};
  SimNetwork network_;
  std::vector<std::unique_ptr<SimBackend>> backends_;
  std::shared_ptr<BalancedChannel> channel_;
  std::deque<Outcome> outcomes_;
  std::vector<CallId> ids_;
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_BALANCED_TESTING_H_

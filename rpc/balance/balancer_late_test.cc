// Late binding.

#include <cstdio>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"
#include "rpc/balance/balancer_testing.h"

namespace skep {
namespace {

TEST_F(BalancerTest, LateBindingKeepsToTheWindowAndGoesByDeadline) {
  SimBackend& backend = AddBackend();
  Listen(
      {.mode = BindMode::kLate, .window = 2, .slow = {.at_least = absl::Seconds(1)}});
  const auto client = DialRaw();
  client->Write(EchoRequestFrame(1, "hold", absl::Seconds(9)));
  client->Write(EchoRequestFrame(2, "hold", absl::Seconds(9)));
  Run();
  client->Write(EchoRequestFrame(3, "hold", absl::Seconds(8)));
  client->Write(EchoRequestFrame(4, "hold", absl::Seconds(4)));
  client->Write(EchoRequestFrame(5, "hold", absl::Seconds(1)));
  Run(absl::Seconds(2));
  EXPECT_EQ(backend.echo.held.size(), 2u);
  std::optional<Envelope> reply = client->Next();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->id, 5u) << "it waited for too long";
  EXPECT_EQ(reply->status, static_cast<uint32_t>(absl::StatusCode::kDeadlineExceeded));
  const absl::Time now = clock_.Now();
  backend.echo.Release();
  Run();
  ASSERT_EQ(backend.echo.held.size(), 2u);
  EXPECT_LT(backend.echo.held[1].controller->deadline(), now + absl::Seconds(3))
      << "the one with the nearest deadline, and its budget has shrunk";
  backend.echo.ReleaseAll();
  Run();
  backend.echo.ReleaseAll();
  Run();
  for (int i = 0; i < 4; ++i) {
    reply = client->Next();
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->error, WireError::kNone);
  }
  // Of the calls that took long, the last were queued and the first were not.
  const std::vector<SlowCall> slow = balancer_->Stats().slow;
  ASSERT_EQ(slow.size(), 5u);
  EXPECT_EQ(slow[4].code, absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(slow[4].backend, "") << "it had none";
  EXPECT_GE(slow[4].queued, absl::Seconds(1));
  EXPECT_GE(slow[0].queued, absl::Seconds(1));
  EXPECT_EQ(slow[3].queued, absl::ZeroDuration());
  EXPECT_GE(slow[3].handler, absl::Seconds(1));
  EXPECT_NE(slow[0].peer, "");
}

TEST_F(BalancerTest, AFullQueueTellsWhenToComeAgain) {
  SimBackend& backend = AddBackend();
  Listen({.mode = BindMode::kLate, .window = 1, .max_queued_calls = 39});
  const auto client = DialRaw();
  uint64_t id = 0;
  const auto send = [&] {
    client->Write(EchoRequestFrame(++id, "hold", absl::Minutes(5)));
    Run(absl::Milliseconds(1));
  };
  const auto refused = [&] {
    send();
    std::optional<Envelope> reply;
    do {
      reply = client->Next();
    } while (reply && reply->error == WireError::kNone);
    EXPECT_TRUE(reply.has_value()) << "there is room";
    return absl::Microseconds(reply ? reply->retry_after_us : 0);
  };
  for (int i = 0; i < 40; ++i) send();
  // Ten a second; the queue is kept full.
  for (int i = 0; i < 100; ++i) {
    ASSERT_FALSE(backend.echo.held.empty());
    backend.echo.Release();
    Run(absl::Milliseconds(99));
    send();
  }
  EXPECT_GT(refused(), absl::Seconds(3)) << "40 calls are before it";
  EXPECT_LT(refused(), absl::Seconds(6));
  // One in five seconds: minutes, of which ten seconds are told.
  for (int i = 0; i < 4; ++i) {
    backend.echo.Release();
    Run(absl::Seconds(5));
    send();
  }
  EXPECT_EQ(refused(), absl::Seconds(10));
}

TEST_F(BalancerTest, IdleTimeDoesNotMakeItLookSlow) {
  SimBackend& backend = AddBackend();
  Listen({.mode = BindMode::kLate, .window = 1, .max_queued_calls = 1});
  const auto channel = Dial();
  std::vector<std::optional<Outcome>> outcomes(100);
  for (auto& outcome : outcomes) {  // twenty a second
    Echo(*channel, "hold", &outcome);
    Run(absl::Milliseconds(50));
    ASSERT_EQ(backend.echo.held.size(), 1u);
    backend.echo.Release();
    Run(absl::Milliseconds(1));
  }
  Run(absl::Minutes(1));
  const auto raw = DialRaw();
  for (uint64_t id = 1; id <= 3; ++id) {
    raw->Write(EchoRequestFrame(id, "hold", absl::Minutes(5)));
    Run(absl::Milliseconds(1));
  }
  const std::optional<Envelope> refused = raw->Next();
  ASSERT_TRUE(refused.has_value());
  EXPECT_LT(absl::Microseconds(refused->retry_after_us), absl::Seconds(1));
}

TEST_F(BalancerTest, TheLateQueueIsBounded) {
  SimBackend& backend = AddBackend();
  Listen({.mode = BindMode::kLate, .window = 1, .max_queued_calls = 3});
  const auto channel = Dial();
  std::vector<std::optional<Outcome>> outcomes(6);
  std::vector<CallId> ids;
  for (auto& outcome : outcomes) {
    ids.push_back(Echo(*channel, "hold", &outcome));
    Run();
  }
  EXPECT_EQ(CodeOf(outcomes[4]), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(CodeOf(outcomes[5]), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RowOf("balancer").ended[8], 2u) << "refusals are counted";
  channel->Cancel(ids[1]);
  Run();
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(backend.echo.held.size(), 1u);
    backend.echo.Release();
    Run();
  }
  for (const int i : {0, 2, 3}) EXPECT_EQ(CodeOf(outcomes[i]), absl::StatusCode::kOk);
  EXPECT_EQ(backend.echo.calls, 3) << "the cancelled one never left the queue";
  EXPECT_EQ(balancer_->held_bytes(), 0);
}

TEST_F(BalancerTest, TheLateQueueEndsWithItsBackends) {
  SimBackend& backend = AddBackend();
  Listen({.mode = BindMode::kLate, .window = 1});
  const auto channel = Dial();
  backend.server = nullptr;
  Run(absl::Seconds(1));
  std::optional<Outcome> outcome;
  Echo(*channel, "x", &outcome);
  Run();
  EXPECT_EQ(CodeOf(outcome), absl::StatusCode::kUnavailable);
}

TEST_F(BalancerTest, AFailingBackendDrawsNoQueuedCalls) {
  SimBackend& good = AddBackend();
  ForeignBackend& failing = AddForeign();
  Listen({.mode = BindMode::kLate,
          .window = 2,
          .check_interval = absl::ZeroDuration(),
          .health = {.errors_in_a_row = 0}});
  int failed = 0;
  const auto fail = [&] {
    while (const std::optional<Envelope> got = failing.peers.at(0)->Next()) {
      failed += got->method == "Echo";
      failing.peers[0]->Write(ErrorFrame(got->id, WireError::kWrongProto));
    }
  };
  const auto channel = Dial();
  std::vector<std::optional<Outcome>> outcomes(50);
  for (auto& outcome : outcomes) Echo(*channel, "hold", &outcome);
  for (int i = 0; i < 100; ++i) {  // 200 ms, a fifth of the hold
    Run(absl::Milliseconds(2));
    fail();
  }
  EXPECT_EQ(good.echo.held.size(), 2u);
  EXPECT_EQ(failed, 2) << "its window is full of errors";
  // But if there is only that one, calls go to it and are not kept waiting.
  ASSERT_TRUE(balancer_->SetBackends({{failing.address}}).ok());
  for (int i = 0; i < 200; ++i) {
    Run(absl::Milliseconds(2));
    fail();
  }
  EXPECT_EQ(failed, 48);
  ReleaseAll();
}

// Backends of two workers each that take their calls in order.
class Workers final : public echo::EchoService {
 public:
  Workers(ManualExecutor& executor, Random& random)
      : executor_(executor), random_(random) {}

  void Echo(google::protobuf::RpcController* /*controller*/,
            const echo::EchoRequest* request, echo::EchoResponse* response,
            google::protobuf::Closure* done) override {
    response->set_payload(request->payload());
    // 1 % are a hundred times as long; 100 ms on average.
    const auto length =
        random_.Chance(0.01) ? absl::Milliseconds(5050) : absl::Milliseconds(50);
    queue_.push_back({length, done});
    Work();
  }

 private:
  struct Task {
    absl::Duration length;
    google::protobuf::Closure* done;
  };
  void Work() {
    if (busy_ == 2 || queue_.empty()) return;
    ++busy_;
    const Task task = queue_.front();
    queue_.pop_front();
    executor_.PostAfter(task.length, [this, task] {
      --busy_;
      task.done->Run();
      Work();
    });
  }

  ManualExecutor& executor_;
  Random& random_;
  std::deque<Task> queue_;
  int busy_ = 0;
};

// The mean latency of 4000 calls at 70 % of what 4 such backends can do.
absl::Duration MeanLatency(BindMode mode, PickPolicy policy) {
  SimulatedClock clock;
  ManualExecutor executor(clock);
  SimNetwork network(executor, 11);
  Random service_random(1), arrival_random(2);
  std::vector<std::unique_ptr<Workers>> workers;
  std::vector<std::unique_ptr<ServiceTable>> tables;
  std::vector<std::unique_ptr<Server>> servers;
  std::vector<Address> addresses;
  for (int i = 0; i < 4; ++i) {
    workers.push_back(std::make_unique<Workers>(executor, service_random));
    tables.push_back(std::make_unique<ServiceTable>());
    tables.back()->Add(workers.back().get());
    addresses.push_back(Address::Tcp(StrCat("s", i), 1));
    auto server =
        Server::Listen(network.host(StrCat("s", i)), addresses.back(), *tables.back());
    EXPECT_TRUE(server.ok());
    servers.push_back(*std::move(server));
  }
  const Address at = Address::Tcp("b", 1);
  auto balancer = Balancer::Listen(network.host("b"), at, addresses,
                                   {.policy = policy, .mode = mode, .window = 2});
  EXPECT_TRUE(balancer.ok());
  executor.RunFor(absl::Milliseconds(10));
  const auto channel = Connect(network.host("c"), at, {.seed = 1});
  executor.RunFor(absl::Milliseconds(10));
  absl::Duration sum;
  int ended = 0;
  echo::EchoRequest request;
  request.set_payload("x");
  constexpr int kCalls = 4000;
  for (int i = 0; i < kCalls; ++i) {
    Call<echo::EchoResponse>(
        *channel, Method<echo::EchoService>("Echo"), request,
        {.timeout = absl::Seconds(300)},
        [&, began =
                clock.Now()](const absl::StatusOr<Reply<echo::EchoResponse>>& outcome) {
          EXPECT_TRUE(outcome.ok()) << outcome.status();
          sum += clock.Now() - began;
          ++ended;
        });
    // 8 workers, 100 ms: 80 calls a second at full load.
    executor.RunFor(absl::Microseconds(arrival_random.Below(2 * 17857)));
  }
  executor.RunFor(absl::Seconds(60));
  EXPECT_EQ(ended, kCalls);
  *balancer = nullptr;
  executor.RunFor(absl::Milliseconds(10));
  return sum / kCalls;
}

TEST(LateBinding, WinsWhereAFewCallsAreLong) {
  const absl::Duration round_robin =
      MeanLatency(BindMode::kEarly, PickPolicy::kRoundRobin);
  const absl::Duration early = MeanLatency(BindMode::kEarly, PickPolicy::kLeastPending);
  const absl::Duration late = MeanLatency(BindMode::kLate, PickPolicy::kLeastPending);
  RecordProperty("round_robin_ms", absl::ToDoubleMilliseconds(round_robin));
  RecordProperty("early_ms", absl::ToDoubleMilliseconds(early));
  RecordProperty("late_ms", absl::ToDoubleMilliseconds(late));
  std::printf("round robin %.1f ms, least pending %.1f ms, late %.1f ms\n",
              absl::ToDoubleMilliseconds(round_robin),
              absl::ToDoubleMilliseconds(early), absl::ToDoubleMilliseconds(late));
  EXPECT_LT(early, round_robin);
  EXPECT_LT(late, early);
}

}  // namespace
}  // namespace skep

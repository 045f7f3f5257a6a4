// The balancer between clients and backends of ours and of other makes, over the
// simulated network.

#include "rpc/balance/balancer.h"

#include <cstdio>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "rpc/channel_testing.h"
#include "rpc/control.pb.h"
#include "rpc/server.h"
#include "rpc/sim_transport.h"

namespace skep {
namespace {

using Outcome = absl::StatusOr<Reply<echo::EchoResponse>>;

// A server of ours on a host of its own.
struct Backend {
  EchoService echo;
  ServiceTable services;
  std::unique_ptr<Server> server;
  Address address;
};

// A peer of another make that listens: keeps what it gets, says what it is told to.
struct ForeignBackend {
  std::vector<std::unique_ptr<RawPeer>> peers;
  std::unique_ptr<Listener> listener;
  Address address;
};

class BalancerTest : public ::testing::Test {
 protected:
  BalancerTest() : network_(executor_, /*seed=*/5) {}
  ~BalancerTest() override {
    ReleaseAll();
    balancer_ = nullptr;
    Run();
  }

  // Tests whose calls are still held at their end do so, before what the calls write
  // into goes.
  void ReleaseAll() {
    for (const auto& backend : backends_) backend->echo.ReleaseAll();
    Run();
  }

  Backend& AddBackend() {
    const std::string host = StrCat("s", backends_.size());
    Backend& backend = *backends_.emplace_back(std::make_unique<Backend>());
    backend.services.Add(&backend.echo);
    backend.address = Address::Tcp(host, 7000);
    Restart(backend);
    return backend;
  }
  void Restart(Backend& backend) {
    auto server = Server::Listen(network_.host(backend.address.host()), backend.address,
                                 backend.services);
    ASSERT_TRUE(server.ok()) << server.status();
    backend.server = *std::move(server);
  }
  ForeignBackend& AddForeign() {
    const std::string host = StrCat("f", foreign_.size());
    ForeignBackend& backend =
        *foreign_.emplace_back(std::make_unique<ForeignBackend>());
    backend.address = Address::Tcp(host, 7000);
    auto listener = network_.host(host).Listen(
        backend.address, [&backend](std::unique_ptr<Stream> stream) {
          backend.peers.push_back(std::make_unique<RawPeer>(std::move(stream)));
        });
    EXPECT_TRUE(listener.ok()) << listener.status();
    backend.listener = *std::move(listener);
    return backend;
  }

  void Listen(BalancerOptions options = {}) {
    std::vector<Address> addresses;
    for (const auto& backend : backends_) addresses.push_back(backend->address);
    for (const auto& backend : foreign_) addresses.push_back(backend->address);
    auto balancer =
        Balancer::Listen(network_.host("b"), at_, addresses, std::move(options));
    ASSERT_TRUE(balancer.ok()) << balancer.status();
    balancer_ = *std::move(balancer);
    Run();
  }
  std::shared_ptr<Channel> Dial() {
    return Connect(network_.host("c"), at_, {.seed = 7});
  }
  // A client of another make.
  std::unique_ptr<RawPeer> DialRaw() {
    std::unique_ptr<RawPeer> peer;
    network_.host("m").Connect(at_, absl::Seconds(1),
                               [&peer](absl::StatusOr<std::unique_ptr<Stream>> s) {
                                 ASSERT_TRUE(s.ok()) << s.status();
                                 peer = std::make_unique<RawPeer>(*std::move(s));
                               });
    Run();
    EXPECT_NE(peer, nullptr);
    return peer;
  }
  void Run(absl::Duration d = absl::Milliseconds(20)) { executor_.RunFor(d); }

  CallId Echo(Channel& channel, std::string payload, std::optional<Outcome>* out,
              CallOptions options = {}) {
    echo::EchoRequest request;
    request.set_payload(std::move(payload));
    return Call<echo::EchoResponse>(channel, Method<echo::EchoService>("Echo"), request,
                                    std::move(options), [out](Outcome outcome) {
                                      EXPECT_FALSE(out->has_value()) << "twice";
                                      *out = std::move(outcome);
                                    });
  }
  static absl::StatusCode CodeOf(const std::optional<Outcome>& outcome) {
    return outcome.has_value() ? outcome->status().code() : absl::StatusCode::kUnknown;
  }
  static std::string RequestFrame(uint64_t id, std::string payload,
                                  std::optional<absl::Duration> budget) {
    echo::EchoRequest request;
    request.set_payload(std::move(payload));
    Envelope e;
    e.type = MessageType::kRequest;
    e.id = id;
    e.service = "echo.EchoService";
    e.Set(Envelope::kService);
    e.method = "Echo";
    e.Set(Envelope::kMethod);
    if (budget) {
      e.budget_us = static_cast<uint32_t>(absl::ToInt64Microseconds(*budget));
      e.Set(Envelope::kBudget);
    }
    return EncodeWhole(e, &request);
  }
  int64_t Pending() const {
    int64_t pending = 0;
    for (const auto& backend : balancer_->backends()) pending += backend.pending;
    return pending;
  }

  SimulatedClock clock_;
  ManualExecutor executor_{clock_};
  SimNetwork network_;
  const Address at_ = Address::Tcp("b", 80);
  std::vector<std::unique_ptr<Backend>> backends_;
  std::vector<std::unique_ptr<ForeignBackend>> foreign_;
  std::unique_ptr<Balancer> balancer_;
};

// --- Deadlines ---------------------------------------------------------------------

TEST_F(BalancerTest, ACallWhoseBudgetIsOverIsAnsweredAndCancelled) {
  Backend& backend = AddBackend();
  Listen();
  const auto client = DialRaw();
  client->Write(RequestFrame(9, "hold", absl::Milliseconds(100)));
  Run();
  ASSERT_EQ(backend.echo.held.size(), 1u);
  EXPECT_FALSE(client->Next().has_value());
  Run(absl::Milliseconds(100));
  const std::optional<Envelope> reply = client->Next();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->id, 9u);
  EXPECT_EQ(reply->error, WireError::kTimeout);
  EXPECT_EQ(reply->status, static_cast<uint32_t>(absl::StatusCode::kDeadlineExceeded));
  EXPECT_TRUE(backend.echo.held[0].controller->stop_token().stop_requested());
  // The backend still owes the answer: it does not look idle.
  EXPECT_EQ(Pending(), 1);
  backend.echo.ReleaseAll();
  Run();
  EXPECT_EQ(Pending(), 0);
  EXPECT_FALSE(client->Next().has_value()) << "what comes late goes nowhere";
}

TEST_F(BalancerTest, ACallWithoutABudgetEndsByTheDefault) {
  ForeignBackend& frozen = AddForeign();
  Listen({.default_timeout = absl::Seconds(3)});
  const auto client = DialRaw();
  client->Write(EchoRequestFrame(1, "x"));
  Run(absl::Seconds(2));
  EXPECT_FALSE(client->Next().has_value());
  Run(absl::Seconds(2));
  const std::optional<Envelope> reply = client->Next();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->error, WireError::kTimeout);
  EXPECT_FALSE(reply->HasExtension()) << "it never used skep's fields";
  EXPECT_EQ(Pending(), 1);
  Run(absl::Seconds(31));
  EXPECT_EQ(Pending(), 0) << "not for ever";
  EXPECT_EQ(frozen.peers.size(), 1u);
}

TEST_F(BalancerTest, TheBudgetShrinksByTheTimeSpentWaiting) {
  Backend& backend = AddBackend();
  // The first attempt to connect takes half a second, and calls wait for it.
  network_.Stall("b", backend.address.host(), absl::Milliseconds(500));
  Listen();
  const auto client = DialRaw();
  const absl::Time sent = clock_.Now();
  client->Write(RequestFrame(1, "hold", absl::Seconds(2)));
  client->Write(RequestFrame(2, "hold", absl::Milliseconds(300)));
  Run(absl::Seconds(1));
  ASSERT_EQ(backend.echo.held.size(), 1u);
  const absl::Duration left = backend.echo.held[0].controller->deadline() - sent;
  EXPECT_LT(left, absl::Milliseconds(2010));
  EXPECT_GT(left, absl::Milliseconds(1900));
  const std::optional<Envelope> reply = client->Next();
  ASSERT_TRUE(reply.has_value()) << "the second was over before a backend was there";
  EXPECT_EQ(reply->id, 2u);
  EXPECT_EQ(reply->error, WireError::kTimeout);
}

// --- Cancel and hello ----------------------------------------------------------------

TEST_F(BalancerTest, ACancelReachesTheHandler) {
  Backend& backend = AddBackend();
  Listen();
  const auto channel = Dial();
  std::optional<Outcome> first, second;
  const CallId id = Echo(*channel, "hold 1", &first);
  Echo(*channel, "hold 2", &second);
  Run();
  ASSERT_EQ(backend.echo.held.size(), 2u);
  channel->Cancel(id);
  Run();
  EXPECT_EQ(CodeOf(first), absl::StatusCode::kCancelled);
  EXPECT_TRUE(backend.echo.held[0].controller->stop_token().stop_requested());
  EXPECT_FALSE(backend.echo.held[1].controller->stop_token().stop_requested());
  backend.echo.ReleaseAll();
  Run();
  EXPECT_EQ(CodeOf(second), absl::StatusCode::kOk);
  EXPECT_EQ(Pending(), 0);
}

TEST_F(BalancerTest, AClientThatGoesCancelsItsCalls) {
  Backend& backend = AddBackend();
  Listen();
  std::optional<Outcome> gone;
  auto channel = Dial();
  Echo(*channel, "hold", &gone);
  auto raw = DialRaw();
  raw->Write(EchoRequestFrame(1, "hold"));
  Run();
  ASSERT_EQ(backend.echo.held.size(), 2u);
  channel = nullptr;
  raw->stream().Abort(Cancelled("away"));
  Run();
  EXPECT_TRUE(backend.echo.held[0].controller->stop_token().stop_requested());
  EXPECT_TRUE(backend.echo.held[1].controller->stop_token().stop_requested());
  EXPECT_EQ(balancer_->connections(), 0);
}

TEST_F(BalancerTest, CancelsTravelThroughTwoBalancers) {
  Backend& backend = AddBackend();
  Listen();
  const Address outer_at = Address::Tcp("o", 80);
  auto outer = Balancer::Listen(network_.host("o"), outer_at, {at_});
  ASSERT_TRUE(outer.ok()) << outer.status();
  Run();
  const auto channel = Connect(network_.host("c"), outer_at, {.seed = 7});
  std::optional<Outcome> outcome;
  const CallId id = Echo(*channel, "hold", &outcome);
  Run();
  ASSERT_EQ(backend.echo.held.size(), 1u);
  channel->Cancel(id);
  Run();
  EXPECT_TRUE(backend.echo.held[0].controller->stop_token().stop_requested());
  *outer = nullptr;
}

// A backend that does not know hello is told of nothing else of skep's.
// A peer may say hello as often as it likes, and something else each time.
TEST_F(BalancerTest, ACancelEndsNoCallOfAnother) {
  Backend& backend = AddBackend();
  Listen();
  const auto raw = DialRaw();
  const auto say = [&](uint64_t id, const char* method,
                       const google::protobuf::MessageLite& body) {
    Envelope e;
    e.type = MessageType::kRequest;
    e.id = id;
    e.service = "skep.Control";
    e.Set(Envelope::kService);
    e.method = method;
    e.Set(Envelope::kMethod);
    raw->Write(EncodeWhole(e, &body));
    Run();
  };
  ControlHello scoped;
  scoped.set_id(1);
  ControlHello rewritten;
  rewritten.set_id(77);
  say(1, "Hello", scoped);
  raw->Write(RequestFrame(9, "hold", absl::Seconds(10)));
  Run();
  say(2, "Hello", rewritten);
  backend.echo.ReleaseAll();
  Run();
  // Its place is the next call's.
  const std::shared_ptr<Channel> channel = Dial();
  std::optional<Outcome> other;
  Echo(*channel, "hold", &other);
  Run();
  ASSERT_EQ(backend.echo.held.size(), 1u);
  say(1, "Hello", scoped);
  ControlCancel cancel;
  cancel.set_id(9);
  say(0, "Cancel", cancel);
  EXPECT_FALSE(backend.echo.held[0].controller->stop_token().stop_requested());
  backend.echo.ReleaseAll();
  Run();
  EXPECT_EQ(CodeOf(other), absl::StatusCode::kOk);
}

TEST_F(BalancerTest, ForeignBackendsGetHelloAndCallsOnly) {
  ForeignBackend& foreign = AddForeign();
  Listen({.check_interval = absl::ZeroDuration()});
  RawPeer& backend = *foreign.peers.at(0);
  std::optional<Envelope> hello = backend.Next();
  ASSERT_TRUE(hello.has_value());
  EXPECT_EQ(hello->method, "Hello");
  backend.Write(ErrorFrame(hello->id, WireError::kNoService));
  const auto channel = Dial();
  std::optional<Outcome> cancelled, answered;
  const CallId id = Echo(*channel, "one", &cancelled);
  Run();
  const std::optional<Envelope> one = backend.Next();
  ASSERT_TRUE(one.has_value());
  EXPECT_EQ(one->method, "Echo");
  const uint64_t late = one->id;
  channel->Cancel(id);
  Echo(*channel, "two", &answered);
  Run();
  const std::optional<Envelope> two = backend.Next();
  ASSERT_TRUE(two.has_value());
  EXPECT_EQ(two->method, "Echo") << "and no Cancel before it";
  EXPECT_NE(two->id, late);
  backend.Write(EchoReplyFrame(late, "one") + EchoReplyFrame(two->id, "two"));
  Run();
  EXPECT_EQ(CodeOf(cancelled), absl::StatusCode::kCancelled);
  ASSERT_EQ(CodeOf(answered), absl::StatusCode::kOk);
  EXPECT_EQ((*answered)->message.payload(), "two");
  EXPECT_EQ(Pending(), 0);
}

TEST_F(BalancerTest, AnotherFleetIsRefused) {
  AddBackend();
  Listen({.fleet = "ours"});
  const auto theirs = Connect(network_.host("c"), at_, {.fleet = "theirs", .seed = 7});
  const auto ours = Connect(network_.host("c"), at_, {.fleet = "ours", .seed = 8});
  std::optional<Outcome> refused, served;
  Echo(*theirs, "x", &refused);
  Echo(*ours, "x", &served);
  Run(absl::Seconds(11));
  EXPECT_NE(CodeOf(refused), absl::StatusCode::kOk);
  EXPECT_EQ(CodeOf(served), absl::StatusCode::kOk);
}

// --- Health --------------------------------------------------------------------------

TEST_F(BalancerTest, AFrozenBackendIsNoticedAndLeftOut) {
  Backend& good = AddBackend();
  Backend& other = AddBackend();
  ForeignBackend& frozen = AddForeign();
  Listen();
  ASSERT_EQ(frozen.peers.size(), 1u);
  const auto channel = Dial();
  std::vector<std::optional<Outcome>> outcomes(400);
  // One call at a time: least pending alone would go on trying it.
  for (auto& outcome : outcomes) {
    Echo(*channel, "x", &outcome, {.timeout = absl::Seconds(20)});
    Run(absl::Milliseconds(50));
  }
  const auto states = balancer_->backends();
  EXPECT_TRUE(states[2].ejected);
  EXPECT_FALSE(states[0].ejected);
  EXPECT_FALSE(states[1].ejected);
  const uint64_t given = states[2].forwarded;
  EXPECT_LE(given, 2u) << "what it owes counts against it even before";
  EXPECT_GT(good.echo.calls + other.echo.calls, 390);
  // It thaws: whatever it sends is a sign of life.
  RawPeer& peer = *frozen.peers[0];
  while (const std::optional<Envelope> request = peer.Next()) {
    if (request->method == "Echo") {
      peer.Write(EchoReplyFrame(request->id, "at last"));
    } else {
      peer.Write(ErrorFrame(request->id, WireError::kNoService));
    }
  }
  Run(absl::Seconds(1));
  EXPECT_FALSE(balancer_->backends()[2].ejected);
}

TEST_F(BalancerTest, AQuietBackendThatIgnoresWhatItDoesNotServeStaysIn) {
  AddBackend();
  AddForeign();
  AddForeign();
  Listen();
  Run(absl::Seconds(30));
  for (const auto& backend : balancer_->backends()) {
    EXPECT_TRUE(backend.connected);
    EXPECT_FALSE(backend.ejected);
  }
}

TEST_F(BalancerTest, ABackendThatFailsAtOnceCostsFewCalls) {
  for (int i = 0; i < 4; ++i) AddBackend();
  ForeignBackend& failing = AddForeign();
  Listen();
  const auto channel = Dial();
  int failed = 0;
  int ended = 0;
  RawPeer& peer = *failing.peers.at(0);
  for (int i = 0; i < 2000; ++i) {
    echo::EchoRequest request;
    request.set_payload("x");
    Call<echo::EchoResponse>(*channel, Method<echo::EchoService>("Echo"), request, {},
                             [&](const Outcome& outcome) {
                               ++ended;
                               failed += !outcome.ok();
                             });
    Run(absl::Milliseconds(2));
    while (const std::optional<Envelope> got = peer.Next()) {
      peer.Write(ErrorFrame(got->id, got->method == "Echo" ? WireError::kWrongProto
                                                           : WireError::kNoService));
    }
  }
  Run();
  EXPECT_EQ(ended, 2000);
  EXPECT_GT(failed, 0);
  EXPECT_LT(failed, 40) << "2 %";
}

TEST_F(BalancerTest, ACheckOfTheOperatorsChoiceDecides) {
  AddBackend();
  ForeignBackend& foreign = AddForeign();
  Listen({.check_method = "echo.EchoService.Echo"});
  RawPeer& peer = *foreign.peers.at(0);
  const auto answer = [&](WireError error) {
    for (int i = 0; i < 40; ++i) {
      while (const std::optional<Envelope> got = peer.Next()) {
        peer.Write(got->method == "Echo" ? ErrorFrame(got->id, error)
                                         : ErrorFrame(got->id, WireError::kNoService));
      }
      Run(absl::Milliseconds(100));
    }
  };
  answer(WireError::kWrongProto);
  EXPECT_TRUE(balancer_->backends()[1].ejected);
  EXPECT_FALSE(balancer_->backends()[0].ejected)
      << "an empty echo is the caller's fault";
  answer(WireError::kInvalidRequest);
  EXPECT_FALSE(balancer_->backends()[1].ejected);
}

// --- Backends that come and go -------------------------------------------------------

TEST_F(BalancerTest, WeightsShareTheCalls) {
  Backend& big = AddBackend();
  Backend& small = AddBackend();
  Listen();
  ASSERT_TRUE(balancer_->SetBackends({{big.address, 3}, {small.address, 1}}).ok());
  Run();
  const auto channel = Dial();
  std::vector<std::optional<Outcome>> outcomes(40);
  for (auto& outcome : outcomes) Echo(*channel, "hold", &outcome);
  Run();
  EXPECT_EQ(big.echo.held.size(), 30u);
  EXPECT_EQ(small.echo.held.size(), 10u);
  ReleaseAll();
}

TEST_F(BalancerTest, ABackendThatComesBackTakesItsShareSlowly) {
  Backend& old = AddBackend();
  Backend& fresh = AddBackend();
  Listen({.slow_start = absl::Seconds(10)});
  Run(absl::Seconds(20));
  fresh.server = nullptr;
  Run(absl::Seconds(5));
  Restart(fresh);
  while (!balancer_->backends()[1].connected) Run();
  const auto channel = Dial();
  std::vector<std::optional<Outcome>> early(33), late(34);
  for (auto& outcome : early) Echo(*channel, "hold", &outcome);
  Run();
  // A tenth of the weight of the other one.
  EXPECT_EQ(fresh.echo.held.size(), 3u);
  old.echo.ReleaseAll();
  fresh.echo.ReleaseAll();
  Run(absl::Seconds(10));
  for (auto& outcome : late) Echo(*channel, "hold", &outcome);
  Run();
  EXPECT_EQ(fresh.echo.held.size(), 17u);
  ReleaseAll();
}

TEST_F(BalancerTest, TheSetOfBackendsChangesWhileItRuns) {
  Backend& first = AddBackend();
  Listen();
  const auto channel = Dial();
  std::optional<Outcome> held;
  Echo(*channel, "hold", &held);
  Run();
  Backend& second = AddBackend();
  EXPECT_FALSE(balancer_->SetBackends({}).ok());
  EXPECT_FALSE(balancer_->SetBackends({{second.address}, {second.address}}).ok());
  ASSERT_TRUE(balancer_->SetBackends({{second.address}}).ok());
  Run();
  std::vector<std::optional<Outcome>> outcomes(10);
  for (auto& outcome : outcomes) Echo(*channel, "x", &outcome);
  Run();
  for (auto& outcome : outcomes) EXPECT_EQ(CodeOf(outcome), absl::StatusCode::kOk);
  EXPECT_EQ(first.echo.calls, 1);
  EXPECT_EQ(second.echo.calls, 10);
  EXPECT_EQ(first.server->connections(), 1) << "what it has is finished";
  first.echo.ReleaseAll();
  Run(absl::Seconds(2));
  EXPECT_EQ(CodeOf(held), absl::StatusCode::kOk);
  EXPECT_EQ(first.server->connections(), 0);
}

TEST_F(BalancerTest, ABackendThatGoesAwayLosesNoCall) {
  Backend& leaving = AddBackend();
  AddBackend();
  Listen();
  const auto channel = Dial();
  std::vector<std::optional<Outcome>> held(2), after(20);
  for (auto& outcome : held) Echo(*channel, "hold", &outcome);
  Run();
  ASSERT_EQ(leaving.echo.held.size(), 1u);
  leaving.server->Shutdown(absl::Seconds(5));
  Run();
  for (auto& outcome : after) Echo(*channel, "x", &outcome);
  Run();
  for (auto& outcome : after) EXPECT_EQ(CodeOf(outcome), absl::StatusCode::kOk);
  EXPECT_EQ(leaving.echo.calls, 1);
  for (const auto& backend : backends_) backend->echo.ReleaseAll();
  Run(absl::Seconds(1));
  for (auto& outcome : held) EXPECT_EQ(CodeOf(outcome), absl::StatusCode::kOk);
  EXPECT_EQ(leaving.server->connections(), 0);
  leaving.server = nullptr;
  Restart(leaving);
  Run(absl::Seconds(3));
  EXPECT_TRUE(balancer_->backends()[0].connected);
}

TEST_F(BalancerTest, DrainsItsClients) {
  Backend& backend = AddBackend();
  Listen();
  const auto skep = Dial();
  const auto foreign = DialRaw();
  std::optional<Outcome> outcome;
  Echo(*skep, "hold", &outcome);
  foreign->Write(EchoRequestFrame(1, "hold"));
  Run();
  ASSERT_EQ(backend.echo.held.size(), 2u);
  balancer_->BeginDrain();
  Run();
  EXPECT_FALSE(skep->connected());
  EXPECT_EQ(balancer_->connections(), 2);
  foreign->Write(EchoRequestFrame(2, "too late"));
  Run();
  backend.echo.ReleaseAll();
  Run(absl::Seconds(1));
  EXPECT_EQ(CodeOf(outcome), absl::StatusCode::kOk);
  const std::optional<Envelope> reply = foreign->Next();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->id, 1u);
  EXPECT_FALSE(foreign->Next().has_value());
  EXPECT_TRUE(foreign->eof);
  foreign->stream().CloseWhenDrained();
  Run();
  EXPECT_EQ(balancer_->connections(), 0);
  EXPECT_TRUE(balancer_->AwaitIdle(absl::ZeroDuration()));
}

// --- Bounds --------------------------------------------------------------------------

TEST_F(BalancerTest, AClientThatDoesNotReadCostsABoundedNumberOfBytes) {
  Backend& backend = AddBackend();
  Listen({.max_client_bytes = 6 << 20});
  const auto greedy = DialRaw();
  const std::string megabyte(1 << 20, 'r');
  for (int i = 1; i <= 32; ++i) greedy->Write(EchoRequestFrame(i, "hold" + megabyte));
  Run(absl::Seconds(1));
  ASSERT_EQ(backend.echo.held.size(), 32u);
  greedy->stream().SetReading(false);
  backend.echo.ReleaseAll();
  Run(absl::Seconds(2));
  EXPECT_LE(balancer_->held_bytes(), 6 << 20);
  EXPECT_GT(balancer_->held_bytes(), 4 << 20);
  greedy->stream().SetReading(true);
  Run(absl::Seconds(2));
  int served = 0;
  std::vector<WireError> errors;
  for (int i = 0; i < 32; ++i) {
    const std::optional<Envelope> reply = greedy->Next();
    ASSERT_TRUE(reply.has_value()) << i << ": each is answered";
    if (reply->error == WireError::kNone) {
      ++served;
    } else {
      errors.push_back(reply->error);
    }
  }
  EXPECT_GE(served, 5);
  for (const WireError error : errors) EXPECT_EQ(error, WireError::kTimeout);
  EXPECT_EQ(balancer_->held_bytes(), 0);
}

TEST_F(BalancerTest, ALargeRequestIsRefusedBeforeItIsTakenIn) {
  AddBackend();
  Listen({.max_bytes = 1 << 20});
  const auto client = DialRaw();
  client->Write(RequestFrame(3, std::string(4 << 20, 'x'), absl::Seconds(5)) +
                EchoRequestFrame(4, "small"));
  Run(absl::Seconds(1));
  std::optional<Envelope> reply = client->Next();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->id, 3u);
  EXPECT_EQ(reply->status, static_cast<uint32_t>(absl::StatusCode::kResourceExhausted));
  EXPECT_GT(reply->retry_after_us, 0u);
  reply = client->Next();
  ASSERT_TRUE(reply.has_value()) << "the connection goes on";
  EXPECT_EQ(reply->id, 4u);
  EXPECT_EQ(reply->error, WireError::kNone);
}

TEST_F(BalancerTest, LargeFramesPassUnharmed) {
  AddBackend();
  Listen();
  const auto channel = Dial();
  Random random(3);
  std::vector<std::optional<Outcome>> outcomes(12);
  std::vector<std::string> sent;
  for (auto& outcome : outcomes) {
    std::string attachment(random.Below(3 << 20), '\0');
    for (char& c : attachment) c = static_cast<char>(random());
    Echo(*channel, "bulk", &outcome, {.attachment = attachment});
    sent.push_back(std::move(attachment));
  }
  Run(absl::Seconds(3));
  for (size_t i = 0; i < outcomes.size(); ++i) {
    ASSERT_EQ(CodeOf(outcomes[i]), absl::StatusCode::kOk);
    EXPECT_TRUE((*outcomes[i])->attachment == sent[i]) << i;
  }
  EXPECT_EQ(balancer_->held_bytes(), 0);
}

TEST_F(BalancerTest, ALargeFrameWaitsForABackend) {
  Backend& backend = AddBackend();
  network_.Stall("b", backend.address.host(), absl::Milliseconds(500));
  Listen();
  const auto client = DialRaw();
  const std::string large(300'000, 'l');
  client->Write(RequestFrame(1, large, absl::Seconds(2)) +
                RequestFrame(2, "small", absl::Seconds(2)));
  Run(absl::Milliseconds(100));
  EXPECT_EQ(backend.echo.calls, 0);
  Run(absl::Seconds(1));
  for (const uint64_t id : {1, 2}) {
    const std::optional<Envelope> reply = client->Next();
    ASSERT_TRUE(reply.has_value()) << id;
    EXPECT_EQ(reply->id, id);
    EXPECT_EQ(reply->error, WireError::kNone);
  }
  EXPECT_EQ(balancer_->held_bytes(), 0);
}

TEST_F(BalancerTest, WhoAnnouncesMuchAndSendsLittleIsGivenUp) {
  AddBackend();
  Listen({.max_bytes = 16 << 20});
  const std::string front =
      EchoRequestFrame(1, std::string(8 << 20, 'x')).substr(0, 1000);
  std::vector<std::unique_ptr<RawPeer>> idlers;
  for (int i = 0; i < 10; ++i) {
    idlers.push_back(DialRaw());
    idlers.back()->Write(front);
  }
  Run();
  EXPECT_EQ(balancer_->held_bytes(), 10'000) << "what came, not what was announced";
  const auto channel = Dial();
  std::optional<Outcome> outcome;
  Echo(*channel, "x", &outcome);
  Run();
  EXPECT_EQ(CodeOf(outcome), absl::StatusCode::kOk);
  Run(absl::Seconds(40));
  for (const auto& idler : idlers) EXPECT_TRUE(idler->closed.has_value());
  EXPECT_EQ(balancer_->connections(), 1);
  EXPECT_EQ(balancer_->held_bytes(), 0);
}

TEST_F(BalancerTest, LargeLateCallsKeepToTheirPlaces) {
  Backend& backend = AddBackend();
  Listen({.mode = BindMode::kLate, .window = 1});
  const auto channel = Dial();
  std::vector<std::optional<Outcome>> outcomes(4);
  const std::string attachment(500'000, 'a');
  for (auto& outcome : outcomes) {
    Echo(*channel, "hold", &outcome, {.attachment = attachment});
  }
  Run();
  EXPECT_GT(balancer_->held_bytes(), 1'500'000);
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(backend.echo.held.size(), 1u);
    backend.echo.Release();
    Run();
  }
  for (auto& outcome : outcomes) {
    ASSERT_EQ(CodeOf(outcome), absl::StatusCode::kOk);
    EXPECT_TRUE((*outcome)->attachment == attachment);
  }
  Run(absl::Seconds(2));
  EXPECT_EQ(balancer_->held_bytes(), 0) << "counted again every second";
}

// --- Late binding --------------------------------------------------------------------

TEST_F(BalancerTest, LateBindingKeepsToTheWindowAndGoesByDeadline) {
  Backend& backend = AddBackend();
  Listen({.mode = BindMode::kLate,
          .window = 2,
          .slow = {.at_least = absl::Seconds(1)}});
  const auto client = DialRaw();
  client->Write(RequestFrame(1, "hold", absl::Seconds(9)));
  client->Write(RequestFrame(2, "hold", absl::Seconds(9)));
  Run();
  client->Write(RequestFrame(3, "hold", absl::Seconds(8)));
  client->Write(RequestFrame(4, "hold", absl::Seconds(4)));
  client->Write(RequestFrame(5, "hold", absl::Seconds(1)));
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
  ASSERT_EQ(slow.size(), 4u);
  EXPECT_GE(slow[0].queued, absl::Seconds(1));
  EXPECT_EQ(slow[3].queued, absl::ZeroDuration());
  EXPECT_GE(slow[3].handler, absl::Seconds(1));
  EXPECT_NE(slow[0].peer, "");
}

TEST_F(BalancerTest, TheLateQueueIsBounded) {
  Backend& backend = AddBackend();
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
  Backend& backend = AddBackend();
  Listen({.mode = BindMode::kLate, .window = 1});
  const auto channel = Dial();
  backend.server = nullptr;
  Run(absl::Seconds(1));
  std::optional<Outcome> outcome;
  Echo(*channel, "x", &outcome);
  Run();
  EXPECT_EQ(CodeOf(outcome), absl::StatusCode::kUnavailable);
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
    Call<echo::EchoResponse>(*channel, Method<echo::EchoService>("Echo"), request,
                             {.timeout = absl::Seconds(300)},
                             [&, began = clock.Now()](const Outcome& outcome) {
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

// The balancer's backends: their health, their weights, how they come and go.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log_testing.h"
#include "gtest/gtest.h"
#include "rpc/balance/balancer_testing.h"

namespace skep {
namespace {

TEST_F(BalancerTest, AFrozenBackendIsNoticedAndLeftOut) {
  SimBackend& good = AddBackend();
  SimBackend& other = AddBackend();
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

class TellingTest : public BalancerTest, public testing::WithParamInterface<bool> {};

TEST_P(TellingTest, ClientsAreToldWhereBackendsAreOrNot) {
  SimBackend& backend = AddBackend();
  Listen({.default_timeout = absl::Milliseconds(50), .tell_backends = GetParam()});
  const auto channel = Dial();
  std::optional<Outcome> late, lost, none;
  Echo(*channel, "hold", &late, {.timeout = absl::InfiniteDuration()});
  Run(absl::Milliseconds(100));
  Echo(*channel, "hold", &lost, {.timeout = absl::InfiniteDuration()});
  Run();
  backend.server = nullptr;
  Run();
  Echo(*channel, "x", &none);
  Run();
  EXPECT_EQ(CodeOf(late), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(CodeOf(lost), absl::StatusCode::kUnavailable);
  EXPECT_EQ(CodeOf(none), absl::StatusCode::kUnavailable);
  const std::string words[] = {"did not answer in the call's time",
                               "was lost before it answered", "no backend: of 1"};
  const std::optional<Outcome>* const outcomes[] = {&late, &lost, &none};
  for (size_t i = 0; i < std::size(words); ++i) {
    const std::string said = (*outcomes[i])->status().ToString();
    EXPECT_NE(said.find(words[i]), std::string::npos) << said;
    EXPECT_EQ(said.find(backend.address.ToString()) != std::string::npos, GetParam())
        << said;
  }
}

INSTANTIATE_TEST_SUITE_P(All, TellingTest, testing::Bool());

TEST_F(BalancerTest, WhereOneSideAloneSpeaksTlsItIsSaidAndNotAgainAndAgain) {
  ForeignBackend& secure = AddForeign();
  const LogLines down("backend_down"), unexpected("tls_unexpected"),
      bad("balancer_bad");
  Listen({.tell_backends = true});
  const auto channel = Dial();
  size_t alerted = 0;
  int named = 0;
  for (int i = 0; i < 300; ++i) {
    for (; alerted < secure.peers.size(); ++alerted) {
      secure.peers[alerted]->Write({"\x15\x03\x03\x00\x02\x02\x46", 7});
    }
    std::optional<Outcome> outcome;
    Echo(*channel, "x", &outcome, {.timeout = absl::Milliseconds(90)});
    Run(absl::Milliseconds(100));
    ASSERT_TRUE(outcome.has_value());
    EXPECT_EQ(CodeOf(outcome), absl::StatusCode::kUnavailable);
    named += outcome->status().ToString().find("--backend-tls") != std::string::npos;
  }
  EXPECT_GE(alerted, 5u) << "it goes on trying";
  EXPECT_GE(named, 299);
  EXPECT_EQ(down.count(), 1);
  for (int i = 0; i < 5; ++i) {
    const auto client = DialRaw();
    client->Write("\x16\x03\x01\x02");
    Run();
    EXPECT_TRUE(client->eof || client->closed.has_value());
  }
  EXPECT_EQ(unexpected.count(), 1);
  EXPECT_EQ(bad.count(), 0);
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

TEST_F(BalancerTest, AnErrorCountsForFiftyTimesWhatCallsTake) {
  SimBackend& good = AddBackend();
  ForeignBackend& failing = AddForeign();
  Listen({.health = {.errors_in_a_row = 0}});
  const auto client = DialRaw();
  uint64_t id = 0;
  int failed = 0;
  // 100 ms each: as long as a backend has one, the other gets the next.
  const auto serve = [&](absl::Duration time) {
    for (const absl::Time end = clock_.Now() + time; clock_.Now() < end;) {
      client->Write(EchoRequestFrame(++id, "hold"));
      Run(absl::Milliseconds(100));
      good.echo.ReleaseAll();
      while (const auto got = failing.peers.at(0)->Next()) {
        failed += got->method == "Echo";
        failing.peers[0]->Write(ErrorFrame(got->id, WireError::kWrongProto));
      }
      Run(absl::Milliseconds(1));
    }
  };
  serve(absl::Seconds(60));
  EXPECT_GE(failed, 3) << "it is tried now and then";
  EXPECT_LE(failed, 16) << "every 5 s, not every second";
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

TEST_F(BalancerTest, WeightsShareTheCalls) {
  SimBackend& big = AddBackend();
  SimBackend& small = AddBackend();
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
  SimBackend& old = AddBackend();
  SimBackend& fresh = AddBackend();
  Listen({.slow_start = absl::Seconds(10)});
  Run(absl::Seconds(20));
  fresh.server = nullptr;
  Run(absl::Seconds(5));
  Restart(fresh);
  ASSERT_TRUE(RunUntil([&] { return balancer_->backends()[1].connected; }));
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
  SimBackend& first = AddBackend();
  Listen();
  const auto channel = Dial();
  std::optional<Outcome> held;
  Echo(*channel, "hold", &held);
  Run();
  SimBackend& second = AddBackend();
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
  SimBackend& leaving = AddBackend();
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
  SimBackend& backend = AddBackend();
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

}  // namespace
}  // namespace skep

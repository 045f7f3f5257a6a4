// What the balancer holds of requests and replies, and its bounds.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"
#include "rpc/balance/balancer_testing.h"

namespace skep {
namespace {

TEST_F(BalancerTest, AClientThatDoesNotReadCostsABoundedNumberOfBytes) {
  SimBackend& backend = AddBackend();
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

TEST_F(BalancerTest, ClientsThatNeverReadHaveNobodyElseRefused) {
  AddBackend();
  constexpr int64_t kMost = 8 << 20;
  Listen({.max_bytes = kMost});
  const std::string frame = EchoRequestFrame(1, std::string(60'000, 'x'));
  std::vector<std::unique_ptr<RawPeer>> deaf;
  for (int i = 0; i < 6; ++i) {
    deaf.push_back(DialRaw());
    deaf.back()->stream().SetReading(false);
  }
  int64_t most = 0;
  for (int i = 0; i < 60; ++i) {
    for (const auto& peer : deaf) peer->Write(frame);
    Run(absl::Milliseconds(20));
    most = std::max(most, balancer_->held_bytes());
  }
  EXPECT_GT(most, kMost * 3 / 4);
  EXPECT_LE(most, kMost);
  EXPECT_GT(RowOf("balancer").failed(), 0u) << "they are refused";
  const auto channel = Dial();
  for (const size_t size : {10, 100'000}) {
    std::optional<Outcome> outcome;
    Echo(*channel, std::string(size, 'g'), &outcome);
    Run(absl::Milliseconds(200));
    EXPECT_EQ(CodeOf(outcome), absl::StatusCode::kOk) << size;
  }
  // One takes a little now and then; the others go.
  for (int i = 0; i < 40; ++i) {
    deaf[0]->stream().SetReading(true);
    Run(absl::Microseconds(100));
    if (!deaf[0]->closed) deaf[0]->stream().SetReading(false);
    Run(absl::Seconds(1));
  }
  EXPECT_FALSE(deaf[0]->closed.has_value());
  EXPECT_EQ(balancer_->connections(), 2);
  deaf[0]->stream().SetReading(true);
  Run(absl::Seconds(5));
  EXPECT_EQ(balancer_->held_bytes(), 0);
}

TEST_F(BalancerTest, ALargeRequestIsRefusedBeforeItIsTakenIn) {
  AddBackend();
  Listen({.max_bytes = 1 << 20});
  const auto client = DialRaw();
  client->Write(EchoRequestFrame(3, std::string(4 << 20, 'x'), absl::Seconds(5)) +
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
  SimBackend& backend = AddBackend();
  network_.Stall("b", backend.address.host(), absl::Milliseconds(500));
  Listen();
  const auto client = DialRaw();
  const std::string large(300'000, 'l');
  client->Write(EchoRequestFrame(1, large, absl::Seconds(2)) +
                EchoRequestFrame(2, "small", absl::Seconds(2)));
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
  SimBackend& backend = AddBackend();
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

}  // namespace
}  // namespace skep

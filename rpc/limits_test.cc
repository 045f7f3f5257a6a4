// What one connection and all of them may cost a server.

#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "rpc/channel_testing.h"
#include "rpc/control.pb.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/sim_transport.h"

namespace skep {
namespace {

constexpr size_t kMiB = 1 << 20;

std::string ControlFrame(const char* method, const ControlHello& body) {
  Envelope e;
  e.type = MessageType::kRequest;
  e.id = body.id();
  e.service = "skep.Control";
  e.Set(Envelope::kService);
  e.method = method;
  e.Set(Envelope::kMethod);
  return EncodeWhole(e, &body);
}

class LimitsTest : public ::testing::Test {
 protected:
  LimitsTest() { services_.Add(&echo_); }
  ~LimitsTest() override {
    echo_.ReleaseAll();
    Run(absl::Seconds(1));
  }

  void Listen(ServerOptions options) {
    server_ = *Server::Listen(network_.host("s"), at_, services_, std::move(options));
  }
  RawPeer& Dial() {
    std::unique_ptr<RawPeer> peer;
    network_.host("c").Connect(at_, absl::Seconds(5), [&](auto stream) {
      peer = std::make_unique<RawPeer>(*std::move(stream));
    });
    Run();
    peers_.push_back(std::move(peer));
    return *peers_.back();
  }
  void Run(absl::Duration d = absl::Milliseconds(500)) { executor_.RunFor(d); }

  SimulatedClock clock_;
  ManualExecutor executor_{clock_};
  SimNetwork network_{executor_, /*seed=*/4};
  const Address at_ = Address::Tcp("s", 7000);
  EchoService echo_;
  ServiceTable services_;
  std::unique_ptr<Server> server_;
  std::vector<std::unique_ptr<RawPeer>> peers_;
};

TEST_F(LimitsTest, AFrameThatTricklesInHasItsTime) {
  Listen({});
  RawPeer& slow = Dial();
  const std::string frame = EchoRequestFrame(1, std::string(100, 'x'));
  size_t sent = 0;
  // One byte a second.
  while (sent < frame.size() && !slow.closed.has_value()) {
    slow.Write(frame.substr(sent++, 1));
    Run(absl::Seconds(1));
  }
  EXPECT_TRUE(slow.closed.has_value());
  EXPECT_NEAR(static_cast<double>(sent), 30, 2);
  EXPECT_EQ(server_->connections(), 0);
  EXPECT_EQ(echo_.calls, 0);
}

TEST_F(LimitsTest, SlowButWholeFramesAreServed) {
  Listen({});
  RawPeer& peer = Dial();
  for (int i = 0; i < 20; ++i) {
    const std::string frame = EchoRequestFrame(1, "x");
    peer.Write(frame.substr(0, 10));
    Run(absl::Seconds(20));
    peer.Write(frame.substr(10));
    Run(absl::Milliseconds(1));
  }
  Run();
  EXPECT_EQ(echo_.calls, 20);
  EXPECT_FALSE(peer.closed.has_value());
}

TEST_F(LimitsTest, ALargeFrameMayTakeAsLongAsItsSize) {
  Listen({});
  RawPeer& peer = Dial();
  // 8 MiB at 100 KiB/s: 80 s.
  const std::string frame = EchoRequestFrame(1, std::string(8 * kMiB, 'x'));
  for (size_t sent = 0; sent < frame.size(); sent += 100 << 10) {
    peer.Write(std::string_view(frame).substr(sent, 100 << 10));
    Run(absl::Seconds(1));
  }
  EXPECT_EQ(echo_.calls, 1);
}

TEST_F(LimitsTest, AClientThatNeverReadsCostsItsHighWaterMark) {
  Listen({.high_water_bytes = 2 * kMiB});
  RawPeer& deaf = Dial();
  deaf.stream().SetReading(false);
  const std::string frame = EchoRequestFrame(1, std::string(64 << 10, 'x'));
  size_t most = 0;
  for (int i = 0; i < 200; ++i) {
    deaf.Write(frame);
    Run(absl::Milliseconds(20));
    most = std::max(most, server_->memory_bytes());
  }
  EXPECT_GE(most, 2 * kMiB);
  EXPECT_LT(most, 2 * kMiB + 512 * 1024);
  EXPECT_LT(echo_.calls, 60);
  deaf.stream().SetReading(true);
  Run(absl::Seconds(5));
  EXPECT_EQ(echo_.calls, 200);
  EXPECT_EQ(server_->memory_bytes(), 0u);
}

TEST_F(LimitsTest, SoDoesOneThatOnlySaysHello) {
  // An answer of 32 KiB each.
  Listen({.high_water_bytes = 2 * kMiB, .fleet = std::string(32 << 10, 'f')});
  RawPeer& deaf = Dial();
  deaf.stream().SetReading(false);
  ControlHello hello;
  hello.set_id(1);
  std::string frames;
  for (int i = 0; i < 200; ++i) frames += ControlFrame("Hello", hello);
  deaf.Write(frames);
  size_t most = 0;
  for (int i = 0; i < 100; ++i) {
    Run(absl::Milliseconds(20));
    most = std::max(most, server_->memory_bytes());
  }
  EXPECT_GE(most, 2 * kMiB);
  EXPECT_LT(most, 2 * kMiB + 512 * 1024);
  deaf.stream().SetReading(true);
  Run(absl::Seconds(5));
  int answers = 0;
  while (deaf.Next().has_value()) ++answers;
  EXPECT_EQ(answers, 200);
}

TEST_F(LimitsTest, AFleetsNameAddsNoLineToTheLog) {
  Listen({.fleet = "bees"});
  RawPeer& peer = Dial();
  ControlHello hello;
  hello.set_id(1);
  hello.set_fleet("wasps\nW forged");
  testing::internal::CaptureStderr();
  peer.Write(ControlFrame("Hello", hello));
  Run();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("hello_refused"), log.npos) << log;
  EXPECT_EQ(log.find("\nW forged"), log.npos) << log;
}

// Takes whole lines.
class Lines final : public StreamHandler {
 public:
  size_t OnData(std::string_view bytes) override {
    return bytes.find_last_of('\n') + 1;  // npos + 1 is 0
  }
  void OnClosed(const absl::Status&) override {}
};

TEST_F(LimitsTest, WhatAnotherProtocolHoldsIsCounted) {
  Listen({.other_protocol = [](Stream&) { return std::make_unique<Lines>(); }});
  RawPeer& first = Dial();
  RawPeer& second = Dial();
  first.Write("half a li");
  second.Write("a line\n");
  Run();
  EXPECT_EQ(server_->memory_bytes(), 64u << 10);
  second.Write("another");
  Run();
  EXPECT_EQ(server_->memory_bytes(), 128u << 10);
  first.Write("ne\n");
  Run();
  EXPECT_EQ(server_->memory_bytes(), 64u << 10);
  second.stream().Abort(Unavailable("gone"));
  Run();
  EXPECT_EQ(server_->memory_bytes(), 0u);
}

TEST_F(LimitsTest, AllOfThemTogetherHaveABound) {
  constexpr size_t kMost = 8 * kMiB;
  Listen({.high_water_bytes = 4 * kMiB, .max_memory_bytes = kMost});
  std::vector<RawPeer*> deaf;
  for (int i = 0; i < 20; ++i) {
    deaf.push_back(&Dial());
    deaf.back()->stream().SetReading(false);
  }
  const std::string frame = EchoRequestFrame(1, std::string(20'000, 'x'));
  size_t most = 0;
  for (int i = 0; i < 60; ++i) {
    for (RawPeer* peer : deaf) peer->Write(frame);
    Run(absl::Milliseconds(20));
    most = std::max(most, server_->memory_bytes());
  }
  EXPECT_GT(most, kMost / 2);
  EXPECT_LT(most, kMost);
  // They alone are held back.
  RawPeer& good = Dial();
  good.Write(EchoRequestFrame(7, "hello"));
  Run();
  const auto small = good.Next();
  ASSERT_TRUE(small.has_value());
  EXPECT_FALSE(small->Has(Envelope::kError)) << "the last eighth is for such";
  // And in the end are hung up on, but for who takes some.
  for (int i = 0; i < 35; ++i) {
    deaf[0]->stream().SetReading(true);
    Run(absl::Microseconds(300));
    deaf[0]->stream().SetReading(false);
    Run(absl::Seconds(1));
  }
  EXPECT_EQ(server_->connections(), 2);
  EXPECT_FALSE(deaf[0]->closed.has_value());
  deaf[0]->stream().SetReading(true);
  Run(absl::Seconds(10));
  EXPECT_EQ(server_->memory_bytes(), 0u);
  good.Write(EchoRequestFrame(8, "hello"));
  Run();
  const auto served = good.Next();
  ASSERT_TRUE(served.has_value());
  EXPECT_FALSE(served->Has(Envelope::kError));
}

TEST_F(LimitsTest, SoHaveTheFrontsOfFrames) {
  constexpr size_t kMost = 4 * kMiB;
  Listen({.max_memory_bytes = kMost});
  const std::string frame = EchoRequestFrame(1, std::string(2 * kMiB, 'x'));
  std::vector<RawPeer*> peers;
  for (int i = 0; i < 10; ++i) {
    peers.push_back(&Dial());
    peers.back()->Write(std::string_view(frame).substr(0, frame.size() - 1));
    Run();
  }
  EXPECT_LT(server_->memory_bytes(), kMost + 2 * kMiB);
  // Those that stand in the way have their time; then there is room.
  Run(absl::Minutes(3));
  EXPECT_EQ(server_->memory_bytes(), 0u);
  RawPeer& good = Dial();
  good.Write(EchoRequestFrame(7, "hello"));
  Run();
  EXPECT_TRUE(good.Next().has_value());
}

TEST_F(LimitsTest, AFrameOverTheBoundIsServedIfItIsAlone) {
  Listen({.max_memory_bytes = 1 * kMiB});
  RawPeer& peer = Dial();
  peer.Write(EchoRequestFrame(1, std::string(3 * kMiB, 'x')));
  Run(absl::Seconds(5));
  EXPECT_EQ(echo_.calls, 1);
}

}  // namespace
}  // namespace skep

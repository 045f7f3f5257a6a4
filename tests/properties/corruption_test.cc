// Frames with one damaged byte, in every place of a way through the balancer: none is
// delivered as good. SKEP_DAMAGED_FRAMES says how many, in each of the balancer's
// modes.

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "base/random.h"
#include "base/status.h"
#include "glog/logging.h"
#include "gtest/gtest.h"
#include "rpc/balance/balancer.h"
#include "rpc/channel_testing.h"
#include "rpc/frame.h"
#include "rpc/server.h"
#include "rpc/sim_transport.h"
#include "tests/properties/call_ledger.h"
#include "tests/properties/faulty_memory.h"
#include "tests/properties/relay.h"
#include "tests/properties/trial_service.h"

namespace skep {
namespace {

// Where a frame is damaged, on its way to the server and back.
enum class Place { kBefore, kInside, kAfter };

class CorruptionTest : public testing::TestWithParam<BindMode> {
 protected:
  CorruptionTest() {
    FLAGS_minloglevel = google::GLOG_FATAL;
    ledger_.Allow(absl::StatusCode::kDataLoss);
    services_.Add(&service_);
    services_.Add(&echo_);
    auto server = Server::Listen(network_.host("s"), server_at_, services_);
    CHECK(server.ok()) << server.status();
    server_ = *std::move(server);
    const Address balancer_at = Address::Tcp("b", 2);
    const Address front_at = Address::Tcp("f", 3), behind_at = Address::Tcp("g", 4);
    behind_ = std::make_unique<Relay>(network_.host("g"), behind_at, server_at_);
    auto balancer = Balancer::Listen(
        memory_.transport(), balancer_at, {behind_at},
        {.mode = GetParam(),
         // Replies that do not come in one piece pass while they come.
         .cut_through =
             GetParam() == BindMode::kLate ? 64 : BalancerOptions::kNeverCutThrough,
         .min_backoff = absl::Milliseconds(1),
         .max_backoff = absl::Milliseconds(1)});
    CHECK(balancer.ok()) << balancer.status();
    balancer_ = *std::move(balancer);
    front_ = std::make_unique<Relay>(network_.host("f"), front_at, balancer_at);
    client_ = Connect(network_.host("c"), front_at,
                      {.min_backoff = absl::Milliseconds(1),
                       .max_backoff = absl::Milliseconds(1),
                       .seed = 1});
    executor_.RunFor(absl::Seconds(3));
  }
  ~CorruptionTest() override {
    client_ = nullptr;
    balancer_ = nullptr;
    executor_.RunFor(absl::Minutes(1));
    server_ = nullptr;
    executor_.RunFor(absl::Minutes(1));
    EXPECT_EQ(service_.in_progress(), 0u);
    EXPECT_EQ(ledger_.Verdict(), "");
  }

  // One call; its request and its reply, undamaged, have the same length each time.
  absl::Status Call(uint32_t attachment) {
    TrialRequest request;
    request.set_attachment_bytes(attachment);
    request.set_reply_bytes(attachment);
    ledger_.Start(client_, request, CallLedger::Kind::kOnce, kTimeout);
    // Until it has its deadline behind it, or its outcome and all connections are back.
    const size_t completed = ledger_.completed();
    for (int i = 0; i < 400 && ledger_.completed() == completed; ++i) {
      executor_.RunFor(absl::Milliseconds(3));
    }
    const absl::Status status = ledger_.last_status();
    if (!status.ok()) executor_.RunFor(absl::Milliseconds(30));
    return status;
  }

  // Damages `frames` of them there. Returns how many calls failed by it.
  int Damage(Place place, Relay::Direction direction, int frames, uint32_t attachment) {
    // The lengths, where the damage is done.
    Relay& relay =
        (place == Place::kAfter) == (direction == Relay::kUp) ? *behind_ : *front_;
    const uint64_t before = relay.passed(direction);
    EXPECT_TRUE(Call(attachment).ok());
    const uint64_t length = relay.passed(direction) - before;
    EXPECT_GT(length, 20 + attachment);
    int failed = 0, good_again = 0;
    for (int i = 0; i < frames; ++i) {
      const uint64_t offset = random_.Below(length);
      const char mask = static_cast<char>(1 + random_.Below(255));
      if (place == Place::kInside) {
        memory_.Arm(length, offset, mask, static_cast<int>(random_.Below(6)));
      } else {
        relay.DamageAfter(direction, offset, mask);
      }
      const absl::Status status = Call(attachment);
      if (place != Place::kInside) {
        EXPECT_TRUE(relay.damaged());
        // On the wire every damage is seen.
        EXPECT_FALSE(status.ok()) << "byte " << offset << " of " << length;
      }
      memory_.Disarm();
      damaged_inside_ += place == Place::kInside && memory_.done();
      failed += !status.ok();
      // The connections are made anew by themselves, and calls work at the latest then;
      // but a size that became too large makes a receiver wait for what never comes.
      bool good = status.ok();
      if (offset < kFrameSizeBytes) ResetAll();
      for (int j = 0; j < 3 && !good; ++j) good = Call(0).ok();
      good_again += good;
    }
    EXPECT_EQ(good_again, frames);
    EXPECT_EQ(ledger_.Verdict(), "");
    return failed;
  }

  void ResetAll() {
    network_.Reset("c", "f");
    network_.Reset("f", "b");
    network_.Reset("b", "g");
    network_.Reset("g", "s");
    executor_.RunFor(absl::Milliseconds(30));
  }

  std::unique_ptr<RawPeer> ConnectRaw() {
    std::unique_ptr<RawPeer> peer;
    network_.host("c").Connect(balancer_->address(), absl::Seconds(1),
                               [&peer](absl::StatusOr<std::unique_ptr<Stream>> stream) {
                                 CHECK(stream.ok()) << stream.status();
                                 peer = std::make_unique<RawPeer>(*std::move(stream));
                               });
    executor_.RunFor(absl::Milliseconds(30));
    return peer;
  }

  // The same frame with its id before its type.
  static std::string IdFirst(std::string frame) {
    constexpr size_t kTypeBytes = 2, kIdBytes = 9;
    const auto type = frame.begin() + kTypeOffset - 1;
    std::rotate(type, type + kTypeBytes, type + kTypeBytes + kIdBytes);
    frame.resize(frame.size() - kFrameChecksumBytes);
    SealFrame(&frame);
    return frame;
  }

  static int Frames() {
    const char* const value = std::getenv("SKEP_DAMAGED_FRAMES");
    if (value != nullptr) return std::atoi(value);
#ifdef __SANITIZE_ADDRESS__
    return 5'000;
#else
    return 50'000;
#endif
  }
  // Both ways, and three lengths: a small frame, a larger one, one in several segments.
  int DamageAll(Place place) {
    int failed = 0;
    for (const auto direction : {Relay::kUp, Relay::kDown}) {
      const int frames = Frames() / 6;
      failed += Damage(place, direction, frames * 6 / 10, 0);
      failed += Damage(place, direction, frames * 3 / 10, 100);
      failed += Damage(place, direction, frames * 1 / 10, 5000);
    }
    std::cout << Frames() / 3 << " damaged, " << failed << " failed\n";
    return failed;
  }

  static constexpr absl::Duration kTimeout = absl::Seconds(1);

  SimulatedClock clock_;
  ManualExecutor executor_{clock_};
  SimNetwork network_{executor_, 1};
  CallLedger ledger_{executor_};
  Random random_{1};
  TrialService service_{executor_, ledger_};
  EchoService echo_;
  ServiceTable services_;
  FaultyMemory memory_{network_.host("b")};
  const Address server_at_ = Address::Tcp("s", 1);
  std::unique_ptr<Server> server_;
  std::unique_ptr<Relay> behind_, front_;
  std::unique_ptr<Balancer> balancer_;
  std::shared_ptr<Channel> client_;
  int damaged_inside_ = 0;
};

TEST_P(CorruptionTest, BeforeTheBalancer) { DamageAll(Place::kBefore); }

TEST_P(CorruptionTest, BehindTheBalancer) { DamageAll(Place::kAfter); }

// The balancer writes such a frame anew, with a checksum of its own.
TEST_P(CorruptionTest, InTheBalancersMemoryWithFieldsInAnotherOrder) {
  int good = 0, refused = 0, damaged = 0;
  std::unique_ptr<RawPeer> peer;
  for (uint64_t id = 1; id <= 3000; ++id) {
    if (peer == nullptr || peer->eof || peer->closed.has_value()) peer = ConnectRaw();
    const std::string payload = StrCat("payload ", id, " of a call");
    const std::string frame = IdFirst(EchoRequestFrame(id, payload));
    memory_.Arm(frame.size(), random_.Below(frame.size()),
                static_cast<char>(1 + random_.Below(255)),
                static_cast<int>(random_.Below(6)));
    peer->Write(frame);
    executor_.RunFor(absl::Milliseconds(20));
    damaged += memory_.done();
    memory_.Disarm();
    const std::optional<Envelope> reply = peer->Next();
    if (!reply.has_value() || reply->error != WireError::kNone) {
      ++refused;
      peer = nullptr;
      continue;
    }
    ++good;
    echo::EchoResponse response;
    ASSERT_TRUE(ParseMessage(reply->response, &response));
    ASSERT_EQ(response.payload(), payload);
    ASSERT_EQ(reply->id, id);
  }
  EXPECT_GT(good, 100);
  EXPECT_GT(refused, damaged / 4);
}

TEST_P(CorruptionTest, InTheBalancersMemory) {
  const int failed = DamageAll(Place::kInside);
  // Or this shows nothing: damage that came after the bytes were passed on does none.
  EXPECT_GT(damaged_inside_, Frames() / 6);
  EXPECT_GT(failed, damaged_inside_ / 4);
}

INSTANTIATE_TEST_SUITE_P(Modes, CorruptionTest,
                         testing::Values(BindMode::kEarly, BindMode::kLate),
                         [](const auto& param) {
                           return param.param == BindMode::kEarly ? "Early" : "Late";
                         });

}  // namespace
}  // namespace skep

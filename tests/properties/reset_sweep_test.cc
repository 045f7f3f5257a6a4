// A conversation, cut after each of its bytes: once for every byte, in both directions,
// by a reset and by an orderly close, with and without a balancer in the middle.

#include <memory>

#include "base/status.h"
#include "glog/logging.h"
#include "gtest/gtest.h"
#include "rpc/balance/balancer.h"
#include "rpc/server.h"
#include "rpc/sim_transport.h"
#include "tests/properties/call_ledger.h"
#include "tests/properties/relay.h"
#include "tests/properties/trial_service.h"

namespace skep {
namespace {

enum class Where { kDirect, kBeforeBalancer, kBehindBalancer };

// The client, the server, what is between them, and what they say to each other.
class Conversation {
 public:
  explicit Conversation(Where where) {
    services_.Add(&service_);
    auto server = Server::Listen(network_.host("s"), server_at_, services_);
    CHECK(server.ok()) << server.status();
    server_ = *std::move(server);
    const Address relay_at = Address::Tcp("r", 2), balancer_at = Address::Tcp("b", 3);
    Address first = relay_at, behind_relay = server_at_;
    if (where == Where::kBeforeBalancer) behind_relay = balancer_at;
    if (where == Where::kBehindBalancer) first = balancer_at;
    relay_ = std::make_unique<Relay>(network_.host("r"), relay_at, behind_relay);
    if (where != Where::kDirect) {
      auto balancer =
          Balancer::Listen(network_.host("b"), balancer_at,
                           {where == Where::kBehindBalancer ? relay_at : server_at_},
                           {.cut_through = where == Where::kBehindBalancer
                                               ? size_t{64}
                                               : BalancerOptions::kNeverCutThrough,
                            .check_interval = absl::ZeroDuration()});
      CHECK(balancer.ok()) << balancer.status();
      balancer_ = *std::move(balancer);
      executor_.RunFor(absl::Milliseconds(5));
    }
    client_ = Connect(network_.host("c"), first, {.seed = 1});
  }

  Relay& relay() { return *relay_; }

  // What is wrong after it.
  std::string Run() {
    const auto call = [this](CallLedger::Kind kind, uint32_t delay_us, uint32_t sent,
                             uint32_t received, uint32_t fail = 0) {
      TrialRequest request;
      request.set_delay_us(delay_us);
      request.set_until_stopped(delay_us > 0);
      request.set_attachment_bytes(sent);
      request.set_reply_bytes(received);
      request.set_fail(fail);
      ledger_.Start(client_, request, kind, absl::Seconds(1));
    };
    call(CallLedger::Kind::kOnce, 0, 0, 0);
    executor_.RunFor(absl::Milliseconds(3));
    call(CallLedger::Kind::kAgain, 2000, 100, 0);
    call(CallLedger::Kind::kTell, 0, 0, 0);
    call(CallLedger::Kind::kOnce, 0, 0, 100);
    call(CallLedger::Kind::kOnce, 50'000, 0, 0);
    executor_.RunFor(absl::Milliseconds(3));
    ledger_.Cancel(4);
    call(CallLedger::Kind::kOnce, 0, 0, 0,
         static_cast<uint32_t>(absl::StatusCode::kNotFound));
    executor_.RunFor(absl::Seconds(8));
    // And the channel is as good as new: at the latest for the call after the one that
    // the cut was waiting for.
    const int64_t before = Ok();
    for (int i = 0; i < 2 && Ok() == before; ++i) {
      call(CallLedger::Kind::kOnce, 0, 0, 0);
      executor_.RunFor(absl::Seconds(8));
    }
    if (Ok() == before) ledger_.Wrong("no calls after the cut");
    if (client_->pending() != 0) ledger_.Wrong("calls pending");
    if (service_.in_progress() != 0) ledger_.Wrong("calls in progress");
    if (balancer_ != nullptr && balancer_->backends()[0].pending != 0) {
      ledger_.Wrong("calls pending in the balancer");
    }
    client_ = nullptr;
    balancer_ = nullptr;
    executor_.RunFor(absl::Minutes(1));
    if (server_->connections() != 0) ledger_.Wrong("connections left");
    for (const auto d : {Relay::kUp, Relay::kDown}) passed_[d] = relay_->passed(d);
    relay_ = nullptr;
    server_ = nullptr;
    executor_.RunFor(absl::Minutes(1));
    if (executor_.pending() != 0) ledger_.Wrong("closures left");
    return ledger_.Verdict();
  }

  // When it has run: bytes that the relay saw.
  uint64_t passed(Relay::Direction direction) const { return passed_[direction]; }
  int64_t Ok() const {
    const auto it = ledger_.tally().find("OK");
    return it == ledger_.tally().end() ? 0 : it->second;
  }

 private:
  SimulatedClock clock_;
  ManualExecutor executor_{clock_};
  SimNetwork network_{executor_, 1};
  CallLedger ledger_{executor_};
  TrialService service_{executor_, ledger_};
  ServiceTable services_;
  const Address server_at_ = Address::Tcp("s", 1);
  std::unique_ptr<Server> server_;
  std::unique_ptr<Balancer> balancer_;
  std::unique_ptr<Relay> relay_;
  std::shared_ptr<Channel> client_;
  uint64_t passed_[2] = {0, 0};
};

void Sweep(Where where) {
  FLAGS_minloglevel = google::GLOG_FATAL;
  Conversation whole(where);
  ASSERT_EQ(whole.Run(), "");
  ASSERT_EQ(whole.Ok(), 5) << "all but the one that is cancelled and the error";
  for (const auto direction : {Relay::kUp, Relay::kDown}) {
    ASSERT_GT(whole.passed(direction), 300u);
    for (uint64_t k = 0; k <= whole.passed(direction); ++k) {
      for (const auto end : {Relay::End::kReset, Relay::End::kClose}) {
        Conversation conversation(where);
        conversation.relay().CutAfter(direction, k, end);
        ASSERT_EQ(conversation.Run(), "")
            << (direction == Relay::kUp ? "up" : "down") << ", cut after byte " << k
            << " of " << whole.passed(direction)
            << (end == Relay::End::kReset ? " by a reset" : " by a close");
      }
    }
  }
}

TEST(ResetAtEveryByte, Direct) { Sweep(Where::kDirect); }
TEST(ResetAtEveryByte, BeforeTheBalancer) { Sweep(Where::kBeforeBalancer); }
TEST(ResetAtEveryByte, BehindTheBalancer) { Sweep(Where::kBehindBalancer); }

}  // namespace
}  // namespace skep

#include "tools/load/driver.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/status.h"
#include "gtest/gtest.h"
#include "rpc/controller.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/sim_transport.h"

namespace skep {
namespace {

constexpr char kPuzzle[] =
    "530070000600195000098000060800060003400803001700020006060000280000419005000080079";
constexpr char kSolution[] =
    "534678912672195348198342567859761423426853791713924856961537284287419635345286179";

class FakeEcho final : public echo::EchoService {
 public:
  void Echo(google::protobuf::RpcController*, const echo::EchoRequest* request,
            echo::EchoResponse* response, google::protobuf::Closure* done) override {
    if (silent) return held.push_back(done);
    response->set_payload(wrong ? "something else" : request->payload());
    done->Run();
  }
  void Release() {
    for (google::protobuf::Closure* done : std::exchange(held, {})) done->Run();
  }
  bool silent = false;
  bool wrong = false;
  std::vector<google::protobuf::Closure*> held;
};

// A server of the text protocol that answers each line as it is told to.
class TextServer final : public StreamHandler {
 public:
  using Answer = std::function<std::string(const std::string& id)>;
  explicit TextServer(Answer answer) : answer_(std::move(answer)) {}
  void Accept(std::unique_ptr<Stream> stream) {
    stream_ = std::move(stream);
    stream_->Start(this);
  }
  size_t OnData(std::string_view bytes) override {
    size_t done = 0;
    for (size_t end; (end = bytes.find("\r\n", done)) != bytes.npos; done = end + 2) {
      const std::string line(bytes.substr(done, end - done));
      stream_->Write(answer_(line.substr(0, line.find(':'))));
    }
    return done;
  }
  void OnClosed(const absl::Status&) override {}
  Stream& stream() { return *stream_; }

 private:
  const Answer answer_;
  std::unique_ptr<Stream> stream_;
};

class DriverTest : public ::testing::Test {
 protected:
  DriverTest() : network_(executor_, /*seed=*/3) { services_.Add(&echo_); }
  ~DriverTest() override {
    driver_ = nullptr;
    echo_.Release();
    executor_.RunFor(absl::Seconds(30));
    server_ = nullptr;
  }

  void Serve() {
    auto server = Server::Listen(network_.host("s"), address_, services_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  void ServeText(TextServer::Answer answer) {
    text_ = std::make_unique<TextServer>(std::move(answer));
    auto listener = network_.host("s").Listen(
        address_, [this](std::unique_ptr<Stream> s) { text_->Accept(std::move(s)); });
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }

  void Open(const DriverOptions& options, const LinkFactory& factory = MakeEchoLink) {
    LinkOptions link;
    link.target = address_;
    link.timeout = absl::Seconds(2);
    link.puzzles = {kPuzzle};
    driver_ =
        std::make_unique<Driver>(executor_, options,
                                 Driver::Listener{.ready = [this] { ++ready_; },
                                                  .finished = [this] { ++finished_; }});
    driver_->Open(factory, network_.host("c"), link);
    executor_.RunFor(absl::Milliseconds(50));
    ASSERT_EQ(ready_, 1);
  }
  void Begin() { driver_->Begin(clock_.Now()); }
  const LoadStats& stats() const { return driver_->stats(); }
  uint64_t Outcomes(absl::StatusCode code) const {
    return stats().outcomes[static_cast<size_t>(code)];
  }
  // Answers that took longer than this.
  uint64_t Slower(absl::Duration than) const {
    const Histogram& h = stats().latency;
    return h.count() - h.CountBelow(absl::ToInt64Nanoseconds(than));
  }

  SimulatedClock clock_;
  ManualExecutor executor_{clock_};
  SimNetwork network_;
  const Address address_ = Address::Tcp("s", 8888);
  FakeEcho echo_;
  ServiceTable services_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<TextServer> text_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Driver> driver_;
  int ready_ = 0;
  int finished_ = 0;
};

TEST_F(DriverTest, ClosedLoopSendsSoManyAndFinishesOnce) {
  Serve();
  Open({.window = 4, .requests = 100});
  Begin();
  EXPECT_EQ(stats().sent, 4);
  executor_.RunFor(absl::Seconds(5));
  EXPECT_EQ(stats().sent, 100);
  EXPECT_EQ(stats().ok(), 100);
  EXPECT_EQ(stats().latency.count(), 100);
  EXPECT_EQ(finished_, 1);
}

TEST_F(DriverTest, ClosedLoopEndsWithItsTime) {
  Serve();
  Open({.window = 2, .duration = absl::Milliseconds(100)});
  Begin();
  executor_.RunFor(absl::Seconds(1));
  EXPECT_EQ(finished_, 1);
  EXPECT_GT(stats().sent, 50);
  EXPECT_EQ(stats().ok(), stats().sent);
  EXPECT_LE(stats().last_answer - stats().first_sent, 110'000'000);
}

TEST_F(DriverTest, OpenLoopKeepsItsRateWhateverTheAnswersDo) {
  Serve();
  echo_.silent = true;
  Open({.rate = 1000, .duration = absl::Seconds(1)});
  Begin();
  executor_.RunFor(absl::Milliseconds(500));
  EXPECT_NEAR(static_cast<double>(stats().sent), 500, 2);
  EXPECT_EQ(stats().answered(), 0);
  executor_.RunFor(absl::Milliseconds(600));
  EXPECT_EQ(stats().sent, 1000);
  EXPECT_EQ(stats().in_flight, 1000);
  EXPECT_EQ(finished_, 0);
  executor_.RunFor(absl::Seconds(3));
  EXPECT_EQ(Outcomes(absl::StatusCode::kDeadlineExceeded), 1000);
  EXPECT_EQ(stats().latency.count(), 1000) << "what was given up waited, too";
  EXPECT_EQ(finished_, 1);
}

// The reason for the open loop: a stall of 300 ms shows in all the requests that were
// meant for its time, and to a closed loop in one.
TEST_F(DriverTest, OnlyTheOpenLoopSeesAStallAsClientsDo) {
  Serve();
  Open({.rate = 1000, .duration = absl::Seconds(2)});
  Begin();
  executor_.RunFor(absl::Seconds(1));
  network_.Stall("c", "s", absl::Milliseconds(300));
  executor_.RunFor(absl::Seconds(3));
  EXPECT_EQ(stats().ok(), 2000);
  EXPECT_NEAR(static_cast<double>(Slower(absl::Milliseconds(100))), 200, 10);

  driver_ = nullptr;
  ready_ = 0;
  Open({.window = 1, .duration = absl::Seconds(2)});
  Begin();
  executor_.RunFor(absl::Seconds(1));
  network_.Stall("c", "s", absl::Milliseconds(300));
  executor_.RunFor(absl::Seconds(3));
  EXPECT_EQ(Slower(absl::Milliseconds(100)), 1);
}

// The sender itself was late: that is no excuse either, and told apart.
TEST_F(DriverTest, LatencyCountsFromTheMomentThatWasMeant) {
  Serve();
  Open({.rate = 1000, .duration = absl::Milliseconds(100), .own_timers = false});
  Begin();
  executor_.RunFor(absl::Milliseconds(80));
  driver_->Tick();
  executor_.RunFor(absl::Milliseconds(40));
  driver_->Tick();
  executor_.RunFor(absl::Milliseconds(40));
  EXPECT_EQ(stats().ok(), 100);
  EXPECT_NEAR(static_cast<double>(stats().lag.greatest()), 79e6, 1e6);
  EXPECT_GE(stats().latency.greatest(), stats().lag.greatest());
  EXPECT_NEAR(static_cast<double>(Slower(absl::Milliseconds(40))), 40, 2);
}

TEST_F(DriverTest, OverTheBoundNothingIsSent) {
  Serve();
  echo_.silent = true;
  Open({.rate = 1000, .duration = absl::Milliseconds(100), .max_outstanding = 10});
  Begin();
  executor_.RunFor(absl::Seconds(5));
  EXPECT_EQ(stats().sent, 10);
  EXPECT_EQ(stats().not_sent, 90);
  EXPECT_EQ(finished_, 1);
}

TEST_F(DriverTest, WrongAnswersAreNotGoodOnes) {
  Serve();
  echo_.wrong = true;
  Open({.window = 1, .requests = 5});
  Begin();
  executor_.RunFor(absl::Seconds(1));
  EXPECT_EQ(Outcomes(absl::StatusCode::kDataLoss), 5);
  EXPECT_EQ(stats().ok(), 0);
  EXPECT_EQ(stats().latency.count(), 0);
}

TEST_F(DriverTest, AbandonEndsWhatIsOutstanding) {
  Serve();
  echo_.silent = true;
  Open({.window = 3});
  Begin();
  executor_.RunFor(absl::Milliseconds(100));
  driver_->Abandon();
  executor_.RunFor(absl::Milliseconds(100));
  EXPECT_EQ(stats().in_flight, 3);
  EXPECT_EQ(stats().answered(), 3);
  EXPECT_EQ(finished_, 1);
}

TEST_F(DriverTest, StepsAreExact) {
  Serve();
  Open({.window = 1, .requests = 50, .count_steps = true});
  Begin();
  executor_.RunFor(absl::Seconds(5));
  uint64_t count = 0;
  for (const auto& [step, times] : stats().steps) count += times;
  EXPECT_EQ(count, 50);
  EXPECT_EQ(stats().steps.begin()->first, stats().latency.least() / kHistogramStep);
  EXPECT_EQ(stats().steps.rbegin()->first, stats().latency.greatest() / kHistogramStep);
}

TEST_F(DriverTest, TextAnswersAreChecked) {
  int count = 0;
  ServeText([&count](const std::string& id) {
    std::string wrong = kSolution;
    std::swap(wrong[0], wrong[1]);
    const std::string answers[] = {kSolution, "NoSolution", "ServerTooBusy", wrong};
    return id + ":" + answers[count++ % 4] + "\r\n";
  });
  Open({.window = 2, .requests = 40}, MakeSudokuTextLink);
  Begin();
  executor_.RunFor(absl::Seconds(5));
  EXPECT_EQ(stats().ok(), 20);
  EXPECT_EQ(Outcomes(absl::StatusCode::kResourceExhausted), 10);
  EXPECT_EQ(Outcomes(absl::StatusCode::kDataLoss), 10);
  EXPECT_EQ(finished_, 1);
}

TEST_F(DriverTest, ATextAnswerThatComesTooLateReachesNoOther) {
  std::string first;
  ServeText([&first](const std::string& id) {
    if (first.empty()) return (first = id, std::string());
    return id + ":" + kSolution + "\r\n";
  });
  Open({.window = 1, .requests = 3}, MakeSudokuTextLink);
  Begin();
  executor_.RunFor(absl::Milliseconds(1900));
  EXPECT_EQ(stats().answered(), 0);
  executor_.RunFor(absl::Milliseconds(500));
  EXPECT_EQ(Outcomes(absl::StatusCode::kDeadlineExceeded), 1);
  text_->stream().Write(first + ":" + kSolution + "\r\n");
  executor_.RunFor(absl::Seconds(1));
  EXPECT_EQ(stats().ok(), 2);
  EXPECT_EQ(finished_, 1);
}

TEST_F(DriverTest, ATextConnectionThatEndsFailsWhatIsOutstanding) {
  ServeText([](const std::string&) { return "Bad Request!\r\n"; });
  Open({.window = 3}, MakeSudokuTextLink);
  Begin();
  executor_.RunFor(absl::Seconds(5));
  EXPECT_EQ(Outcomes(absl::StatusCode::kUnavailable), 3);
  EXPECT_NE(driver_->broken().message().find("Bad Request!"), std::string::npos);
  EXPECT_EQ(finished_, 1);
}

TEST_F(DriverTest, ALinkThatNeverConnectsFinishesWithoutSending) {
  Open({.window = 3}, MakeSudokuTextLink);
  Begin();
  EXPECT_FALSE(driver_->broken().ok());
  EXPECT_EQ(stats().sent, 0);
  EXPECT_EQ(finished_, 1);
}

}  // namespace
}  // namespace skep

// A call that nobody waits for stops computing: n-queens and sudoku, within 100 ms of
// CPU time, whether its caller cancelled it, let its deadline pass, vanished or got its
// reply from another server first.

#include <time.h>

#include <functional>
#include <memory>
#include <string>

#include "base/thread_pool.h"
#include "gtest/gtest.h"
#include "rpc/balance/balanced_channel.h"
#include "rpc/channel.h"
#include "rpc/metrics.h"
#include "rpc/server.h"
#include "rpc/services/nqueens.pb.h"
#include "rpc/services/sudoku.pb.h"
#include "rpc/tcp_transport.h"
#include "tools/services/services.h"

namespace skep {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr absl::Duration kMostCpu = absl::Seconds(2);
#else
constexpr absl::Duration kMostCpu = absl::Milliseconds(100);
#endif

absl::Duration CpuTime() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return absl::DurationFromTimespec(time);
}

// Answers at once.
class QuickQueens final : public nqueens::NQueensService {
 public:
  void Solve(google::protobuf::RpcController*, const nqueens::SubProblemRequest*,
             nqueens::SubProblemResponse* response,
             google::protobuf::Closure* done) override {
    response->set_count(1);
    response->set_seconds(0);
    done->Run();
  }
};

class CancelTest : public ::testing::Test {
 protected:
  CancelTest() {
    table_.Add(queens_.get(), ServiceTable::Run::kPool);
    table_.Add(sudoku_.get(), ServiceTable::Run::kPool);
    table_.Measure(&metrics_);
    server_ = *Server::Listen(transport_, Address::Tcp("127.0.0.1", 0), table_,
                              {.pool = &pool_});
    channel_ = Connect(transport_, server_->address());
  }
  ~CancelTest() override {
    channel_ = nullptr;
    server_ = nullptr;
  }

  // The calls that the server now has, by the method's place in the table.
  bool Busy() {
    StatsReport report;
    report.Take(metrics_);
    for (const StatsReport::Row& row : report.rows) {
      if (row.pending > 0) return true;
    }
    return false;
  }
  uint64_t Counted(size_t method, absl::StatusCode code) {
    StatsReport report;
    report.Take(metrics_);
    return report.rows.at(method).ended[static_cast<size_t>(code)];
  }
  void AwaitBusy(bool busy) {
    for (int i = 0; i < 30'000 && Busy() != busy; ++i) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    ASSERT_EQ(Busy(), busy);
  }
  // A minute's work and more.
  CallId StartQueens(Channel& channel, absl::Duration timeout) {
    nqueens::SubProblemRequest request;
    request.set_nqueens(20);
    request.set_first_row(3);
    return Call<nqueens::SubProblemResponse>(
        channel, Method<nqueens::NQueensService>("Solve"), request,
        {.timeout = timeout}, [this](const auto& reply) {
          status_ = reply.status();
          done_ = true;
        });
  }
  // The server is computing; `end` ends what it computes for.
  void ExpectItStopsAfter(const std::function<void()>& end) {
    AwaitBusy(true);
    absl::SleepFor(absl::Milliseconds(50));
    ASSERT_TRUE(Busy());
    end();
    const absl::Duration before = CpuTime();
    AwaitBusy(false);
    EXPECT_LT(CpuTime() - before, kMostCpu);
  }

  TcpTransport transport_{1};
  ThreadPool pool_{"test", 1};
  SudokuStats stats_{Clock::Real()};
  std::unique_ptr<google::protobuf::Service> queens_ =
      MakeNQueensService(Clock::Real());
  std::unique_ptr<google::protobuf::Service> sudoku_ =
      MakeSudokuService(stats_, Clock::Real());
  ServerMetrics metrics_;
  ServiceTable table_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<Channel> channel_;
  absl::Status status_;
  std::atomic<bool> done_ = false;
};

TEST_F(CancelTest, TheCallerCancels) {
  const CallId call = StartQueens(*channel_, absl::Minutes(10));
  ExpectItStopsAfter([&] { channel_->Cancel(call); });
  EXPECT_EQ(Counted(0, absl::StatusCode::kCancelled), 1u);
}

TEST_F(CancelTest, ItsDeadlinePasses) {
  const absl::Time start = absl::Now();
  StartQueens(*channel_, absl::Seconds(1));
  ExpectItStopsAfter([&] { absl::SleepFor(start + absl::Seconds(1) - absl::Now()); });
}

TEST_F(CancelTest, TheClientVanishes) {
  StartQueens(*channel_, absl::Minutes(10));
  ExpectItStopsAfter([&] { channel_ = nullptr; });
}

TEST_F(CancelTest, AHedgeWasFaster) {
  QuickQueens quick;
  ServiceTable table;
  table.Add(&quick);
  const auto other = *Server::Listen(transport_, Address::Tcp("127.0.0.1", 0), table);
  BalancedOptions options;
  options.hedge.delay = absl::Milliseconds(200);
  const auto balanced = BalancedChannel::Create(
      transport_, {server_->address(), other->address()}, options);
  for (int i = 0; i < 1000; ++i) {
    const auto backends = balanced->backends();
    if (backends[0].connected && backends[1].connected) break;
    absl::SleepFor(absl::Milliseconds(5));
  }
  // It goes to the slow server first.
  ASSERT_TRUE(balanced->SetDraining(other->address(), true).ok());
  StartQueens(*balanced, absl::Minutes(10));
  AwaitBusy(true);
  ASSERT_TRUE(balanced->SetDraining(other->address(), false).ok());
  ExpectItStopsAfter([&] {
    while (!done_) absl::SleepFor(absl::Milliseconds(5));
  });
  EXPECT_TRUE(status_.ok()) << status_;
  EXPECT_EQ(balanced->balanced_counters().hedges_won, 1u);
}

TEST_F(CancelTest, SudokuStopsToo) {
  // Has no solution, which takes ten million guesses to find out.
  sudoku::SudokuRequest request;
  request.set_checkerboard(
      "00000040030000007000000020010005000020000005000010000000002301005000000000700000"
      "0");
  const CallId call = Call<sudoku::SudokuResponse>(
      *channel_, Method<sudoku::SudokuService>("Solve"), request,
      {.timeout = absl::Minutes(10)}, [](const auto&) {});
  ExpectItStopsAfter([&] { channel_->Cancel(call); });
  EXPECT_EQ(Counted(1, absl::StatusCode::kCancelled), 1u);
}

}  // namespace
}  // namespace skep

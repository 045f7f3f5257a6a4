#include <memory>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "jobs/kernels/sudoku.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/services/sudoku.pb.h"
#include "tools/load/link.h"

namespace skep {
namespace {

// How long a balanced link waits until all its backends are connected.
constexpr absl::Duration kBackendsTimeout = absl::Seconds(2);
constexpr absl::Duration kBackendsPoll = absl::Milliseconds(2);

// What a channel says of a peer that will not have it: TLS there and none here, another
// fleet (ChannelCore::Refused).
bool IsRefusal(const absl::Status& status) {
  return absl::IsUnavailable(status) &&
         Message(status).find(" refused us: ") != std::string_view::npos;
}

// What a server says that is there and serves something else.
bool IsOtherService(const absl::Status& status) {
  return absl::IsUnimplemented(status) || absl::IsNotFound(status);
}

// A link over the channel. `Traits` says what is asked and whether an answer is right.
template <typename Traits>
class RpcLink final : public Link {
 public:
  RpcLink(Transport& transport, const LinkOptions& options, LinkEvents& events)
      : options_(options), events_(events), traits_(options) {
    ConnectOptions connect;
    // The first connection is announced once; what happens later shows in the calls.
    connect.on_state = [this, alive = std::weak_ptr<bool>(alive_),
                        ready = false](bool connected) mutable {
      if (!connected || std::exchange(ready, true)) return;
      if (alive.lock()) events_.OnReady();
    };
    if (options.backends.size() > 1) {
      BalancedOptions balanced;
      balanced.hedge = options.hedge;
      balanced.seed = SystemRandom64();
      balanced_ = BalancedChannel::Create(transport, options.backends, balanced);
      channel_ = balanced_;
      AwaitBackends(transport.executor(),
                    transport.executor().clock().Now() + kBackendsTimeout);
      return;
    }
    channel_ = Connect(transport, options.target, std::move(connect));
  }

  void Send(uint32_t slot) override {
    if (slot >= exchanges_.size()) exchanges_.resize(slot + 1);
    auto& exchange = exchanges_[slot];
    if (exchange == nullptr) exchange = std::make_unique<Exchange>();
    traits_.Fill(&exchange->request);
    channel_->Start(traits_.method, exchange->request, &exchange->response,
                    {.timeout = options_.timeout},
                    [this, slot](const Controller& call) {
                      absl::StatusCode outcome = call.status().code();
                      const Exchange& exchange = *exchanges_[slot];
                      if (call.status().ok() &&
                          !traits_.Right(exchange.request, exchange.response)) {
                        outcome = absl::StatusCode::kDataLoss;
                      }
                      if (call.status().ok()) answered_ = true;
                      // Not of our kind: trying again changes nothing.
                      const bool other = IsOtherService(call.status());
                      if (!answered_ && (other || IsRefusal(call.status())) &&
                          !std::exchange(refused_, true)) {
                        events_.OnBroken(other ? OtherService() : call.status());
                      }
                      events_.OnReply(slot, outcome);
                    });
  }

  void Close() override { channel_->Close(absl::CancelledError("the load has ended")); }

  BalancedCounters balanced_counters() const override {
    return balanced_ == nullptr ? BalancedCounters() : balanced_->balanced_counters();
  }

 private:
  absl::Status OtherService() const {
    return FailedPrecondition(options_.target, " does not serve ",
                              traits_.method.full_name(), ": `skep rpc list ",
                              options_.target, "` shows what it serves");
  }

  // Ready once all backends are there, or those that are by then; broken without any.
  void AwaitBackends(Executor& executor, absl::Time end) {
    bool all = true, any = false;
    for (const auto& backend : balanced_->backends()) {
      all = all && backend.connected;
      any = any || backend.connected;
    }
    if (!all && executor.clock().Now() < end) {
      executor.PostAfter(kBackendsPoll,
                         [this, alive = std::weak_ptr<bool>(alive_), &executor, end] {
                           if (alive.lock()) AwaitBackends(executor, end);
                         });
      return;
    }
    executor.Post([this, any, alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.lock()) return;
      if (any) return events_.OnReady();
      events_.OnBroken(Unavailable("none of ", options_.backends.size(),
                                   " backends was connected within ",
                                   absl::FormatDuration(kBackendsTimeout)));
    });
  }

  // One of each a slot, used again and again.
  struct Exchange {
    typename Traits::Request request;
    typename Traits::Response response;
  };

  const LinkOptions options_;
  LinkEvents& events_;
  Traits traits_;
  // Of the channel's news, which may come after this object has gone.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::vector<std::unique_ptr<Exchange>> exchanges_;
  bool answered_ = false;
  bool refused_ = false;
  std::shared_ptr<Channel> channel_;
  std::shared_ptr<BalancedChannel> balanced_;  // the same, if it is one
};

struct EchoTraits {
  using Request = echo::EchoRequest;
  using Response = echo::EchoResponse;
  explicit EchoTraits(const LinkOptions& options)
      : payload(options.payload_bytes, 'x') {}
  void Fill(Request* request) const {
    if (!request->has_payload()) request->set_payload(payload);
  }
  bool Right(const Request& request, const Response& response) const {
    return request.payload() == response.payload();
  }
  const google::protobuf::MethodDescriptor& method = Method<echo::EchoService>("Echo");
  const std::string payload;
};

struct SudokuTraits {
  using Request = sudoku::SudokuRequest;
  using Response = sudoku::SudokuResponse;
  explicit SudokuTraits(const LinkOptions& options)
      : puzzles(options.puzzles), next(options.first_puzzle) {}
  void Fill(Request* request) {
    request->set_checkerboard(puzzles[next++ % puzzles.size()]);
  }
  // A puzzle without solution is nobody's fault.
  bool Right(const Request& request, const Response& response) const {
    return !response.solved() ||
           IsSudokuSolution(request.checkerboard(), response.checkerboard());
  }
  const google::protobuf::MethodDescriptor& method =
      Method<sudoku::SudokuService>("Solve");
  const std::vector<std::string> puzzles;
  size_t next;
};

}  // namespace

std::unique_ptr<Link> MakeEchoLink(Transport& transport, const LinkOptions& options,
                                   LinkEvents& events) {
  return std::make_unique<RpcLink<EchoTraits>>(transport, options, events);
}

std::unique_ptr<Link> MakeSudokuLink(Transport& transport, const LinkOptions& options,
                                     LinkEvents& events) {
  return std::make_unique<RpcLink<SudokuTraits>>(transport, options, events);
}

}  // namespace skep

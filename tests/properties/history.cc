#include "tests/properties/history.h"

#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/random.h"
#include "base/status.h"
#include "rpc/balance/balancer.h"
#include "rpc/metrics.h"
#include "rpc/server.h"
#include "rpc/sim_transport.h"
#include "tests/properties/call_ledger.h"
#include "tests/properties/trial_service.h"

namespace skep {
namespace {

// After which everything that can end has ended: longer than every timeout, backoff,
// linger and hold.
constexpr absl::Duration kQuiet = absl::Minutes(1);

// A server's host, which may die and come back.
struct ServerHost {
  ServerHost(Executor& executor, CallLedger& ledger, int number)
      : name(StrCat("s", number)),
        at(Address::Tcp(name, 7000)),
        service(executor, ledger) {
    table.Add(&service);
    table.Measure(&metrics);
  }
  const std::string name;
  const Address at;
  TrialService service;
  ServerMetrics metrics;
  ServiceTable table;
  ServerOptions options;
  std::unique_ptr<Server> server;
};

struct ClientHost {
  std::string name;
  size_t server = 0;  // whom it calls, without a balancer
  std::shared_ptr<Channel> channel;
};

class History {
 public:
  History(uint64_t seed, bool balanced)
      : random_(seed),
        balanced_(balanced),
        network_(executor_, seed, NetworkOptions()),
        callback_service_(executor_, ledger_) {
    callbacks_.Add(&callback_service_);
    const size_t servers = 1 + random_.Below(3);
    for (size_t i = 0; i < servers; ++i) {
      servers_.push_back(std::make_unique<ServerHost>(executor_, ledger_, i));
      DrawServer(*servers_.back());
      Listen(*servers_.back());
    }
    if (balanced_) {
      DrawBalancer();
      StartBalancer();
    }
    const size_t clients = 1 + random_.Below(4);
    for (size_t i = 0; i < clients; ++i) {
      clients_.push_back({.name = StrCat("c", i), .server = random_.Below(servers)});
      Connect(clients_.back());
    }
  }

  HistoryResult Run() {
    const uint64_t steps = 20 + random_.Below(100);
    for (uint64_t i = 0; i < steps; ++i) {
      // Within a closure of the executor or not: calls take other paths.
      if (random_.Chance(0.5)) {
        executor_.Post([this] { Step(); });
        executor_.RunUntilIdle();
      } else {
        Step();
      }
    }
    Settle();
    HistoryResult result;
    result.wrong = ledger_.Verdict();
    result.digest = ledger_.digest();
    result.tally = ledger_.tally();
    return result;
  }

 private:
  // --- What the seed decides beforehand ----------------------------------------
  SimNetworkOptions NetworkOptions() {
    SimNetworkOptions options;
    switch (random_.Below(4)) {
      case 0:  // one byte at a time
        options.max_segment_bytes = 1;
        options.window_bytes = 1 + random_.Below(64);
        options.latency = absl::Microseconds(5);
        options.jitter = absl::Microseconds(20);
        largest_ = 300;
        break;
      case 1:  // small buffers, which are soon full
        options.window_bytes = 256 + random_.Below(16 << 10);
        options.max_segment_bytes = 1 + random_.Below(2000);
        break;
      case 2:  // slow, and out of order between connections
        options.jitter = absl::Milliseconds(20);
        break;
      default:
        largest_ = 100'000;
    }
    if (random_.Chance(0.5)) options.loss = largest_ < 1000 ? 0.0005 : 0.02;
    if (random_.Chance(0.3)) options.reset = largest_ < 1000 ? 0.0001 : 0.002;
    return options;
  }

  void DrawServer(ServerHost& host) {
    if (random_.Chance(0.4)) host.options.max_calls_per_connection = Upto(8);
    // Far below what a history's requests add up to, and above the largest.
    host.options.max_memory_bytes = 2 * largest_ + random_.Below(4 * largest_);
    if (random_.Chance(0.2)) {
      // Over what losses stand still for.
      host.options.idle_timeout = absl::Seconds(1) + Milliseconds(200);
    }
    if (random_.Chance(0.2)) host.options.max_connections = Upto(4);
    host.options.fleet = "trial";
  }

  void DrawBalancer() {
    constexpr PickPolicy kPolicies[] = {PickPolicy::kLeastPending,
                                        PickPolicy::kRoundRobin, PickPolicy::kRandom,
                                        PickPolicy::kPowerOfTwo};
    balancer_options_.policy = kPolicies[random_.Below(4)];
    if (random_.Chance(0.5)) balancer_options_.cut_through = 40 + random_.Below(2000);
    if (random_.Chance(0.3)) balancer_options_.max_calls_per_client = Upto(8);
    if (random_.Chance(0.3)) balancer_options_.max_calls_per_backend = Upto(20);
    if (random_.Chance(0.3)) balancer_options_.error_hold = Milliseconds(100);
    if (random_.Chance(0.3)) {
      balancer_options_.mode = BindMode::kLate;
      balancer_options_.window = Upto(6);
      balancer_options_.max_queued_calls = static_cast<size_t>(Upto(50));
    }
    if (random_.Chance(0.3)) {
      balancer_options_.check_interval = absl::Milliseconds(200) + Milliseconds(500);
    }
    if (random_.Chance(0.3)) balancer_options_.slow_start = Milliseconds(500);
    if (random_.Chance(0.3)) balancer_options_.default_timeout = Milliseconds(2000);
    if (random_.Chance(0.3)) balancer_options_.max_bytes = 4 * largest_;
    balancer_options_.seed = random_();
  }

  // --- Hosts ---------------------------------------------------------------------
  void Listen(ServerHost& host) {
    auto server =
        Server::Listen(network_.host(host.name), host.at, host.table, host.options);
    if (!server.ok()) return ledger_.Wrong(server.status().ToString());
    host.server = *std::move(server);
  }

  void StartBalancer() {
    std::vector<Address> backends;
    for (const auto& host : servers_) backends.push_back(host->at);
    auto balancer =
        Balancer::Listen(network_.host("b"), balancer_at_, backends, balancer_options_);
    if (!balancer.ok()) return ledger_.Wrong(balancer.status().ToString());
    balancer_ = *std::move(balancer);
  }

  void Connect(ClientHost& client) {
    ConnectOptions options;
    options.services = &callbacks_;
    options.reconnect = random_.Chance(0.9);
    options.wait_for_ready = random_.Chance(0.8);
    options.hello = random_.Chance(0.9);
    options.fleet = "trial";
    options.seed = random_() | 1;
    if (random_.Chance(0.2)) options.max_unsent_bytes = Upto(10'000);
    client.channel = skep::Connect(
        network_.host(client.name),
        balanced_ ? balancer_at_ : servers_[client.server]->at, std::move(options));
  }

  // Lets go of a server: in order, or as a crash does.
  void StopServer(ServerHost& host) {
    if (host.server == nullptr) return;
    if (random_.Chance(0.6)) host.server->Shutdown(Milliseconds(300));
    if (random_.Chance(0.5)) executor_.RunFor(Milliseconds(400));
    host.server = nullptr;
  }

  // --- What happens ----------------------------------------------------------------
  void Step() {
    if (random_.Chance(trouble_)) {
      return random_.Chance(0.5) ? TroubleOnTheWay() : TroubleAtAHost();
    }
    const double dice = random_.Unit();
    if (dice < 0.65) {
      for (int i = Upto(4); i > 0; --i) MakeCall();
    } else if (dice < 0.75) {
      if (ledger_.started() > 0) ledger_.Cancel(random_.Below(ledger_.started()));
    } else {
      Pause(Milliseconds(30));
    }
  }

  void MakeCall() {
    ClientHost& client = clients_[random_.Below(clients_.size())];
    TrialRequest request;
    if (random_.Chance(0.5)) {
      request.set_delay_us(static_cast<uint32_t>(1 + random_.Below(200'000)));
      request.set_until_stopped(random_.Chance(0.5));
    }
    constexpr absl::StatusCode kErrors[] = {
        absl::StatusCode::kNotFound, absl::StatusCode::kInternal,
        absl::StatusCode::kUnavailable, absl::StatusCode::kResourceExhausted};
    if (random_.Chance(0.1)) {
      request.set_fail(static_cast<uint32_t>(kErrors[random_.Below(4)]));
    }
    if (random_.Chance(0.3)) {
      request.set_attachment_bytes(static_cast<uint32_t>(random_.Below(largest_)));
    }
    if (random_.Chance(0.3)) {
      request.set_reply_bytes(static_cast<uint32_t>(random_.Below(largest_)));
    }
    request.set_call_back(random_.Chance(0.05));
    const double kind = random_.Unit();
    ledger_.Start(client.channel, request,
                  kind < 0.6   ? CallLedger::Kind::kOnce
                  : kind < 0.9 ? CallLedger::Kind::kAgain
                               : CallLedger::Kind::kTell,
                  Milliseconds(random_.Chance(0.5) ? 100 : 3000));
  }

  void TroubleOnTheWay() {
    const auto [a, b] = AnyPair();
    switch (random_.Below(3)) {
      case 0:
        return network_.Reset(a, b);
      case 1:
        return network_.Stall(a, b, Milliseconds(1000));
      default:
        network_.Partition(a, b);
        cuts_.push_back({a, b});
        if (cuts_.size() > 2) HealFirst();
    }
  }

  void TroubleAtAHost() {
    switch (random_.Below(balanced_ ? 7 : 4)) {
      case 0:
        return StopServer(AnyServer());
      case 1:
      case 2: {
        ServerHost& host = AnyServer();
        if (host.server == nullptr) Listen(host);
        return;
      }
      case 3: {
        ClientHost& client = clients_[random_.Below(clients_.size())];
        if (random_.Chance(0.5)) client.channel->Close(Unavailable("closed"));
        if (random_.Chance(0.5)) Pause(Milliseconds(5));
        return Connect(client);  // and the last is let go
      }
      case 4: {
        const bool draining = random_.Chance(0.5);
        // Which it may not know any more.
        (void)balancer_->SetDraining(AnyServer().at, draining);
        return;
      }
      case 5: {
        std::vector<BackendSpec> some;
        for (const auto& host : servers_) {
          if (some.empty() || random_.Chance(0.7)) {
            some.push_back({host->at, static_cast<double>(Upto(3))});
          }
        }
        const absl::Status known = balancer_->SetBackends(some);
        if (!known.ok()) ledger_.Wrong(known.ToString());
        return;
      }
      default:
        if (random_.Chance(0.5)) balancer_->BeginDrain();
        if (random_.Chance(0.5)) Pause(Milliseconds(100));
        balancer_ = nullptr;
        if (random_.Chance(0.5)) Pause(Milliseconds(100));
        StartBalancer();
    }
  }

  // Time passes, unless this is one of the executor's closures.
  void Pause(absl::Duration most) {
    if (!executor_.IsCurrent()) executor_.RunFor(most);
  }

  // --- The end ---------------------------------------------------------------------
  void Settle() {
    while (!cuts_.empty()) HealFirst();
    for (const auto& host : servers_) {
      if (random_.Chance(0.5)) StopServer(*host);
    }
    executor_.RunFor(kQuiet);
    for (const ClientHost& client : clients_) {
      const ChannelCounters counters = client.channel->counters();
      Expect(client.channel->pending() == 0, client.name + " has calls pending");
      Expect(counters.foreign_replies == 0, client.name + " got a foreign reply");
      Expect(counters.duplicate_replies == 0, client.name + " got a reply twice");
    }
    if (balanced_) CheckBalancer();
    clients_.clear();
    balancer_ = nullptr;
    executor_.RunFor(kQuiet);
    CheckServers();
    executor_.RunFor(kQuiet);
    for (const auto& host : servers_) {
      Expect(host->server == nullptr || host->server->connections() == 0,
             host->name + " has connections left");
      host->server = nullptr;
    }
    executor_.RunFor(kQuiet);
    Expect(executor_.pending() == 0,
           StrCat(executor_.pending(), " closures are left on the executor"));
  }

  void CheckServers() {
    for (const auto& host : servers_) {
      Expect(host->service.in_progress() == 0, host->name + " has calls in progress");
      StatsReport report;
      report.Take(host->metrics);
      for (const StatsReport::Row& row : report.rows) {
        Expect(row.pending == 0, host->name + " counts calls pending: " + row.name);
      }
      if (host->server != nullptr) ProbeRequestBytes(*host);
    }
  }

  // A request as large as the bound is taken on only by a server that counts no bytes.
  void ProbeRequestBytes(ServerHost& host) {
    TrialRequest request;
    request.set_attachment_bytes(static_cast<uint32_t>(host.options.max_memory_bytes) +
                                 1);
    // The network may still break a connection or two.
    for (int i = 0; i < 5; ++i) {
      const auto channel = skep::Connect(network_.host("probe"), host.at,
                                         {.fleet = "trial", .seed = 1 + random_()});
      ledger_.Start(channel, request, CallLedger::Kind::kOnce, absl::Minutes(1));
      executor_.RunFor(absl::Minutes(2));
      if (ledger_.last_status().ok()) return;
      Expect(!absl::IsResourceExhausted(ledger_.last_status()),
             StrCat(host.name, " counts bytes of requests that are over: ",
                    ledger_.last_status().ToString()));
    }
  }

  void CheckBalancer() {
    for (const Balancer::BackendState& backend : balancer_->backends()) {
      Expect(backend.pending == 0,
             "the balancer counts calls pending at " + backend.address.ToString());
    }
    // Some seconds may find a check on its way.
    for (int i = 0; i < 10 && balancer_->held_bytes() != 0; ++i) {
      executor_.RunFor(absl::Milliseconds(1234));
    }
    Expect(balancer_->held_bytes() == 0, "the balancer holds bytes");
    for (const StatsReport::Row& row : balancer_->Stats().rows) {
      Expect(row.pending == 0, "the balancer's page has calls pending: " + row.name);
    }
  }

  // --- Small things ------------------------------------------------------------------
  void Expect(bool holds, std::string otherwise) {
    if (!holds) ledger_.Wrong(std::move(otherwise));
  }
  int Upto(uint64_t most) { return static_cast<int>(1 + random_.Below(most)); }
  absl::Duration Milliseconds(uint64_t most) {
    return absl::Microseconds(static_cast<int64_t>(1 + random_.Below(1000 * most)));
  }
  absl::Duration Milliseconds(int most) {
    return Milliseconds(static_cast<uint64_t>(most));
  }
  ServerHost& AnyServer() { return *servers_[random_.Below(servers_.size())]; }
  std::pair<std::string, std::string> AnyPair() {
    const std::string server = AnyServer().name;
    const std::string client = clients_[random_.Below(clients_.size())].name;
    if (!balanced_) return {client, server};
    return random_.Chance(0.5) ? std::pair(client, std::string("b"))
                               : std::pair(std::string("b"), server);
  }
  void HealFirst() {
    network_.Heal(cuts_.front().first, cuts_.front().second);
    cuts_.erase(cuts_.begin());
  }

  SimulatedClock clock_;
  ManualExecutor executor_{clock_};
  CallLedger ledger_{executor_};
  Random random_;
  const bool balanced_;
  size_t largest_ = 5000;                                     // attachment
  const double trouble_ = random_.Chance(0.5) ? 0.02 : 0.12;  // the chance, each step
  SimNetwork network_;
  TrialService callback_service_;  // what clients serve to their servers
  ServiceTable callbacks_;
  std::vector<std::unique_ptr<ServerHost>> servers_;
  const Address balancer_at_ = Address::Tcp("b", 7001);
  BalancerOptions balancer_options_;
  std::unique_ptr<Balancer> balancer_;
  std::vector<ClientHost> clients_;
  std::vector<std::pair<std::string, std::string>> cuts_;
};

}  // namespace

HistoryResult RunHistory(uint64_t seed, bool balanced) {
  return History(seed, balanced).Run();
}

}  // namespace skep

#include <cstdio>

#include "base/random.h"
#include "base/status.h"
#include "rpc/balance/balancer.h"
#include "rpc/balance/balancer_admin.h"
#include "rpc/balance/balancer_admin.pb.h"
#include "rpc/http/stats_server.h"
#include "rpc/server.h"
#include "rpc/tcp_transport.h"
#include "tools/client/session.h"
#include "tools/command_line.h"
#include "tools/commands/commands.h"
#include "tools/commands/service_error.h"
#include "tools/exit_code.h"
#include "tools/listen_policy.h"
#include "tools/signals.h"

namespace skep {
namespace {

constexpr absl::Duration kAdminTimeout = absl::Seconds(5);

struct BalanceFlags {
  std::string listen = "127.0.0.1:7800";
  std::vector<std::string> backends;
  std::string policy = "least-pending";
  std::string admin;
  std::string stats;
  std::string drain;
  std::string undrain;
  bool list = false;
  bool insecure = false;
  int64_t error_hold_ms = 1000;
  int64_t loops = 1;
  LogOptions log;
};

absl::Status Serve(const BalanceFlags& flags) {
  SKEP_ASSIGN_OR_RETURN(const Address at, Address::Parse(flags.listen));
  SKEP_RETURN_IF_ERROR(CheckListenAddress(at, flags.insecure));
  std::vector<Address> backends;
  for (const std::string& text : flags.backends) {
    SKEP_ASSIGN_OR_RETURN(backends.emplace_back(), Address::Parse(text));
  }
  if (backends.empty()) {
    return InvalidArgument(
        "give at least one --backend ADDR, for example "
        "--backend 127.0.0.1:9981");
  }
  BalancerOptions options;
  SKEP_ASSIGN_OR_RETURN(options.policy, ParsePickPolicy(flags.policy));
  options.seed = SystemRandom64();
  options.error_hold = absl::Milliseconds(flags.error_hold_ms);

  StopSignal stop;
  TcpTransport transport(static_cast<int>(flags.loops));
  SKEP_ASSIGN_OR_RETURN(const std::unique_ptr<Balancer> balancer,
                        Balancer::Listen(transport, at, backends, options));
  const auto admin_service = MakeBalancerAdmin(*balancer);
  ServiceTable services;
  services.Add(admin_service.get());
  services.AddReflection();
  std::unique_ptr<Server> admin;
  std::printf("balancing %s over %zu backends, %s\n",
              balancer->address().ToString().c_str(), backends.size(),
              flags.policy.c_str());
  if (!flags.admin.empty()) {
    SKEP_ASSIGN_OR_RETURN(const Address admin_at, Address::Parse(flags.admin));
    SKEP_RETURN_IF_ERROR(CheckListenAddress(admin_at, flags.insecure));
    SKEP_ASSIGN_OR_RETURN(admin, Server::Listen(transport, admin_at, services));
    std::printf("admin on %s\n", admin->address().ToString().c_str());
  }
  std::unique_ptr<StatsServer> http;
  if (!flags.stats.empty()) {
    SKEP_ASSIGN_OR_RETURN(const Address stats_at, Address::Parse(flags.stats));
    SKEP_RETURN_IF_ERROR(CheckListenAddress(stats_at, flags.insecure));
    SKEP_ASSIGN_OR_RETURN(http, StatsServer::Listen(stats_at, Clock::Real(),
                                                    [&] { return balancer->Stats(); }));
    std::printf("statistics on http://%s/\n", http->address().ToString().c_str());
  }
  std::fflush(stdout);
  stop.Wait();
  if (admin != nullptr) admin->Shutdown(absl::Seconds(1));
  return absl::OkStatus();
}

void Print(const ListBackendsReply& reply) {
  std::printf("%-28s %-10s %10s %12s %10s\n", "BACKEND", "STATE", "PENDING",
              "FORWARDED", "FAILED");
  for (const ListBackendsReply::Backend& backend : reply.backends()) {
    const char* state = backend.draining()    ? "draining"
                        : backend.connected() ? "up"
                                              : "down";
    std::printf("%-28s %-10s %10lld %12llu %10llu\n", backend.address().c_str(), state,
                static_cast<long long>(backend.pending()),
                static_cast<unsigned long long>(backend.forwarded()),
                static_cast<unsigned long long>(backend.failed()));
  }
}

// What is asked of a balancer that runs already.
absl::Status Administer(const BalanceFlags& flags) {
  if (flags.admin.empty()) {
    return InvalidArgument(
        "--drain, --undrain and --list ask a running balancer: name the address that "
        "it was given as --admin, for example --admin 127.0.0.1:7801");
  }
  SKEP_ASSIGN_OR_RETURN(const Address at, Address::Parse(flags.admin));
  TcpTransport transport(1);
  const auto channel = Connect(transport, at);
  for (const bool draining : {true, false}) {
    const std::string& backend = draining ? flags.drain : flags.undrain;
    if (backend.empty()) continue;
    SetDrainingRequest request;
    request.set_address(backend);
    request.set_draining(draining);
    SKEP_RETURN_IF_ERROR(
        BlockingCall<SetDrainingReply>(*channel, Method<BalancerAdmin>("SetDraining"),
                                       request, {.timeout = kAdminTimeout})
            .status());
  }
  SKEP_ASSIGN_OR_RETURN(const auto reply,
                        BlockingCall<ListBackendsReply>(
                            *channel, Method<BalancerAdmin>("ListBackends"),
                            ListBackendsRequest(), {.timeout = kAdminTimeout}));
  Print(reply.message);
  return absl::OkStatus();
}

}  // namespace

int RunBalance(const Args& args) {
  BalanceFlags flags;
  CommandLine line(
      "balance",
      "Spreads RPC calls over backends: a proxy in front of servers that "
      "speak muduo's RPC. With --admin it takes orders: --list, --drain and "
      "--undrain send them.");
  line.Example(
      "skep balance --listen 127.0.0.1:9980 --backend 127.0.0.1:9981 --backend "
      "127.0.0.1:9991 --admin 127.0.0.1:7801");
  line.Example("skep balance --admin 127.0.0.1:7801 --drain 127.0.0.1:9981");
  line.Flag("listen", &flags.listen, "Where clients connect", "ADDR");
  line.Flag("backend", &flags.backends, "A server to balance over; repeat it", "ADDR");
  line.Flag("policy", &flags.policy,
            "least-pending, round-robin, random or power-of-two", "NAME");
  line.Flag("admin", &flags.admin, "Where the balancer takes orders", "ADDR");
  line.Flag("stats", &flags.stats,
            "Where the statistics page is, also for Prometheus and `skep rpc top`",
            "ADDR");
  line.Flag("error-hold", &flags.error_hold_ms,
            "An error of a backend counts as a call outstanding on it for so many "
            "milliseconds, so that one that fails at once does not attract all; 0: "
            "not at all",
            "MS");
  line.Flag("loops", &flags.loops, "Event loops for connections", "N", 1);
  line.Flag("insecure", &flags.insecure,
            "Allow addresses that other machines reach, without TLS");
  line.Heading("Orders to a running balancer");
  line.Flag("list", &flags.list, "Show the backends");
  line.Flag("drain", &flags.drain, "Give this backend no new calls", "ADDR");
  line.Flag("undrain", &flags.undrain, "Give it calls again", "ADDR");
  line.LogFlags(&flags.log);
  if (const auto code = line.Parse(args)) return *code;
  if (const absl::Status log = InitLogging("skep-balance", flags.log); !log.ok()) {
    return ReportError(log);
  }
  const bool orders = flags.list || !flags.drain.empty() || !flags.undrain.empty();
  const absl::Status status = orders ? Administer(flags) : Serve(flags);
  return status.ok() ? kOk : ReportServiceError(status);
}

}  // namespace skep

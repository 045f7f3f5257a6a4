#include <algorithm>
#include <cstdio>

#include "absl/strings/numbers.h"
#include "base/clock.h"
#include "base/plural.h"
#include "base/random.h"
#include "base/status.h"
#include "base/strings.h"
#include "glog/logging.h"
#include "rpc/balance/backend_source.h"
#include "rpc/balance/balancer.h"
#include "rpc/balance/balancer_admin.h"
#include "rpc/balance/balancer_admin.pb.h"
#include "rpc/http/stats_server.h"
#include "rpc/server.h"
#include "rpc/tcp_transport.h"
#include "tools/client/session.h"
#include "tools/command_line.h"
#include "tools/commands/commands.h"
#include "tools/commands/legacy_failure_flag.h"
#include "tools/commands/record_flag.h"
#include "tools/commands/service_error.h"
#include "tools/exit_code.h"
#include "tools/security.h"
#include "tools/signals.h"

namespace skep {
namespace {

constexpr absl::Duration kAdminTimeout = absl::Seconds(5);

struct BalanceFlags {
  std::string listen = "127.0.0.1:7800";
  std::vector<std::string> backends;
  std::string policy = "least-pending";
  std::string mode = "early";
  BalancerOptions options;
  BackendWatcher::Options watch;
  absl::Duration grace = absl::Seconds(5);
  absl::Duration spin;
  int64_t window = BalancerOptions().window;
  int64_t eject_errors = HealthOptions().errors_in_a_row;
  int64_t eject_slow = 0;
  uint64_t max_bytes = static_cast<uint64_t>(BalancerOptions().max_bytes);
  std::string admin;
  std::string stats;
  RecordFlag record;
  std::string drain;
  std::string undrain;
  std::string add;
  std::string remove;
  bool list = false;
  SecurityFlags security;
  std::string backend_tls;
  int64_t max_connections = BalancerOptions().max_connections;
  int64_t max_client_calls = BalancerOptions().max_calls_per_client;
  uint64_t max_client_bytes = BalancerOptions().max_client_bytes;
  int64_t max_queued = static_cast<int64_t>(BalancerOptions().max_queued_calls);
  uint64_t max_queued_bytes = BalancerOptions().max_queued_bytes;
  int64_t loops = 1;
  LogOptions log;
};

// Whether a balancer that runs already is asked, instead of being one.
bool IsOrder(const BalanceFlags& flags) {
  return flags.list || !flags.drain.empty() || !flags.undrain.empty() ||
         !flags.add.empty() || !flags.remove.empty();
}

absl::StatusOr<BalancerOptions> OptionsOf(const BalanceFlags& flags) {
  BalancerOptions options = flags.options;
  SKEP_ASSIGN_OR_RETURN(options.policy, ParsePickPolicy(flags.policy));
  SKEP_ASSIGN_OR_RETURN(options.mode, ParseBindMode(flags.mode));
  if (options.mode == BindMode::kLate && flags.policy != BalanceFlags().policy) {
    return InvalidArgument("--policy picks as a call comes; --mode late does not: ",
                           "leave one of them out");
  }
  if (options.mode == BindMode::kLate && flags.loops > 1) {
    return InvalidArgument(
        "--mode late has one queue, the nearest deadline first, and so one loop: leave "
        "--loops out");
  }
  if (options.default_timeout <= absl::ZeroDuration()) {
    return InvalidArgument("--default-timeout is over zero: say 5m");
  }
  if (!options.check_method.empty() &&
      options.check_method.find('.') == std::string::npos) {
    return InvalidArgument("--check-method '", options.check_method,
                           "': say it with its service, for example "
                           "echo.EchoService.Echo");
  }
  options.window = static_cast<int>(flags.window);
  options.health.errors_in_a_row = static_cast<int>(flags.eject_errors);
  options.health.slow_factor = static_cast<double>(flags.eject_slow);
  options.max_bytes = static_cast<int64_t>(flags.max_bytes);
  options.max_connections = static_cast<int>(flags.max_connections);
  options.max_calls_per_client = static_cast<int>(flags.max_client_calls);
  options.max_client_bytes = flags.max_client_bytes;
  options.max_queued_calls = static_cast<size_t>(flags.max_queued);
  options.max_queued_bytes = flags.max_queued_bytes;
  options.seed = SystemRandom64();
  return options;
}

// What the sources say now.
absl::Status ReadBackends(const BalanceFlags& flags, BackendDirectory& directory) {
  for (const std::string& source : flags.backends) {
    SKEP_RETURN_IF_ERROR(directory.AddSource(source));
  }
  directory.Refresh(Clock::Real().Now(), flags.watch.resolve);
  if (!directory.backends().empty()) return absl::OkStatus();
  const absl::Status error = directory.first_error();
  const bool files =
      std::any_of(flags.backends.begin(), flags.backends.end(),
                  [](const std::string& text) { return text.starts_with("file:"); });
  if (!error.ok()) return EndsWith(files ? kFiles : kUnavailable, error);
  return InvalidArgument(
      "give at least one --backend, for example --backend 127.0.0.1:9981");
}

// Listens on one transport and connects by the other.
class TwoSidedTransport final : public Transport {
 public:
  TwoSidedTransport(Transport& listening, Transport& connecting)
      : listening_(listening), connecting_(connecting) {}
  void Connect(const Address& to, absl::Duration timeout, Connected done) override {
    connecting_.Connect(to, timeout, std::move(done));
  }
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& at,
                                                   Accept accept) override {
    return listening_.Listen(at, std::move(accept));
  }
  Executor& executor() override { return listening_.executor(); }

 private:
  Transport& listening_;
  Transport& connecting_;
};

absl::Status Serve(const BalanceFlags& flags) {
  SKEP_ASSIGN_OR_RETURN(const Address at, Address::Parse(flags.listen));
  SKEP_ASSIGN_OR_RETURN(const Security security, Security::Load(flags.security));
  SecurityFlags to_backends = flags.security;
  to_backends.tls = flags.backend_tls;
  to_backends.flag = "--backend-tls";
  SKEP_ASSIGN_OR_RETURN(const Security backend_security, Security::Load(to_backends));
  SKEP_RETURN_IF_ERROR(security.MayListen(at));
  SKEP_ASSIGN_OR_RETURN(const BalancerOptions options, OptionsOf(flags));
  BackendDirectory directory(BackendLookups::Real());
  SKEP_RETURN_IF_ERROR(ReadBackends(flags, directory));
  const std::vector<BackendSpec> specs = directory.backends();
  std::vector<Address> backends;
  for (const BackendSpec& spec : specs) {
    SKEP_RETURN_IF_ERROR(backend_security.MayConnect(spec.address));
    backends.push_back(spec.address);
  }

  StopSignal stop;
  SKEP_ASSIGN_OR_RETURN(const auto recorder, flags.record.Open());
  TcpTransport transport(static_cast<int>(flags.loops), {.spin = flags.spin});
  const std::unique_ptr<Transport> clients = security.Over(transport);
  const std::unique_ptr<Transport> servers = backend_security.Over(transport);
  TwoSidedTransport both(*clients, *servers);
  const auto front = RecordFlag::Front(both, recorder.get());
  const StopAtExit stop_transport(transport);
  SKEP_ASSIGN_OR_RETURN(
      const std::unique_ptr<Balancer> balancer,
      Balancer::Listen(front == nullptr ? both : *front, at, backends, options));
  SKEP_RETURN_IF_ERROR(balancer->SetBackends(specs));  // their weights
  BackendWatcher watcher(directory, flags.watch,
                         [&balancer](const std::vector<BackendSpec>& now) {
                           return balancer->SetBackends(now);
                         });
  const auto admin_service = MakeBalancerAdmin(*balancer, watcher);
  ServiceTable services;
  services.Add(admin_service.get());
  services.AddReflection();
  std::unique_ptr<Server> admin;
  if (!flags.admin.empty()) {
    SKEP_ASSIGN_OR_RETURN(const Address admin_at, Address::Parse(flags.admin));
    SKEP_RETURN_IF_ERROR(security.MayListen(admin_at));
    SKEP_ASSIGN_OR_RETURN(admin, Server::Listen(*clients, admin_at, services));
  }
  std::unique_ptr<StatsServer> http;
  if (!flags.stats.empty()) {
    SKEP_ASSIGN_OR_RETURN(const Address stats_at, Address::Parse(flags.stats));
    SKEP_RETURN_IF_ERROR(security.MayShowStatistics(stats_at));
    const auto take = [&] {
      StatsReport report = balancer->Stats();
      security.Report(&report);
      return report;
    };
    SKEP_ASSIGN_OR_RETURN(http, StatsServer::Listen(stats_at, Clock::Real(), take));
  }
  // Once all of it is there.
  std::printf("balancing %s over %s, %s\n", balancer->address().ToString().c_str(),
              Counted(backends.size(), "backend").c_str(), flags.policy.c_str());
  if (admin != nullptr) {
    std::printf("admin on %s\n", admin->address().ToString().c_str());
  }
  if (http != nullptr) {
    std::printf("statistics on http://%s/\n", http->address().ToString().c_str());
  }
  std::fflush(stdout);
  stop.Wait();
  balancer->BeginDrain();
  if (!balancer->AwaitIdle(flags.grace)) {
    LOG(WARNING) << "balancer_drain connections_left=" << balancer->connections()
                 << " after=" << flags.grace;
  }
  if (admin != nullptr) admin->Shutdown(absl::Seconds(1));
  return absl::OkStatus();
}

void Print(const ListBackendsReply& reply) {
  std::printf("%-28s %-10s %10s %12s %10s %8s\n", "BACKEND", "STATE", "PENDING",
              "FORWARDED", "FAILED", "WEIGHT");
  for (const ListBackendsReply::Backend& backend : reply.backends()) {
    const char* state = backend.draining()     ? "draining"
                        : !backend.connected() ? "down"
                        : backend.ejected()    ? "ejected"
                                               : "up";
    std::printf("%-28s %-10s %10lld %12llu %10llu %8g\n", backend.address().c_str(),
                state, static_cast<long long>(backend.pending()),
                static_cast<unsigned long long>(backend.forwarded()),
                static_cast<unsigned long long>(backend.failed()), backend.weight());
  }
}

template <typename Reply, typename Request>
absl::Status Order(Channel& channel, const char* method, const Request& request) {
  return BlockingCall<Reply>(channel, Method<BalancerAdmin>(method), request,
                             {.timeout = kAdminTimeout})
      .status();
}

// What is asked of a balancer that runs already.
absl::Status Administer(const BalanceFlags& flags) {
  if (flags.admin.empty()) {
    return InvalidArgument(
        "--drain, --undrain, --add, --remove and --list ask a running balancer: name "
        "the address that it was given as --admin, for example --admin 127.0.0.1:7801");
  }
  SKEP_ASSIGN_OR_RETURN(const Address at, Address::Parse(flags.admin));
  SKEP_ASSIGN_OR_RETURN(const Security security, Security::Load(flags.security));
  SKEP_RETURN_IF_ERROR(security.MayConnect(at));
  TcpTransport sockets(1);
  const std::unique_ptr<Transport> transport = security.Over(sockets);
  const StopAtExit stop(sockets);
  SKEP_RETURN_IF_ERROR(security.AwaitListener(
      sockets, {at}, StrCat("skep balance --backend ADDR --admin ", at)));
  const auto channel = Connect(*transport, at);
  if (!flags.add.empty()) {
    AddBackendRequest request;
    request.set_backend(flags.add);
    SKEP_RETURN_IF_ERROR(Order<AddBackendReply>(*channel, "AddBackend", request));
  }
  if (!flags.remove.empty()) {
    RemoveBackendRequest request;
    request.set_address(flags.remove);
    SKEP_RETURN_IF_ERROR(Order<RemoveBackendReply>(*channel, "RemoveBackend", request));
  }
  for (const bool draining : {true, false}) {
    const std::string& backend = draining ? flags.drain : flags.undrain;
    if (backend.empty()) continue;
    SetDrainingRequest request;
    request.set_address(backend);
    request.set_draining(draining);
    SKEP_RETURN_IF_ERROR(Order<SetDrainingReply>(*channel, "SetDraining", request));
  }
  SKEP_ASSIGN_OR_RETURN(const auto reply,
                        BlockingCall<ListBackendsReply>(
                            *channel, Method<BalancerAdmin>("ListBackends"),
                            ListBackendsRequest(), {.timeout = kAdminTimeout}));
  Print(reply.message);
  return absl::OkStatus();
}

void AddHealthFlags(CommandLine& line, BalanceFlags& flags) {
  line.Heading("Health");
  line.DurationFlag("check-interval", &flags.options.check_interval,
                    "How often each backend is asked whether it answers; two times "
                    "without an answer and it is left out until it does. 0: never");
  line.Flag("check-method", &flags.options.check_method,
            "Call this method to check, with an empty request, instead of hello, which "
            "any server answers",
            "SERVICE.METHOD");
  line.Flag("eject-errors", &flags.eject_errors,
            "A backend that fails so many calls in a row is left out for 1, 2, 4, ... "
            "60 s; 0: never. At most half of the backends are out at a time",
            "N");
  line.Flag("eject-slow", &flags.eject_slow,
            "So is one whose calls take so many times as long as the median backend's; "
            "0: never",
            "FACTOR");
  line.ParsedFlag(
      "error-hold",
      "An error of a backend counts as a call outstanding on it for so many "
      "milliseconds, so that one that fails at once does not attract all; 0: not at "
      "all; auto: 50 times as long as calls take, 1 s at least and 30 s at most",
      "MS|auto", "auto", [&flags](const std::string& text) -> absl::Status {
        flags.options.error_hold.reset();
        if (text == "auto") return absl::OkStatus();
        int64_t ms = 0;
        if (!absl::SimpleAtoi(text, &ms) || ms < 0) {
          return InvalidArgument("'", text, "' is no number of milliseconds, nor auto");
        }
        flags.options.error_hold = absl::Milliseconds(ms);
        return absl::OkStatus();
      });
  line.DurationFlag("slow-start", &flags.options.slow_start,
                    "A backend that comes, or comes back, reaches its whole share "
                    "after this time");
}

void AddBoundFlags(CommandLine& line, BalanceFlags& flags) {
  line.Heading("Bounds");
  line.DurationFlag("default-timeout", &flags.options.default_timeout,
                    "For calls that come without a deadline");
  line.SizeFlag("max-bytes", &flags.max_bytes,
                "Of all requests and replies held; calls beyond it are refused");
  line.Flag("max-connections", &flags.max_connections, "More are closed as they come",
            "N", 1);
  line.Flag("max-client-calls", &flags.max_client_calls,
            "Calls that one client may have in progress before it is no longer read",
            "N", 1);
  line.SizeFlag("max-client-bytes", &flags.max_client_bytes,
                "Of replies that one client does not take; what goes beyond becomes an "
                "error");
  line.DurationFlag("stall-timeout", &flags.options.stall_timeout,
                    "A client that takes none of its replies for so long, while more "
                    "than 64K of them wait, is hung up on");
  line.Flag(
      "window", &flags.window,
      "Mode late: calls that a backend of weight 1 has at a time; its workers, and "
      "a few for the time that messages take",
      "N", 1);
  line.Flag("max-queued", &flags.max_queued,
            "Mode late: calls that wait; more are refused, and told when to come again",
            "N", 1);
  line.SizeFlag("max-queued-bytes", &flags.max_queued_bytes,
                "Mode late: bytes of the calls that wait");
  line.DurationFlag(
      "grace", &flags.grace,
      "At SIGTERM or Ctrl-C: how long calls in progress may take. Clients "
      "of ours are told to go away, others answered and hung up on");
}

void AddFlags(CommandLine& line, BalanceFlags& flags) {
  line.Flag("listen", &flags.listen, "Where clients connect", "ADDR");
  line.Flag(
      "backend", &flags.backends,
      "What to balance over; repeat it. HOST:PORT is a server, HOST:PORT,weight=2 "
      "one that takes twice as much, dns:NAME:PORT every address of a name, "
      "file:PATH those in a file, one a line (HOST:PORT weight=2). Files are read "
      "again when they change",
      "BACKEND");
  line.Flag("policy", &flags.policy,
            "least-pending, round-robin, random or power-of-two", "NAME");
  line.Flag("mode", &flags.mode,
            "early: a call's backend is picked as it comes. late: when one has room; "
            "until then it waits here, the nearest deadline first",
            "NAME");
  line.ParsedFlag(
      "cut-through",
      "Replies of this size and more reach their client while they still come, and "
      "cost no memory; the client's other replies wait for their end, and its "
      "connection breaks if the backend dies in the middle. never: taken in whole",
      "SIZE|never", "256K", [&flags](const std::string& text) -> absl::Status {
        if (text == "never") {
          flags.options.cut_through = BalancerOptions::kNeverCutThrough;
          return absl::OkStatus();
        }
        SKEP_ASSIGN_OR_RETURN(flags.options.cut_through, ParseSize(text));
        return absl::OkStatus();
      });
  line.DurationFlag("resolve-interval", &flags.watch.resolve,
                    "How often dns: names are resolved again");
  line.Flag("admin", &flags.admin, "Where the balancer takes orders", "ADDR");
  line.Flag("stats", &flags.stats,
            "Where the statistics page is, also for Prometheus and `skep rpc top`",
            "ADDR");
  line.Flag("loops", &flags.loops, "Event loops for connections; mode late has one",
            "N", 1, kMostThreads);
  line.ParsedFlag("slow",
                  "Which calls the page keeps as slow: p99, the slowest of each second "
                  "that is over its backend's p99; or all of a time and more",
                  "p99|TIME", "p99", [&flags](const std::string& text) -> absl::Status {
                    SKEP_ASSIGN_OR_RETURN(flags.options.slow,
                                          SlowCallRule::Parse(text));
                    return absl::OkStatus();
                  });
  line.DurationFlag("spin", &flags.spin,
                    "How long a loop looks for more to do before it sleeps: lower "
                    "latency for CPU time. 50us is what a wake-up costs");
  flags.record.Declare(line);
  AddSecurityFlags(line, &flags.security);
  line.Flag("backend-tls", &flags.backend_tls,
            "The same towards the backends; --tls is for clients and orders alone",
            "DIR");
  AddLegacyFailureFlag(line, &flags.options.close_on_legacy_failure);
  line.Flag("tell-backends", &flags.options.tell_backends,
            "Errors tell clients which backend is to blame, and why: its address is in "
            "the log and on the pages alone else");
  AddHealthFlags(line, flags);
  AddBoundFlags(line, flags);
  line.Heading("Orders to a running balancer");
  line.Flag("list", &flags.list, "Show the backends");
  line.Flag("drain", &flags.drain, "Give this backend no new calls", "ADDR");
  line.Flag("undrain", &flags.undrain, "Give it calls again", "ADDR");
  line.Flag("add", &flags.add, "Balance over this one too, or change its weight",
            "BACKEND");
  line.Flag("remove", &flags.remove,
            "Give it no new calls and forget it when it has answered", "ADDR");
}

// What would be without effect, or say two things.
absl::Status CheckFlags(const CommandLine& line, const BalanceFlags& flags) {
  if (!flags.drain.empty() && flags.drain == flags.undrain) {
    return InvalidArgument("--drain and --undrain of ", flags.drain,
                           " contradict each other: give one of them");
  }
  if (!flags.add.empty() && flags.add == flags.remove) {
    return InvalidArgument("--add and --remove of ", flags.add,
                           " contradict each other: give one of them");
  }
  if (IsOrder(flags)) {
    static constexpr std::string_view kOfOrders[] = {
        "list", "drain",     "undrain",   "add",     "remove",  "admin",
        "tls",  "plaintext", "log-level", "log-dir", "verbose", "help"};
    for (const std::string& flag : line.GivenFlags()) {
      if (std::find(std::begin(kOfOrders), std::end(kOfOrders), flag) ==
          std::end(kOfOrders)) {
        return InvalidArgument(
            "--", flag,
            " has no effect on a balancer that runs already: leave "
            "it out, or leave out the orders (--list, --drain, ...)");
      }
    }
    return absl::OkStatus();
  }
  if (flags.mode == "early") {
    for (const char* const flag : {"window", "max-queued", "max-queued-bytes"}) {
      SKEP_RETURN_IF_ERROR(line.InVain(flag, "--mode late"));
    }
  }
  SKEP_RETURN_IF_ERROR(flags.record.Check(line));
  for (auto at = flags.backends.begin(); at != flags.backends.end(); ++at) {
    if (std::find(flags.backends.begin(), at, *at) == at) continue;
    return InvalidArgument("--backend ", *at, " is given twice, which is as once: ",
                           "for twice the share of calls say --backend ADDR,weight=2");
  }
  return absl::OkStatus();
}

}  // namespace

int RunBalance(const Args& args) {
  BalanceFlags flags;
  CommandLine line("balance",
                   "Spreads RPC calls over backends: a proxy in front of servers that "
                   "speak muduo's RPC. With --admin it takes orders: --list, --drain, "
                   "--undrain, --add and --remove send them.");
  line.Example(
      "skep balance --listen 127.0.0.1:9980 --backend 127.0.0.1:9981 --backend "
      "127.0.0.1:9991,weight=2 --admin 127.0.0.1:7801");
  line.Example("skep balance --backend file:backends.txt --mode late --window 4");
  line.Example("skep balance --admin 127.0.0.1:7801 --drain 127.0.0.1:9981");
  AddFlags(line, flags);
  line.LogFlags(&flags.log);
  if (const auto code = line.Parse(args)) return *code;
  if (const absl::Status log = InitLogging("skep-balance", flags.log); !log.ok()) {
    return ReportError(log);
  }
  absl::Status status = CheckFlags(line, flags);
  if (status.ok()) status = IsOrder(flags) ? Administer(flags) : Serve(flags);
  return status.ok() ? kOk : ReportServiceError(status);
}

}  // namespace skep

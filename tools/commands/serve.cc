#include <cstdio>
#include <fstream>
#include <thread>

#include "base/random.h"
#include "base/status.h"
#include "base/strings.h"
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
#include "tools/services/services.h"
#include "tools/services/sudoku_text.h"
#include "tools/signals.h"

namespace skep {
namespace {

// The ports that the family's clients have built in.
constexpr uint16_t kEchoPort = 8888;
constexpr uint16_t kSudokuPort = 9981;
constexpr uint16_t kNQueensPort = 9352;
constexpr uint16_t kMedianPort = 5555;

struct ServeFlags {
  std::string service;
  std::string listen;
  std::string stats;
  SlowCallRule slow;
  RecordFlag record;
  SecurityFlags security;
  bool close_on_legacy_failure = false;
  int64_t threads = std::max(1u, std::thread::hardware_concurrency());
  int64_t loops = 1;
  absl::Duration spin;
  std::string numbers;
  int64_t seed = 1;
  absl::Duration delay;
  int64_t delay_one_in = 1;
  absl::Duration grace = absl::Seconds(5);
  int64_t max_connections = ServerOptions().max_connections;
  uint64_t max_memory = ServerOptions().max_memory_bytes;
  LogOptions log;
};

absl::StatusOr<uint16_t> DefaultPort(const std::string& service) {
  if (service == "echo") return kEchoPort;
  if (service == "sudoku") return kSudokuPort;
  if (service == "nqueens") return kNQueensPort;
  if (service == "median") return kMedianPort;
  return InvalidArgument("there is no service '", service,
                         "': serve echo, sudoku, nqueens or median");
}

// Decimal integers separated by white space.
absl::StatusOr<std::vector<int64_t>> ReadNumbers(const std::string& path) {
  std::vector<int64_t> numbers;
  if (path.empty()) return numbers;
  std::ifstream in(path);
  if (!in) return ErrnoToStatus(errno, "open " + path);
  for (int64_t number; in >> number;) numbers.push_back(number);
  if (!in.eof()) {
    return InvalidArgument(path, ": what follows number ", numbers.size(),
                           " is no 64-bit integer");
  }
  return numbers;
}

// Where the statistics are unless told otherwise: the family's port for sudoku.
constexpr char kSudokuStats[] = "127.0.0.1:9982";

// What the family's tools ask a sudoku server.
void AddSudokuPages(SudokuStats& stats, ThreadPool& pool, HttpPages* out) {
  HttpPages& pages = *out;
  pages["/sudoku/stats"] = [&stats, &pool](const std::string&) {
    return HttpResponse{.body = stats.Report(pool.queued())};
  };
  pages["/sudoku/reset"] = [&stats](const std::string&) {
    stats.Reset();
    return HttpResponse{.body = "reset\n"};
  };
}

// "": nowhere.
std::string StatsAddress(const ServeFlags& flags) {
  if (flags.stats == "none") return "";
  if (flags.stats.empty() && flags.service == "sudoku") return kSudokuStats;
  return flags.stats;
}

// Flags of one service that are given to another would be without effect.
absl::Status CheckFlags(const CommandLine& line, const ServeFlags& flags) {
  SKEP_RETURN_IF_ERROR(flags.record.Check(line));
  const auto only = [&](bool given, const char* flag, const char* service) {
    return !given || flags.service == service
               ? absl::OkStatus()
               : InvalidArgument(flag, " is of ", service, ": leave it out for ",
                                 flags.service);
  };
  SKEP_RETURN_IF_ERROR(only(flags.delay > absl::ZeroDuration(), "--delay", "echo"));
  if (flags.delay_one_in != 1 && flags.delay <= absl::ZeroDuration()) {
    return InvalidArgument("--delay-one-in is of --delay TIME");
  }
  if (flags.service == "echo") {
    SKEP_RETURN_IF_ERROR(
        line.InVain("threads", "sudoku, nqueens or median: echo answers on its loops"));
  }
  SKEP_RETURN_IF_ERROR(only(!flags.numbers.empty(), "--numbers", "median"));
  return only(flags.seed != ServeFlags().seed, "--seed", "median");
}

absl::Status Serve(const CommandLine& line, const ServeFlags& flags) {
  SKEP_ASSIGN_OR_RETURN(const uint16_t port, DefaultPort(flags.service));
  SKEP_RETURN_IF_ERROR(CheckFlags(line, flags));
  SKEP_ASSIGN_OR_RETURN(const Address at, flags.listen.empty()
                                              ? Address::Tcp("127.0.0.1", port)
                                              : Address::Parse(flags.listen, port));
  SKEP_ASSIGN_OR_RETURN(const Security security, Security::Load(flags.security));
  SKEP_RETURN_IF_ERROR(security.MayListen(at));
  absl::StatusOr<std::vector<int64_t>> read = ReadNumbers(flags.numbers);
  if (!read.ok()) return EndsWith(kFiles, read.status());
  std::vector<int64_t> numbers = *std::move(read);

  StopSignal stop;
  const Clock& clock = Clock::Real();
  SudokuStats stats(clock);
  ServerMetrics metrics(flags.slow);
  SKEP_ASSIGN_OR_RETURN(const auto recorder, flags.record.Open());
  TcpTransport transport(static_cast<int>(flags.loops), {.spin = flags.spin});
  const std::unique_ptr<Transport> peers = security.Over(transport);
  const auto front = RecordFlag::Front(*peers, recorder.get());
  const StopAtExit stop_transport(transport);
  auto pool =
      std::make_unique<ThreadPool>("skep-compute", static_cast<int>(flags.threads));
  const SudokuTextServer text{.options = {.require_id = flags.threads > 1},
                              .pool = *pool,
                              .stats = stats,
                              .clock = clock};
  ServerOptions options;
  options.pool = pool.get();
  options.max_connections = static_cast<int>(flags.max_connections);
  options.max_memory_bytes = flags.max_memory;
  if (flags.close_on_legacy_failure) options.legacy_failure = LegacyFailure::kClose;

  std::unique_ptr<google::protobuf::Service> service;
  auto run = ServiceTable::Run::kPool;
  HttpPages pages;
  if (flags.service == "echo") {
    service = flags.delay > absl::ZeroDuration()
                  ? MakeSlowEchoService(flags.delay, transport.executor(),
                                        static_cast<uint64_t>(flags.delay_one_in))
                  : MakeEchoService();
    run = ServiceTable::Run::kInline;
  } else if (flags.service == "nqueens") {
    service = MakeNQueensService(clock);
  } else if (flags.service == "median") {
    service = MakeMedianService(std::move(numbers), static_cast<uint64_t>(flags.seed));
  } else {
    service = MakeSudokuService(stats, clock);
    options.other_protocol = [&text](Stream& stream) {
      return MakeSudokuTextSession(stream, text);
    };
    AddSudokuPages(stats, *pool, &pages);
  }
  ServiceTable services;
  services.Add(service.get(), run);
  services.AddReflection();
  const std::string stats_text = StatsAddress(flags);
  if (!stats_text.empty()) services.Measure(&metrics);
  SKEP_ASSIGN_OR_RETURN(
      const std::unique_ptr<Server> server,
      Server::Listen(front == nullptr ? *peers : *front, at, services, options));
  std::unique_ptr<StatsServer> http;
  if (!stats_text.empty()) {
    SKEP_ASSIGN_OR_RETURN(const Address stats_at, Address::Parse(stats_text));
    SKEP_RETURN_IF_ERROR(security.MayShowStatistics(stats_at));
    const auto take = [&] {
      StatsReport report;
      report.title = StrCat(flags.service, " on ", server->address());
      report.connections = server->connections();
      report.Take(metrics);
      if (flags.service == "sudoku") {
        report.sections.push_back(stats.Section(pool->queued()));
      }
      security.Report(&report);
      return report;
    };
    SKEP_ASSIGN_OR_RETURN(http,
                          StatsServer::Listen(stats_at, clock, take, std::move(pages)));
  }
  // Once all of it is there.
  std::printf("serving %s on %s\n", flags.service.c_str(),
              server->address().ToString().c_str());
  if (http != nullptr) {
    std::printf("statistics on http://%s/\n", http->address().ToString().c_str());
  }
  std::fflush(stdout);
  stop.Wait();
  server->Shutdown(flags.grace);
  // What it still computes refers to `text`, and the pages to the pool.
  http.reset();
  pool.reset();
  return absl::OkStatus();
}

}  // namespace

int RunServe(const Args& args) {
  ServeFlags flags;
  CommandLine line(
      "serve",
      "Serves echo, sudoku, nqueens or median, as muduo's family does: on "
      "ports 8888, 9981, 9352 and 5555 unless told otherwise. Sudoku takes "
      "RPC and the text protocol on one port.");
  line.Example("skep serve sudoku --listen 127.0.0.1:9981 --threads 2");
  line.Example("skep serve echo --stats 127.0.0.1:8889 --slow 20ms");
  line.Positional("SERVICE", &flags.service, "echo, sudoku, nqueens or median", true,
                  {"echo", "sudoku", "nqueens", "median"});
  line.Flag("listen", &flags.listen,
            "Where to listen; default: the family's port on "
            "loopback. Port 0 takes a free one",
            "ADDR");
  line.Flag("threads", &flags.threads,
            "Compute threads. With more than one, sudoku's text requests need an id",
            "N", 1, kMostThreads);
  line.Flag("loops", &flags.loops, "Event loops for connections", "N", 1, kMostThreads);
  line.DurationFlag("spin", &flags.spin,
                    "How long a loop looks for more to do before it sleeps: lower "
                    "latency for CPU time. 50us is what a wake-up costs");
  line.Flag("stats", &flags.stats,
            "Where the statistics page is, also for Prometheus and `skep rpc top`; "
            "default: for sudoku 127.0.0.1:9982, for others none",
            "ADDR|none");
  line.ParsedFlag("slow",
                  "Which calls the page keeps as slow: p99, the slowest of each second "
                  "that is over its method's p99; or all of a time and more",
                  "p99|TIME", "p99", [&flags](const std::string& text) -> absl::Status {
                    SKEP_ASSIGN_OR_RETURN(flags.slow, SlowCallRule::Parse(text));
                    return absl::OkStatus();
                  });
  line.DurationFlag("delay", &flags.delay,
                    "Echo: answer this much later, to play a slow server");
  line.Flag("delay-one-in", &flags.delay_one_in,
            "Echo: --delay is of each N-th call, not of all", "N", 1);
  line.DurationFlag(
      "grace", &flags.grace,
      "At SIGTERM or Ctrl-C: how long calls in progress may take. Clients "
      "of ours are told to go away, others answered and hung up on");
  flags.record.Declare(line);
  line.Flag("numbers", &flags.numbers, "Median: a file of integers to hold", "FILE");
  line.Flag("seed", &flags.seed, "Median: of what Generate makes", "N");
  line.Flag("max-connections", &flags.max_connections, "More are closed as they come",
            "N", 1);
  line.SizeFlag("max-memory", &flags.max_memory,
                "What requests and unread replies may take over all connections; calls "
                "beyond it are refused, and connections that hold some are not read");
  AddSecurityFlags(line, &flags.security);
  AddLegacyFailureFlag(line, &flags.close_on_legacy_failure,
                       "; behind a balancer leave it, and say it there");
  line.LogFlags(&flags.log);
  if (const auto code = line.Parse(args)) return *code;
  if (const absl::Status log = InitLogging("skep-serve", flags.log); !log.ok()) {
    return ReportError(log);
  }
  const absl::Status status = Serve(line, flags);
  return status.ok() ? kOk : ReportServiceError(status);
}

}  // namespace skep

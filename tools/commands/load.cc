#include "tools/load/load.h"

#include <sys/resource.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>

#include "absl/strings/str_split.h"
#include "base/mutex.h"
#include "base/plural.h"
#include "base/status.h"
#include "base/strings.h"
#include "rpc/tcp_transport.h"
#include "tools/client/session.h"
#include "tools/command_line.h"
#include "tools/commands/commands.h"
#include "tools/exit_code.h"
#include "tools/load/plot.h"
#include "tools/load/puzzle_file.h"
#include "tools/load/replay.h"
#include "tools/load/report.h"
#include "tools/output_file.h"
#include "tools/security.h"
#include "tools/signals.h"
#include "tools/standard_error.h"

namespace skep {
namespace {

struct LoadFlags {
  std::string service;
  std::vector<std::string> targets;
  std::string protocol = "rpc";
  int64_t connections = 1;
  int64_t window = 1;
  double rate = 0;
  std::string rates;
  std::string replay;
  std::string speed = "1";
  absl::Duration hedge = absl::InfiniteDuration();
  double hedge_budget = 10;  // percent of calls
  std::string max_failed;
  int64_t threads = 1;
  absl::Duration spin;
  absl::Duration duration = absl::InfiniteDuration();
  absl::Duration deadline = absl::Seconds(10);
  int64_t requests = 0;
  uint64_t payload = 16;
  std::string puzzles;
  std::vector<std::string> cpu_of;
  bool json = false;
  std::string histogram;
  std::string plot;
  SecurityFlags security;
  // What goes wrong is in the report.
  LogOptions log{.level = "error"};
};

// "10", "10s", "500ms".
absl::Status ParsePositive(const std::string& text, absl::Duration* out) {
  int64_t seconds = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, seconds);
  if (error == std::errc() && stop == end) {
    *out = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(text, out)) {
    return InvalidArgument("'", text, "' is no time: 10, 10s, 500ms");
  }
  if (*out <= absl::ZeroDuration()) return InvalidArgument("it must be over zero");
  return absl::OkStatus();
}

absl::StatusOr<LinkFactory> FactoryOf(const LoadFlags& flags) {
  const bool text = flags.protocol == "text";
  if (!text && flags.protocol != "rpc") {
    return InvalidArgument("there is no protocol '", flags.protocol,
                           "': use rpc or text");
  }
  if (flags.service == "echo" && !text) return LinkFactory(MakeEchoLink);
  if (flags.service == "echo") {
    return InvalidArgument("echo speaks rpc only; text is sudoku's");
  }
  if (flags.service == "sudoku") {
    return LinkFactory(text ? MakeSudokuTextLink : MakeSudokuLink);
  }
  return InvalidArgument("there is no load for '", flags.service,
                         "': load echo or sudoku");
}

// "1000", "2k", "1.5M".
absl::StatusOr<double> ParseRate(const std::string& text) {
  char* end = nullptr;
  double rate = std::strtod(text.c_str(), &end);
  if (*end == 'k') rate *= 1e3, ++end;
  if (*end == 'M') rate *= 1e6, ++end;
  if (*end != '\0' || !(rate > 0 && rate <= 1e8)) {
    return InvalidArgument("'", text, "' is no rate: say 1000, 2k or 1.5M");
  }
  return rate;
}

// "1000,2k,5k".
absl::StatusOr<std::vector<double>> RatesOf(const LoadFlags& flags) {
  if (flags.rates.empty()) return std::vector<double>{flags.rate};
  if (flags.rate > 0) return InvalidArgument("give --rate or --rates, not both");
  std::vector<double> rates;
  for (const absl::string_view part : absl::StrSplit(flags.rates, ',')) {
    SKEP_ASSIGN_OR_RETURN(rates.emplace_back(), ParseRate(std::string(part)));
  }
  return rates;
}

absl::StatusOr<LoadOptions> OptionsOf(const LoadFlags& flags, const std::string& target,
                                      double rate) {
  LoadOptions options;
  if (flags.replay.empty()) {
    SKEP_ASSIGN_OR_RETURN(options.factory, FactoryOf(flags));
  }
  for (const absl::string_view one : absl::StrSplit(target, ',')) {
    SKEP_ASSIGN_OR_RETURN(options.link.backends.emplace_back(),
                          Address::Parse(ToStd(one)));
  }
  options.link.target = options.link.backends[0];
  options.link.hedge.delay = flags.hedge;
  options.link.hedge.budget.ratio = flags.hedge_budget / 100;
  if (rate > 0 && flags.window > 1) {
    return InvalidArgument(
        "--window keeps requests outstanding, --rate sends them whatever happens: "
        "give one of them");
  }
  options.link.timeout = flags.deadline;
  options.link.payload_bytes = flags.payload;
  absl::StatusOr<std::vector<std::string>> puzzles = ReadPuzzleFile(flags.puzzles);
  if (!puzzles.ok()) return EndsWith(kFiles, puzzles.status());
  options.link.puzzles = *std::move(puzzles);
  options.connections = static_cast<int>(flags.connections);
  options.threads = static_cast<int>(std::min(flags.threads, flags.connections));
  options.spin = flags.spin;
  options.window = static_cast<uint32_t>(flags.window);
  options.rate = rate;
  if (flags.requests > 0) {
    options.requests = static_cast<uint64_t>(flags.requests);
    options.duration = flags.duration;
  } else if (flags.duration != absl::InfiniteDuration()) {
    options.duration = flags.duration;
  }
  options.count_steps = !flags.histogram.empty();
  for (const std::string& text : flags.cpu_of) {
    pid_t pid = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, pid);
    if (error != std::errc() || stop != end || pid <= 0) {
      return InvalidArgument("--cpu-of ", text, " is no process id");
    }
    options.cpu_of.push_back(pid);
  }
  return options;
}

std::string Describe(const LoadFlags& flags, const std::string& target, double rate) {
  std::string out = StrCat(flags.service, " at ", target, " by ", flags.protocol,
                           rate > 0 ? ": open loop, " : ": closed loop, ");
  if (rate > 0) {
    StrAppend(&out, rate, " requests/s over ");
  } else {
    StrAppend(&out, flags.window, " outstanding on each of ");
  }
  StrAppend(&out, Counted(static_cast<uint64_t>(flags.connections), "connection"));
  if (flags.service == "echo") StrAppend(&out, ", ", Counted(flags.payload, "byte"));
  return out;
}

// Files that are open beside connections.
constexpr rlim_t kOtherFiles = 64;

// "20" or "0.5%": how many of so many requests may fail.
absl::StatusOr<double> MostFailed(const std::string& text, uint64_t sent) {
  char* end = nullptr;
  double most = std::strtod(text.c_str(), &end);
  const bool percent = end != text.c_str() && *end == '%';
  if (percent) most *= static_cast<double>(sent) / 100, ++end;
  if (end == text.c_str() || *end != '\0' || !(most >= 0)) {
    return InvalidArgument("--max-failed ", text,
                           " is neither a number nor a share: ", "say 20 or 0.5%");
  }
  return most;
}

bool IsSeveral(const std::string& target) {
  return target.find(',') != std::string::npos;
}

absl::Status CheckFlags(const LoadFlags& flags) {
  if (flags.targets.empty()) {
    return InvalidArgument("name the server, for example --target 127.0.0.1:8888");
  }
  if (flags.replay.empty() == flags.service.empty()) {
    return InvalidArgument("say what is sent: echo, sudoku, or --replay FILE alone");
  }
  if (!flags.replay.empty() && (flags.rate > 0 || !flags.rates.empty())) {
    return InvalidArgument(
        "--replay has the times of the capture: --speed 2 is twice as fast, --speed "
        "max as fast as the answers come");
  }
  // What would be without effect.
  if (flags.replay.empty() && flags.speed != LoadFlags().speed) {
    return InvalidArgument("--speed is of --replay");
  }
  if (!flags.replay.empty() && flags.protocol != "rpc") {
    return InvalidArgument("--replay speaks rpc: leave out --protocol");
  }
  if (!flags.puzzles.empty() && flags.service != "sudoku") {
    return InvalidArgument("--puzzles is of sudoku");
  }
  if (flags.payload != LoadFlags().payload && flags.service != "echo") {
    return InvalidArgument("--payload is of echo");
  }
  if (!flags.max_failed.empty()) {
    SKEP_RETURN_IF_ERROR(MostFailed(flags.max_failed, 0).status());
  }
  rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 &&
      static_cast<rlim_t>(flags.connections) + kOtherFiles > files.rlim_cur) {
    return InvalidArgument("--connections ", flags.connections, ": this process may ",
                           "have ", files.rlim_cur,
                           " files open (ulimit -n), of which ", kOtherFiles,
                           " are for other things");
  }
  const bool several =
      std::any_of(flags.targets.begin(), flags.targets.end(), IsSeveral);
  if (several && (flags.protocol != "rpc" || !flags.replay.empty())) {
    return InvalidArgument(
        "several addresses in one --target are a balanced channel: leave out "
        "--protocol text and --replay, or repeat --target to compare");
  }
  const bool hedged = flags.hedge < absl::InfiniteDuration();
  if (hedged && !several) {
    return InvalidArgument("--hedge is of several backends: --target ADDR,ADDR");
  }
  if (!hedged && flags.hedge_budget != LoadFlags().hedge_budget) {
    return InvalidArgument("--hedge-budget is of --hedge TIME");
  }
  if (!(flags.hedge_budget >= 0 && flags.hedge_budget <= 100)) {
    return InvalidArgument("--hedge-budget is a share of calls: 0 to 100 percent");
  }
  // Latencies at different rates, or of different servers, are no one distribution.
  if (!flags.histogram.empty() && (!flags.rates.empty() || flags.targets.size() > 1)) {
    return InvalidArgument(
        "--histogram is of one measurement: give one --target and --rate, or --plot, "
        "which shows several");
  }
  return absl::OkStatus();
}

absl::Status AwaitServers(const Security& security, const LoadFlags& flags,
                          const std::vector<Address>& servers) {
  TcpTransport sockets(1);
  const StopAtExit stop(sockets);
  return security.AwaitListener(
      sockets, servers,
      StrCat("skep serve ", flags.service.empty() ? "SERVICE" : flags.service,
             " --listen ", servers[0]));
}

// Every target at every rate, one after the other; ends early when the user says so.
absl::StatusOr<std::vector<LoadMeasurement>> RunAll(const LoadFlags& flags) {
  SKEP_ASSIGN_OR_RETURN(const std::vector<double> rates, RatesOf(flags));
  SKEP_ASSIGN_OR_RETURN(const Security security, Security::Load(flags.security));
  std::optional<Replay> replay;
  if (!flags.replay.empty()) {
    SKEP_ASSIGN_OR_RETURN(replay, Replay::Open(flags.replay, flags.speed));
    if (!replay->damage().ok()) {
      WriteError(StrCat("skep load: ", Message(replay->damage()), "; the ",
                        replay->requests(), " requests before it are played\n"));
    }
  }
  Mutex mutex;
  LoadRun* running = nullptr;
  bool stopped = false;
  const StopSignal stop([&] {
    MutexLock lock(mutex);
    stopped = true;
    if (running != nullptr) running->Stop();
  });
  std::vector<LoadMeasurement> runs;
  for (const std::string& target : flags.targets) {
    for (const double rate : rates) {
      SKEP_ASSIGN_OR_RETURN(LoadOptions options, OptionsOf(flags, target, rate));
      for (const Address& backend : options.link.backends) {
        SKEP_RETURN_IF_ERROR(security.MayConnect(backend));
      }
      SKEP_RETURN_IF_ERROR(AwaitServers(security, flags, options.link.backends));
      options.over = [&security](Transport& sockets) { return security.Over(sockets); };
      std::string what;
      if (replay) {
        what = replay->Plan(static_cast<int>(flags.connections), &options) + " at " +
               target;
      } else {
        what = Describe(flags, target, rate);
      }
      LoadRun run(std::move(options));
      {
        MutexLock lock(mutex);
        if (stopped) return runs;
        running = &run;
      }
      absl::StatusOr<LoadReport> report = run.Run();
      {
        MutexLock lock(mutex);
        running = nullptr;
      }
      SKEP_RETURN_IF_ERROR(report.status());
      runs.push_back({.what = std::move(what),
                      .target = target,
                      .rate = rate,
                      .report = *std::move(report)});
    }
  }
  return runs;
}

absl::Status WriteFiles(const LoadFlags& flags,
                        const std::vector<LoadMeasurement>& runs) {
  if (!flags.histogram.empty()) {
    SKEP_RETURN_IF_ERROR(
        WriteOutputFile("--histogram", flags.histogram,
                        LoadHistogramFile(runs.empty() ? std::map<uint64_t, uint64_t>()
                                                       : runs[0].report.stats.steps)));
  }
  if (flags.plot.empty()) return absl::OkStatus();
  if (!flags.rates.empty()) {
    return WriteOutputFile("--plot", flags.plot,
                           RampPlotSvg("Latency against load", runs));
  }
  std::vector<NamedLatency> latencies;
  for (const LoadMeasurement& run : runs) {
    latencies.push_back({run.target, run.report.stats.latency});
  }
  return WriteOutputFile(
      "--plot", flags.plot,
      LatencyPlotSvg(runs.size() == 1 ? runs[0].what : "Latency", latencies));
}

absl::StatusOr<int> Load(const LoadFlags& flags) {
  SKEP_RETURN_IF_ERROR(CheckFlags(flags));
  SKEP_RETURN_IF_ERROR(CheckOutputFile("--histogram", flags.histogram));
  SKEP_RETURN_IF_ERROR(CheckOutputFile("--plot", flags.plot));
  SKEP_ASSIGN_OR_RETURN(const std::vector<LoadMeasurement> runs, RunAll(flags));
  std::string text;
  if (runs.size() == 1) {
    text = flags.json ? LoadReportJson(runs[0].what, runs[0].report)
                      : LoadReportText(runs[0].what, runs[0].report);
  } else {
    text = flags.json ? LoadTableJson(runs) : LoadTableText(runs);
  }
  std::fwrite(text.data(), 1, text.size(), stdout);
  SKEP_RETURN_IF_ERROR(WriteFiles(flags, runs));
  const auto wrong = static_cast<size_t>(absl::StatusCode::kDataLoss);
  bool good = !runs.empty();
  for (const LoadMeasurement& run : runs) {
    const LoadStats& stats = run.report.stats;
    good = good && stats.ok() > 0 && stats.outcomes[wrong] == 0;
    if (flags.max_failed.empty()) continue;
    const uint64_t failed = stats.failed() + stats.unanswered() + stats.not_sent;
    const uint64_t all = stats.sent + stats.not_sent;
    SKEP_ASSIGN_OR_RETURN(const double most, MostFailed(flags.max_failed, all));
    if (static_cast<double>(failed) <= most) continue;
    std::fprintf(stderr, "skep load: %s: %s of %s calls failed, over --max-failed %s\n",
                 run.target.c_str(), StrCat(failed).c_str(), StrCat(all).c_str(),
                 flags.max_failed.c_str());
    good = false;
  }
  return good ? kOk : kJobFailed;
}

void Declare(CommandLine& line, LoadFlags* flags) {
  line.Example("skep load echo --target 127.0.0.1:8888 --connections 10 --window 64");
  line.Example(
      "skep load sudoku --target 127.0.0.1:9981 --protocol text --rate 5000 "
      "--plot latency.svg");
  line.Example(
      "skep load echo --target 127.0.0.1:8888 --target 127.0.0.1:8880 --rates "
      "1k,2k,5k,10k --duration 5s --plot ramp.svg");
  line.Example(
      "skep load echo --target 127.0.0.1:8881,127.0.0.1:8882 --hedge 5ms --max-failed "
      "0.1%");
  line.Example("skep load --replay requests.traffic --speed 2 --target 127.0.0.1:9981");
  line.Positional("SERVICE", &flags->service, "echo or sudoku", false,
                  {"echo", "sudoku"});
  line.Flag("target", &flags->targets,
            "The server or balancer; repeat it to compare several. ADDR,ADDR is one "
            "balanced channel over several servers",
            "ADDR");
  line.Flag("protocol", &flags->protocol, "rpc, or sudoku's own: text", "NAME");
  line.Flag("connections", &flags->connections,
            "Connections; --replay: as many as were captured, at most so many if it is "
            "over 1",
            "N", 1);
  line.Flag("window", &flags->window,
            "Closed loop: requests outstanding on each connection", "N", 1);
  line.ParsedFlag(
      "rate",
      "Open loop: requests a second (1000, 2k), over all connections, whatever the "
      "answers do; latency counts from the moment for which a request was meant",
      "R", "", [flags](const std::string& text) -> absl::Status {
        SKEP_ASSIGN_OR_RETURN(flags->rate, ParseRate(text));
        return absl::OkStatus();
      });
  line.Flag(
      "rates", &flags->rates,
      "Open loop at one rate after the other, each for --duration: latency against "
      "load",
      "R,R,...");
  line.Flag(
      "replay", &flags->replay,
      "Send what `skep serve --record` or `skep balance --record` captured, at its "
      "own times",
      "FILE");
  line.Flag(
      "speed", &flags->speed,
      "Of --replay: so many times as fast, or max: each connection keeps --window "
      "outstanding",
      "X|max");
  const auto time_flag = [&](const char* name, const char* help, const char* standard,
                             absl::Duration* out) {
    line.ParsedFlag(name, help, "TIME", standard, [out](const std::string& text) {
      return ParsePositive(text, out);
    });
  };
  time_flag("duration",
            "How long requests are sent; without it and --requests, ten seconds", "",
            &flags->duration);
  line.Flag("requests", &flags->requests, "How many are sent; 0: no limit", "N", 0);
  time_flag("deadline", "Of each request", "10s", &flags->deadline);
  line.SizeFlag("payload", &flags->payload, "Echo: the size of a request");
  line.Flag("puzzles", &flags->puzzles, "Sudoku: 81 digits a line; default: one easy",
            "FILE");
  line.Flag("threads", &flags->threads, "Threads for the connections", "N", 1,
            kMostThreads);
  line.DurationFlag("spin", &flags->spin,
                    "How long a thread looks for answers before it sleeps: leaves the "
                    "time of waking up out of what is measured");
  line.Flag("cpu-of", &flags->cpu_of,
            "Measure the CPU time of this process too; repeat it", "PID");
  AddSecurityFlags(line, &flags->security);
  line.Heading("Several backends in one --target");
  time_flag("hedge",
            "A call not answered after so long goes to a second backend too; the first "
            "answer counts",
            "", &flags->hedge);
  line.ParsedFlag("hedge-budget", "At most so many percent of calls are hedged",
                  "PERCENT", "10", [flags](const std::string& text) -> absl::Status {
                    char* end = nullptr;
                    flags->hedge_budget = std::strtod(text.c_str(), &end);
                    if (end == text.c_str() || *end != '\0') {
                      return InvalidArgument("'", text, "' is no number");
                    }
                    return absl::OkStatus();
                  });
  line.Heading("Output");
  line.Flag("max-failed", &flags->max_failed,
            "End with 1 if more calls fail than this, 20 or 0.5%; without it a load "
            "that is answered at all ends with 0, as those of wrk, hey and ghz do",
            "N|P%");
  line.Flag("json", &flags->json, "One JSON object instead of text");
  line.Flag("histogram", &flags->histogram,
            "Write buckets of 5 us here: begin, count, cumulative percent", "FILE");
  line.Flag("plot", &flags->plot, "Draw the latency distribution here", "FILE.svg");
  line.LogFlags(&flags->log);
}

}  // namespace

int RunLoad(const Args& args) {
  LoadFlags flags;
  CommandLine line("load",
                   "Loads an echo or sudoku server and reports rate, latency and CPU. "
                   "Closed loop (--window) finds what it can do, open loop (--rate) "
                   "how long an answer takes at a rate. Answers are checked.");
  Declare(line, &flags);
  if (const auto code = line.Parse(args)) return *code;
  if (const absl::Status log = InitLogging("skep-load", flags.log); !log.ok()) {
    return ReportError(log);
  }
  const absl::StatusOr<int> code = Load(flags);
  return code.ok() ? *code : ReportError(code.status());
}

}  // namespace skep

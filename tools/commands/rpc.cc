#include <cstdio>

#include "absl/strings/str_split.h"
#include "base/random.h"
#include "base/status.h"
#include "base/strings.h"
#include "rpc/balance/balanced_channel.h"
#include "rpc/server.h"
#include "rpc/tcp_transport.h"
#include "tools/client/session.h"
#include "tools/command_line.h"
#include "tools/commands/commands.h"
#include "tools/commands/rpc_top.h"
#include "tools/commands/service_error.h"
#include "tools/exit_code.h"
#include "tools/probe.h"
#include "tools/reflection/dynamic_service.h"
#include "tools/security.h"

namespace skep {
namespace {

struct RpcFlags {
  std::string address;
  std::string method;
  std::string json = "{}";
  int64_t timeout_seconds = 10;
  absl::Duration hedge = absl::InfiniteDuration();
  int64_t interval_seconds = 1;
  int64_t count = 0;
  bool once = false;
  bool top_json = false;
  SecurityFlags security;
};

absl::Status List(Channel& channel, absl::Duration timeout) {
  SKEP_ASSIGN_OR_RETURN(const std::vector<ServiceListing> services,
                        ListServices(channel, timeout));
  for (const ServiceListing& service : services) {
    std::printf("%s\n", service.service.c_str());
    for (const std::string& method : service.methods) {
      std::printf("  %s\n", method.c_str());
    }
  }
  return absl::OkStatus();
}

// `service` is kept there, since an attempt that lost may hold messages of its types
// for as long as the channel's loops run.
absl::Status Call(Channel& channel, const RpcFlags& flags, absl::Duration timeout,
                  std::unique_ptr<DynamicService>* service) {
  const size_t dot = flags.method.rfind('.');
  if (dot == std::string::npos) {
    return InvalidArgument(
        "name the method in full, for example "
        "echo.EchoService.Echo, not '",
        flags.method, "'");
  }
  SKEP_ASSIGN_OR_RETURN(
      *service, DynamicService::Fetch(channel, flags.method.substr(0, dot), timeout));
  SKEP_ASSIGN_OR_RETURN(
      const std::string reply,
      (*service)->Call(channel, flags.method.substr(dot + 1), flags.json, timeout));
  std::printf("%s", reply.c_str());
  return absl::OkStatus();
}

absl::Status Top(const RpcFlags& flags) {
  // The page is in plain text whatever the server's calls are under.
  SKEP_ASSIGN_OR_RETURN(const Address page, Address::Parse(flags.address));
  SKEP_ASSIGN_OR_RETURN(const Security security, Security::Load(flags.security));
  SKEP_RETURN_IF_ERROR(security.MayConnectPlainly(page));
  {
    TcpTransport sockets(1);
    const StopAtExit stop(sockets);
    SKEP_RETURN_IF_ERROR(AwaitListener(
        sockets, {page}, StrCat("skep serve SERVICE --stats ", flags.address)));
  }
  return RunRpcTop({.address = flags.address,
                    .interval = absl::Seconds(flags.interval_seconds),
                    .timeout = absl::Seconds(flags.timeout_seconds),
                    .count = flags.once ? 1 : flags.count,
                    .json = flags.top_json});
}

// A call of `flags.method`, or the list of all methods.
absl::Status Ask(const RpcFlags& flags, bool list = false) {
  SKEP_ASSIGN_OR_RETURN(const Security security, Security::Load(flags.security));
  std::vector<Address> addresses;
  for (const std::string& text :
       std::vector<std::string>(absl::StrSplit(flags.address, ','))) {
    SKEP_ASSIGN_OR_RETURN(Address address, Address::Parse(text));
    SKEP_RETURN_IF_ERROR(security.MayConnect(address));
    addresses.push_back(std::move(address));
  }
  const absl::Duration timeout = absl::Seconds(flags.timeout_seconds);
  std::unique_ptr<DynamicService> service;  // outlives the transport
  TcpTransport sockets(1);
  const std::unique_ptr<Transport> transport = security.Over(sockets);
  const StopAtExit stop(sockets);
  SKEP_RETURN_IF_ERROR(security.AwaitListener(
      sockets, addresses, StrCat("skep serve SERVICE --listen ", addresses[0])));
  ConnectOptions options;
  // Why there is no connection is known before the call gives up.
  options.connect_timeout = timeout * 0.9;
  std::shared_ptr<Channel> channel;
  if (addresses.size() == 1) {
    options.reconnect = false;
    channel = Connect(*transport, addresses[0], options);
  } else {
    BalancedOptions balanced;
    balanced.connect = options;
    balanced.hedge.delay = flags.hedge;
    balanced.seed = SystemRandom64();
    channel = BalancedChannel::Create(*transport, addresses, balanced);
  }
  return list ? List(*channel, timeout) : Call(*channel, flags, timeout, &service);
}

void AddCommonFlags(CommandLine& line, RpcFlags& flags) {
  line.Flag("timeout", &flags.timeout_seconds, "Seconds before it gives up", "S", 1);
  AddSecurityFlags(line, &flags.security);
}

constexpr char kSeveral[] =
    "The server, or several with commas between them: each call goes to one, and to "
    "another if that fails and may be repeated";

int RunList(const Args& args) {
  RpcFlags flags;
  CommandLine line("rpc list", "Lists what a server serves.");
  line.Example("skep rpc list 127.0.0.1:8888");
  line.Positional("ADDR", &flags.address, kSeveral);
  AddCommonFlags(line, flags);
  if (const auto code = line.Parse(args)) return *code;
  const absl::Status status = Ask(flags, /*list=*/true);
  return status.ok() ? kOk : ReportServiceError(status);
}

int RunCall(const Args& args) {
  RpcFlags flags;
  CommandLine line("rpc call",
                   "Calls a method of a server with a request in JSON, and prints the "
                   "reply.");
  line.Example(
      "skep rpc call 127.0.0.1:8888 echo.EchoService.Echo '{\"payload\":\"hi\"}'");
  line.Positional("ADDR", &flags.address, kSeveral);
  line.Positional("METHOD", &flags.method, "package.Service.Method");
  line.Positional("JSON", &flags.json, "The request", false);
  line.ParsedFlag("hedge",
                  "Of several servers: ask a second one too after so long, if the "
                  "method is idempotent; the first reply counts",
                  "TIME", "never", [&flags](const std::string& text) -> absl::Status {
                    if (text == "never" || (absl::ParseDuration(text, &flags.hedge) &&
                                            flags.hedge > absl::ZeroDuration())) {
                      return absl::OkStatus();
                    }
                    return InvalidArgument("'", text, "' is no time: say 20ms or 1.5s");
                  });
  AddCommonFlags(line, flags);
  if (const auto code = line.Parse(args)) return *code;
  const bool several = flags.address.find(',') != std::string::npos;
  const absl::Status status =
      flags.hedge < absl::InfiniteDuration() && !several
          ? InvalidArgument("--hedge is of several servers: name more than one")
          : Ask(flags);
  return status.ok() ? kOk : ReportServiceError(status);
}

int RunTop(const Args& args) {
  RpcFlags flags;
  flags.timeout_seconds = 3;  // a page is there at once, or never
  CommandLine line(
      "rpc top", "Shows live what a server or balancer does, by its statistics page.");
  line.Example("skep rpc top 127.0.0.1:9982");
  line.Example("skep rpc top 127.0.0.1:9982 --once --json");
  line.Positional("ADDR", &flags.address, "Its --stats address");
  line.Flag("interval", &flags.interval_seconds, "Seconds between readings", "S", 1);
  line.Flag("count", &flags.count, "So many readings, then it ends; 0: for ever", "N");
  line.Flag("once", &flags.once, "One reading, as --count 1");
  line.Flag("json", &flags.top_json, "An object of JSON a line");
  AddCommonFlags(line, flags);
  if (const auto code = line.Parse(args)) return *code;
  const absl::Status status = Top(flags);
  return status.ok() ? kOk : ReportServiceError(status);
}

}  // namespace

int RunRpc(const Args& args) {
  if (!args.empty()) {
    const Args rest(args.begin() + 1, args.end());
    if (args[0] == "list") return RunList(rest);
    if (args[0] == "call") return RunCall(rest);
    if (args[0] == "top") return RunTop(rest);
  }
  std::string action;
  std::vector<std::string> rest;
  CommandLine line(
      "rpc",
      "Asks a server what it serves (list), calls a method of it with a "
      "request in JSON (call), or shows live what it does (top). `skep rpc "
      "ACTION --help` explains each.");
  line.Example("skep rpc list 127.0.0.1:8888");
  line.Example(
      "skep rpc call 127.0.0.1:8888 echo.EchoService.Echo '{\"payload\":\"hi\"}'");
  line.Example("skep rpc top 127.0.0.1:9982");
  line.Positional("ACTION", &action, "list, call or top", true,
                  {"list", "call", "top"});
  line.Inputs("ARGUMENT", &rest, "What the action takes", /*required=*/false);
  if (const auto code = line.Parse(args)) return *code;
  return ReportError(
      InvalidArgument("there is no `skep rpc ", action, "`: use list, call or top"));
}

}  // namespace skep

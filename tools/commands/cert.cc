// `skep cert ...`: a fleet's authority, its members' certificates, and joining.

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/status.h"
#include "rpc/tcp_transport.h"
#include "rpc/tls/authority.h"
#include "rpc/tls/join.h"
#include "tools/client/session.h"
#include "tools/command_line.h"
#include "tools/commands/cert_actions.h"
#include "tools/commands/commands.h"
#include "tools/exit_code.h"

namespace skep {
namespace {

constexpr absl::Duration kLeastTokenTime = absl::Seconds(1);  // as it is written down
constexpr absl::Duration kMostTokenTime = absl::Hours(24 * 30);

absl::Status Init(const CertFlags& flags) {
  if (flags.fleet.empty()) {
    return InvalidArgument("name the fleet: skep cert init DIR --fleet NAME");
  }
  constexpr int64_t kTenYears = 3650;
  SKEP_ASSIGN_OR_RETURN(const Authority made,
                        Authority::Create(flags.subject, flags.fleet,
                                          Days(flags, kTenYears), absl::Now()));
  std::printf(
      "authority of fleet %s in %s\nfingerprint %s\n"
      "Whoever has %s/%s can make members: keep it on one machine.\n",
      made.fleet().c_str(), flags.subject.c_str(), made.fingerprint().c_str(),
      flags.subject.c_str(), Authority::kKeyFile);
  return absl::OkStatus();
}

absl::Status Issue(const CertFlags& flags) {
  if (flags.name.empty()) {
    return InvalidArgument("name the member: skep cert issue DIR NAME");
  }
  SKEP_ASSIGN_OR_RETURN(const Authority authority, Authority::Open(flags.subject));
  SKEP_RETURN_IF_ERROR(CheckName(flags.name, "name"));
  const std::string out =
      flags.out.empty() ? flags.subject + "/" + flags.name : flags.out;
  if (const absl::Status writable = CheckMayWriteMember(out); !writable.ok()) {
    return Annotate(
        writable, StrCat("no new member in ", out, " (`skep cert renew ", flags.subject,
                         " ", out, "` renews the one that is there)"));
  }
  Membership member;
  member.authority = authority.certificate();
  SKEP_ASSIGN_OR_RETURN(member.own.key, MakePrivateKey());
  SKEP_ASSIGN_OR_RETURN(const std::string request, MakeSigningRequest(member.own.key));
  SKEP_ASSIGN_OR_RETURN(member.own.certificate,
                        authority.Sign(request, flags.name, flags.hosts,
                                       Days(flags, kOneYear), absl::Now()));
  SKEP_ASSIGN_OR_RETURN(member.revoked, authority.RevokedPem());
  SKEP_RETURN_IF_ERROR(WriteMember(out, member));
  SKEP_ASSIGN_OR_RETURN(const CertificateInfo info,
                        DescribeCertificate(member.own.certificate));
  std::printf(
      "%s/ holds ca.pem, cert.pem and key.pem of %s, good until %s: use it with --tls "
      "%s\n",
      out.c_str(), info.identity.ToString().c_str(), TimeText(info.not_after).c_str(),
      out.c_str());
  return absl::OkStatus();
}

absl::Status Token(const CertFlags& flags) {
  SKEP_ASSIGN_OR_RETURN(const Authority authority, Authority::Open(flags.subject));
  const absl::Time now = absl::Now();
  std::printf("%s\n", authority.MakeToken(flags.valid_for, now).c_str());
  std::fprintf(stderr,
               "skep: good for any number of machines until %s; whoever has it can "
               "join\n",
               TimeText(now + flags.valid_for).c_str());
  return absl::OkStatus();
}

// On the command line everybody on this machine could read it.
absl::StatusOr<std::string> TokenText(const std::string& token) {
  if (token != "-") return token;
  char line[1024];
  if (std::fgets(line, sizeof line, stdin) == nullptr) {
    return InvalidArgument("--token - reads the token from standard input: none there");
  }
  std::string text = line;
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

std::string OwnName() {
  char name[64] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

absl::Status DoJoin(const CertFlags& flags) {
  if (flags.token.empty() || flags.out.empty()) {
    return InvalidArgument(
        "joining takes a token and a folder: skep cert join HOST:7701 --token TOKEN "
        "--out DIR");
  }
  SKEP_ASSIGN_OR_RETURN(const Address at, Address::Parse(flags.subject, kJoinPort));
  SKEP_ASSIGN_OR_RETURN(const std::string token, TokenText(flags.token));
  const std::string name = flags.name.empty() ? OwnName() : flags.name;
  // Before anybody is asked: a certificate that cannot be written would be lost.
  SKEP_RETURN_IF_ERROR(CheckMayWriteMember(flags.out));
  TcpTransport transport(1);
  const absl::StatusOr<Membership> answer =
      JoinFleet(transport, at, token, name, absl::Seconds(flags.timeout_seconds));
  if (!answer.ok()) return AsAnswer(answer.status());
  const Membership& joined = *answer;
  SKEP_RETURN_IF_ERROR(WriteMember(flags.out, joined));
  SKEP_ASSIGN_OR_RETURN(const CertificateInfo info,
                        DescribeCertificate(joined.own.certificate));
  std::printf("joined as %s until %s: use it with --tls %s\n",
              info.identity.ToString().c_str(), TimeText(info.not_after).c_str(),
              flags.out.c_str());
  return absl::OkStatus();
}

// What would be without effect on this action.
absl::Status CheckFlags(const CertFlags& flags) {
  struct Given {
    bool given;
    const char* flag;
    std::vector<std::string> of;
  };
  const CertFlags by_default;
  const Given all[] = {
      {!flags.fleet.empty(), "--fleet", {"init"}},
      {!flags.hosts.empty(), "--host", {"issue"}},
      {flags.days != by_default.days, "--days", {"init", "issue", "renew"}},
      {!flags.out.empty(), "--out", {"issue", "join"}},
      {flags.valid_for != by_default.valid_for, "--for", {"token"}},
      {!flags.token.empty(), "--token", {"join"}},
      {flags.timeout_seconds != by_default.timeout_seconds,
       "--timeout",
       {"join", "renew"}},
      {flags.only, "--only", {"revoke"}},
      {flags.json, "--json", {"list", "show"}}};
  for (const Given& flag : all) {
    if (!flag.given || std::count(flag.of.begin(), flag.of.end(), flags.action) > 0) {
      continue;
    }
    std::string actions;
    for (const std::string& action : flag.of) {
      StrAppend(&actions, actions.empty() ? "" : ", ", action);
    }
    return InvalidArgument(flag.flag, " has no effect on ", flags.action, ": it is of ",
                           actions);
  }
  return absl::OkStatus();
}

absl::Status Cert(const CertFlags& flags) {
  if (flags.action == "init") return Init(flags);
  if (flags.action == "issue") return Issue(flags);
  if (flags.action == "renew") return RenewCertificate(flags);
  if (flags.action == "revoke") return RevokeCertificates(flags);
  if (flags.action == "list") return ListCertificates(flags);
  if (flags.action == "show") return ShowCertificate(flags);
  if (flags.action == "token") return Token(flags);
  if (flags.action == "join") return DoJoin(flags);
  return InvalidArgument(
      "there is no `skep cert ", flags.action,
      "`: use init, issue, renew, revoke, list, show, token or join");
}

}  // namespace

int RunCert(const Args& args) {
  CertFlags flags;
  CommandLine line(
      "cert",
      "Makes the certificates of a fleet, for --tls: an authority (init), a member's "
      "folder (issue), a token by which other machines join, and joining by it at a "
      "master that was started with --join. Renews a member's certificate, which needs "
      "no restart, and calls back those that should not be believed any more (revoke). "
      "Shows what was made (list) and what a certificate says (show).");
  line.Example("skep cert init ca --fleet bees");
  line.Example("skep cert issue ca master --host master.example.org");
  line.Example(
      "skep master --tls ca/master --authority ca --join 0.0.0.0:7701 "
      "--listen 0.0.0.0:7700");
  line.Example("skep cert token ca --for 30m");
  line.Example("skep cert join master.example.org:7701 --token TOKEN --out tls");
  line.Example("skep cert renew ca ca/master");
  line.Example("skep cert renew master.example.org:7701 tls");
  line.Example("skep cert revoke ca worker-7");
  line.Positional(
      "ACTION", &flags.action, "init, issue, renew, revoke, list, show, token or join",
      true, {"init", "issue", "renew", "revoke", "list", "show", "token", "join"});
  line.Positional("WHERE", &flags.subject,
                  "The authority's folder; show: a file, or a member's folder; join, "
                  "renew: or HOST:PORT where machines join");
  line.Positional("NAME", &flags.name,
                  "issue: the member's name; join: the same, by default the machine's; "
                  "renew: the member's folder; revoke: a name, or a serial number, "
                  "which stands for the member that has it",
                  false);
  line.Flag("fleet", &flags.fleet, "init: the fleet's name", "NAME");
  line.Flag("host", &flags.hosts,
            "issue: a host name or IP address to put into the certificate, for clients "
            "of gRPC that are not skep's; repeat it",
            "HOST");
  line.Flag("days", &flags.days,
            "init, issue, renew: how long the certificate is valid; by default an "
            "authority's 3650, a member's 365, a renewed one's as long as before; a "
            "member's never longer than its authority's",
            "N", 1);
  line.Flag("out", &flags.out,
            "issue, join: the member's folder; by default issue takes WHERE/NAME",
            "DIR");
  line.ParsedFlag(
      "for", "token: how long it is good", "TIME", "1h",
      [&flags](const std::string& text) -> absl::Status {
        // It cannot be called back.
        if (absl::ParseDuration(text, &flags.valid_for) &&
            flags.valid_for >= kLeastTokenTime && flags.valid_for <= kMostTokenTime) {
          return absl::OkStatus();
        }
        return InvalidArgument(
            "'", text, "' is no time that a token may be good: say 30m or ",
            "24h, at least 1s and at most ", absl::FormatDuration(kMostTokenTime));
      });
  line.Flag("token", &flags.token,
            "join: the token; - reads it from standard input, where others on this "
            "machine cannot see it",
            "TOKEN");
  line.Flag("timeout", &flags.timeout_seconds,
            "join, renew: seconds before it gives up", "S", 1);
  line.Flag("only", &flags.only,
            "revoke: the certificate of this serial number, and not the others of the "
            "same member");
  line.Flag("json", &flags.json, "show: one JSON object; list: one a line");
  if (const auto code = line.Parse(args)) return *code;
  absl::Status status = CheckFlags(flags);
  if (status.ok()) status = Cert(flags);
  return status.ok() ? kOk : ReportError(status);
}

}  // namespace skep

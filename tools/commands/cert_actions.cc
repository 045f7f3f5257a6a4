#include "tools/commands/cert_actions.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>

#include "base/status.h"
#include "nlohmann/json.hpp"
#include "rpc/tcp_transport.h"
#include "rpc/tls/authority.h"
#include "rpc/tls/credentials.h"
#include "rpc/tls/join.h"
#include "tools/exit_code.h"

namespace skep {
namespace {

bool IsFolder(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// By the authority's own folder.
absl::StatusOr<Membership> RenewByFolder(const CertFlags& flags,
                                         const TlsCredentials& member) {
  SKEP_ASSIGN_OR_RETURN(const Authority authority, Authority::Open(flags.subject));
  Membership next;
  next.own.key = member.own().key;
  SKEP_ASSIGN_OR_RETURN(const std::string request, MakeSigningRequest(next.own.key));
  std::optional<absl::Duration> valid_for;  // as before
  if (flags.days > 0) valid_for = absl::Hours(24) * flags.days;
  absl::StatusOr<std::string> certificate =
      authority.Renew(request, member.own().certificate, valid_for, absl::Now());
  if (!certificate.ok()) return AsAnswer(certificate.status());
  next.own.certificate = *std::move(certificate);
  SKEP_ASSIGN_OR_RETURN(next.revoked, authority.RevokedPem());
  return next;
}

absl::StatusOr<Membership> RenewByAddress(
    const CertFlags& flags, std::shared_ptr<const TlsCredentials> member) {
  if (flags.days > 0) {
    return InvalidArgument(
        "--days is for renewing by the authority's folder: a master ",
        "that is asked decides itself");
  }
  SKEP_ASSIGN_OR_RETURN(const Address at, Address::Parse(flags.subject, kJoinPort));
  TcpTransport transport(1);
  absl::StatusOr<Membership> next = RenewMembership(
      transport, at, std::move(member), absl::Seconds(flags.timeout_seconds));
  if (!next.ok()) return AsAnswer(next.status());
  return next;
}

// Members' folders within the authority's, which `skep cert issue` makes there.
std::vector<std::string> MembersBelow(const std::string& directory) {
  std::vector<std::string> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(directory.c_str()),
                                                    &closedir);
  while (const dirent* const entry = entries ? readdir(entries.get()) : nullptr) {
    const std::string path = StrCat(directory, "/", entry->d_name);
    const bool hidden = entry->d_name[0] == '.';
    if (!hidden && access((path + "/cert.pem").c_str(), F_OK) == 0) {
      found.push_back(path);
    }
  }
  return found;
}

}  // namespace

std::string TimeText(absl::Time time) {
  return absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone());
}

absl::Status AsAnswer(const absl::Status& status) {
  if (absl::IsPermissionDenied(status)) {
    return EndsWith(kJobFailed, Annotate(status, "refused"));
  }
  return absl::IsResourceExhausted(status) ? EndsWith(kUnavailable, status) : status;
}

absl::Status RenewCertificate(const CertFlags& flags) {
  if (flags.name.empty()) {
    return InvalidArgument(
        "name the member's folder: skep cert renew AUTHORITY DIR, or skep cert renew ",
        "HOST:7701 DIR");
  }
  absl::StatusOr<std::shared_ptr<const TlsCredentials>> member =
      TlsCredentials::Load(flags.name);
  if (!member.ok()) {
    return absl::IsFailedPrecondition(member.status())
               ? Annotate(member.status(), "it cannot be renewed")
               : member.status();
  }
  SKEP_ASSIGN_OR_RETURN(const Membership next, IsFolder(flags.subject)
                                                   ? RenewByFolder(flags, **member)
                                                   : RenewByAddress(flags, *member));
  SKEP_RETURN_IF_ERROR(UpdateMember(flags.name, next));
  SKEP_ASSIGN_OR_RETURN(const CertificateInfo info,
                        DescribeCertificate(next.own.certificate));
  std::printf(
      "%s/cert.pem of %s is good until %s (before: %s): what uses --tls %s takes it "
      "up by itself\n",
      flags.name.c_str(), info.identity.ToString().c_str(),
      TimeText(info.not_after).c_str(), TimeText((*member)->expiry()).c_str(),
      flags.name.c_str());
  return absl::OkStatus();
}

absl::Status RevokeCertificates(const CertFlags& flags) {
  if (flags.name.empty()) {
    return InvalidArgument(
        "say whose: skep cert revoke DIR NAME, or its serial number");
  }
  SKEP_ASSIGN_OR_RETURN(const Authority authority, Authority::Open(flags.subject));
  SKEP_ASSIGN_OR_RETURN(const std::vector<IssuedCertificate> revoked,
                        authority.Revoke(flags.name, absl::Now(), flags.only));
  for (const IssuedCertificate& one : revoked) {
    std::printf("revoked %s %s\n", one.serial.c_str(), one.name.c_str());
  }
  if (revoked.empty()) std::printf("%s was revoked before\n", flags.name.c_str());
  const std::string list = StrCat(flags.subject, "/", kRevokedFile);
  SKEP_ASSIGN_OR_RETURN(const std::string pem, authority.RevokedPem());
  // One folder that cannot be written keeps the list from no other.
  absl::Status failed;
  for (const std::string& member : MembersBelow(flags.subject)) {
    const absl::Status updated = UpdateRevoked(member, pem);
    if (updated.ok()) {
      std::printf("%s/%s is up to date\n", member.c_str(), kRevokedFile);
    } else if (failed.ok()) {
      failed = Annotate(updated, StrCat("revoked, but ", member, " does not know it"));
    }
  }
  std::printf(
      "Copy %s into the --tls folders of other machines, or renew there: they "
      "take it up by themselves.\n",
      list.c_str());
  return failed;
}

absl::Status ListCertificates(const CertFlags& flags) {
  SKEP_ASSIGN_OR_RETURN(const Authority authority, Authority::Open(flags.subject));
  SKEP_ASSIGN_OR_RETURN(const std::vector<IssuedCertificate> issued,
                        authority.Issued());
  SKEP_ASSIGN_OR_RETURN(const RevocationList revoked, authority.Revoked());
  const absl::Time now = absl::Now();
  if (!flags.json) {
    std::printf("%-40s %-24s %-25s %s\n", "SERIAL", "NAME", "UNTIL", "STATE");
  }
  for (const IssuedCertificate& one : issued) {
    const char* const state = revoked.Contains(one.serial) ? "revoked"
                              : now > one.not_after        ? "expired"
                                                           : "valid";
    std::printf(flags.json ? "{\"serial\":\"%s\",\"name\":\"%s\",\"until\":\"%s\","
                             "\"state\":\"%s\"}\n"
                           : "%-40s %-24s %-25s %s\n",
                one.serial.c_str(), one.name.c_str(), TimeText(one.not_after).c_str(),
                state);
  }
  return absl::OkStatus();
}

namespace {

absl::StatusOr<std::string> TextOfFile(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in) return ErrnoToStatus(errno != 0 ? errno : EIO, "read " + path);
  return text.str();
}

// Whether the member's folder itself says so.
absl::StatusOr<bool> IsRevoked(const std::string& folder, const std::string& serial) {
  const std::string list = StrCat(folder, "/", kRevokedFile);
  if (access(list.c_str(), F_OK) != 0 && errno == ENOENT) return false;
  SKEP_ASSIGN_OR_RETURN(const std::string authority, TextOfFile(folder + "/ca.pem"));
  SKEP_ASSIGN_OR_RETURN(const std::string pem, TextOfFile(list));
  const auto revoked = RevocationList::Parse(pem, authority);
  if (!revoked.ok()) return EndsWith(kFiles, Annotate(revoked.status(), list));
  return revoked->Contains(serial);
}

}  // namespace

absl::Status ShowCertificate(const CertFlags& flags) {
  const std::string path =
      IsFolder(flags.subject) ? flags.subject + "/cert.pem" : flags.subject;
  SKEP_ASSIGN_OR_RETURN(const std::string text, TextOfFile(path));
  const absl::StatusOr<CertificateInfo> info = DescribeCertificate(text);
  if (!info.ok()) return EndsWith(kFiles, Annotate(info.status(), path));
  const absl::Time now = absl::Now();
  bool revoked = false;
  if (IsFolder(flags.subject)) {
    SKEP_ASSIGN_OR_RETURN(revoked, IsRevoked(flags.subject, info->serial));
  }
  const char* const state = revoked                  ? "revoked"
                            : now < info->not_before ? "not valid yet"
                            : now <= info->not_after ? "valid"
                                                     : "expired";
  const std::string from = TimeText(info->not_before);
  const std::string until = TimeText(info->not_after);
  const char* const kind = info->is_authority ? "authority" : "member";
  if (flags.json) {
    nlohmann::ordered_json json = {
        {"kind", kind},           {"name", info->identity.ToString()},
        {"state", state},         {"from", from},
        {"until", until},         {"hosts", info->hosts},
        {"serial", info->serial}, {"fingerprint", info->fingerprint}};
    // A certificate of another's making may name anything.
    std::puts(
        json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    return absl::OkStatus();
  }
  std::printf("%s %s\n%s, from %s until %s\n", kind, info->identity.ToString().c_str(),
              state, from.c_str(), until.c_str());
  for (const std::string& host : info->hosts) std::printf("host %s\n", host.c_str());
  std::printf("serial %s\nfingerprint %s\n", info->serial.c_str(),
              info->fingerprint.c_str());
  return absl::OkStatus();
}

}  // namespace skep

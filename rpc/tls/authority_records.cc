// What an authority remembers: the certificates that it made, and those it called back.

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>

#include "base/status.h"
#include "glog/logging.h"
#include "rpc/tls/authority.h"
#include "rpc/tls/credentials.h"
#include "rpc/tls/folder_lock.h"
#include "rpc/tls/pem_file.h"

namespace skep {
namespace {

constexpr size_t kLeastSerialDigits = 16;
constexpr char kLockFile[] = "lock";

bool LooksLikeASerial(std::string_view text) {
  return text.size() >= kLeastSerialDigits && text.size() % 2 == 0 &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// Whether the last line was cut off, by a full disk or a loss of power.
bool EndsInALine(int fd) {
  char last = '\n';
  const off_t size = lseek(fd, 0, SEEK_END);
  return size <= 0 || (pread(fd, &last, 1, size - 1) == 1 && last == '\n');
}

// One write, so that lines of two processes do not mix.
absl::Status AppendLine(const std::string& path, std::string line) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoToStatus(errno, "open " + path);
  // What was cut is not to be continued.
  if (!EndsInALine(fd)) line.insert(0, 1, '\n');
  int error = 0;
  const ssize_t written = write(fd, line.data(), line.size());
  if (written != static_cast<ssize_t>(line.size())) {
    error = written < 0 ? errno : ENOSPC;
  }
  if (error == 0 && fsync(fd) != 0) error = errno;
  close(fd);
  return error == 0 ? absl::OkStatus() : ErrnoToStatus(error, "write " + path);
}

}  // namespace

std::string Authority::PathOf(std::string_view file) const {
  return StrCat(directory_, "/", file);
}

absl::Status Authority::WriteDown(const std::string& certificate) const {
  SKEP_ASSIGN_OR_RETURN(const CertificateInfo info, DescribeCertificate(certificate));
  return AppendLine(PathOf(kIssuedFile),
                    StrCat(info.serial, " ", info.identity.name, " ",
                           absl::ToUnixSeconds(info.not_after), "\n"));
}

absl::StatusOr<std::vector<IssuedCertificate>> Authority::Issued() const {
  std::vector<IssuedCertificate> all;
  const std::string path = PathOf(kIssuedFile);
  if (access(path.c_str(), F_OK) != 0 && errno == ENOENT) return all;  // none yet
  SKEP_ASSIGN_OR_RETURN(
      const std::string text,
      ReadPublicFile(path, "it says what was issued; may you read it?"));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream in(line);
    IssuedCertificate one;
    int64_t until = 0;
    if (!(in >> one.serial >> one.name >> until)) {
      // A full disk cuts a line; the others are as good as before.
      LOG(WARNING) << path
                   << ": a line is not SERIAL NAME SECONDS: " << line.substr(0, 100);
      continue;
    }
    one.not_after = absl::FromUnixSeconds(until);
    all.push_back(std::move(one));
  }
  return all;
}

absl::StatusOr<std::string> Authority::RevokedPem() const {
  if (directory_.empty()) return "";
  return ReadIfThere(PathOf(kRevokedFile),
                     "it says whom not to believe; copy it from a member's folder");
}

absl::StatusOr<RevocationList> Authority::Revoked() const {
  SKEP_ASSIGN_OR_RETURN(const std::string pem, RevokedPem());
  if (pem.empty()) return RevocationList();
  absl::StatusOr<RevocationList> list = RevocationList::Parse(pem, own_.certificate);
  if (!list.ok()) return Annotate(list.status(), PathOf(kRevokedFile));
  return list;
}

absl::StatusOr<std::vector<IssuedCertificate>> Authority::Revoke(
    const std::string& which, absl::Time now, bool only) const {
  if (directory_.empty()) {
    return FailedPrecondition("an authority without a folder revokes nobody");
  }
  SKEP_ASSIGN_OR_RETURN(const FolderLock lock, FolderLock::Take(PathOf(kLockFile)));
  SKEP_ASSIGN_OR_RETURN(RevocationList list, Revoked());
  SKEP_ASSIGN_OR_RETURN(const std::vector<IssuedCertificate> issued, Issued());
  std::string name = which;
  bool is_serial = LooksLikeASerial(which);
  for (const IssuedCertificate& one : issued) {
    if (one.serial != which) continue;
    is_serial = true;
    if (!only) name = one.name;
  }
  if (only && !is_serial) {
    return InvalidArgument(which, " is no serial number, and of a member's ",
                           "certificates only one is to be revoked: `skep cert list` ",
                           "shows their serials");
  }
  std::vector<IssuedCertificate> found;
  for (const IssuedCertificate& one : issued) {
    const bool by_name = one.name == name && one.not_after > now;
    if (one.serial == which || by_name) found.push_back(one);
  }
  if (found.empty() && LooksLikeASerial(which)) {
    found.push_back({which, "?", absl::InfiniteFuture()});
  }
  if (found.empty()) {
    return NotFound("no valid certificate of ", which, " is in ", PathOf(kIssuedFile),
                    ": `skep cert list` shows what is; of others give the serial, ",
                    "which `skep cert show` prints");
  }
  std::erase_if(found, [&list](const IssuedCertificate& one) {
    return list.Contains(one.serial);
  });
  if (found.empty()) return found;
  for (const IssuedCertificate& one : found) list.Add(one.serial, now);
  SKEP_ASSIGN_OR_RETURN(const std::string pem, list.Sign(own_, now));
  SKEP_RETURN_IF_ERROR(WritePublicFile(PathOf(kRevokedFile), pem));
  return found;
}

absl::StatusOr<CertificateInfo> Authority::CheckRenewal(std::string_view request,
                                                        std::string_view certificate,
                                                        absl::Time now) const {
  const absl::StatusOr<CertificateInfo> info = DescribeCertificate(certificate);
  if (!info.ok() || !CheckSignedBy(certificate, own_.certificate).ok() ||
      info->identity.fleet != fleet_ || info->is_authority) {
    return PermissionDenied("the certificate is not one of this fleet's authority");
  }
  if (now < info->not_before || now > info->not_after) {
    return PermissionDenied("the certificate of ", info->identity,
                            " is not valid now: it needs a join token");
  }
  SKEP_ASSIGN_OR_RETURN(const RevocationList revoked, Revoked());
  if (revoked.Contains(info->serial)) {
    return PermissionDenied("the certificate of ", info->identity, " is revoked");
  }
  if (const absl::Status same = CheckRequestsFor(request, certificate); !same.ok()) {
    return PermissionDenied(Message(same));
  }
  return info;
}

absl::StatusOr<std::string> Authority::Renew(std::string_view request,
                                             std::string_view certificate,
                                             std::optional<absl::Duration> valid_for,
                                             absl::Time now) const {
  std::optional<FolderLock> lock;  // until it is signed and written down
  if (!directory_.empty()) {
    SKEP_ASSIGN_OR_RETURN(FolderLock taken, FolderLock::Take(PathOf(kLockFile)));
    lock.emplace(std::move(taken));
  }
  SKEP_ASSIGN_OR_RETURN(const CertificateInfo info,
                        CheckRenewal(request, certificate, now));
  std::vector<std::string> hosts = info.hosts;
  std::erase(hosts, FleetHost(fleet_));  // every certificate has it
  const absl::Duration before = info.not_after - info.not_before;
  // One that was not made here may lack the hour.
  const absl::Duration same =
      before > kCertificateSkew ? before - kCertificateSkew : before;
  return Sign(request, info.identity.name, hosts, valid_for.value_or(same), now);
}

}  // namespace skep

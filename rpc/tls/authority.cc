#include "rpc/tls/authority.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "base/status.h"
#include "glog/logging.h"
#include "rpc/tls/credentials.h"
#include "rpc/tls/pem_file.h"

namespace skep {
namespace {

constexpr char kTokenPrefix[] = "skep1";
// Tells this use of the authority's key from any other.
constexpr char kTokenKeyLabel[] = "skep join token 1\n";
constexpr char kMemberKeyFile[] = "key.pem";
constexpr size_t kNumberBytes = 8;
constexpr size_t kMacBytes = 16;

std::string Hex(std::string_view bytes) {
  return absl::BytesToHexString(ToAbsl(bytes));
}

std::string RandomBytes(size_t count) {
  std::string bytes(count, 0);
  CHECK_EQ(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()),
                      static_cast<int>(count)),
           1)
      << "no random bytes";
  return bytes;
}

std::string Sha256(std::string_view bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  return std::string(reinterpret_cast<const char*>(digest), sizeof digest);
}

// "a.b.c" -> "a", and text becomes "b.c".
std::string_view NextPart(std::string_view* text) {
  const size_t dot = std::min(text->find('.'), text->size());
  const std::string_view part = text->substr(0, dot);
  text->remove_prefix(std::min(dot + 1, text->size()));
  return part;
}

bool IsHex(std::string_view text, size_t digits) {
  return text.size() == digits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// Authorities and members each have a ca.pem: one would overwrite the other's.
absl::Status CheckIsNoFolderOf(std::string_view whose, const std::string& directory,
                               const std::string& key_file) {
  if (access((directory + "/" + key_file).c_str(), F_OK) != 0) return absl::OkStatus();
  return AlreadyExists(directory, " holds the key of ", whose, ", ", key_file,
                       ": take another folder");
}

}  // namespace

absl::StatusOr<JoinToken> JoinToken::Parse(std::string_view text) {
  const absl::Status bad = InvalidArgument(
      "that is no join token, or not the whole of one: `skep cert token` prints one, a "
      "line that begins ",
      kTokenPrefix, ".");
  JoinToken token;
  if (NextPart(&text) != kTokenPrefix) return bad;
  token.fingerprint = NextPart(&text);
  token.secret = text;
  int64_t expiry = 0;
  if (!IsHex(token.fingerprint, 2 * SHA256_DIGEST_LENGTH) ||
      !absl::SimpleAtoi(ToAbsl(NextPart(&text)), &expiry) ||
      !IsHex(NextPart(&text), 2 * kNumberBytes) || !IsHex(text, 2 * kMacBytes)) {
    return bad;
  }
  token.expiry = absl::FromUnixSeconds(expiry);
  return token;
}

absl::StatusOr<Authority> Authority::Create(const std::string& directory,
                                            std::string_view fleet,
                                            absl::Duration valid_for, absl::Time now) {
  SKEP_ASSIGN_OR_RETURN(CertifiedKey own,
                        MakeAuthority(fleet, now - kCertificateSkew, now + valid_for));
  SKEP_RETURN_IF_ERROR(MakePrivateFolder(directory));
  SKEP_RETURN_IF_ERROR(CheckIsNoFolderOf("a member", directory, kMemberKeyFile));
  SKEP_RETURN_IF_ERROR(WritePrivateFile(directory + "/" + kKeyFile, own.key));
  SKEP_RETURN_IF_ERROR(
      WritePublicFile(directory + "/" + kCertificateFile, own.certificate));
  return Open(directory);
}

absl::StatusOr<Authority> Authority::Open(const std::string& directory) {
  CertifiedKey own;
  constexpr char kHint[] = "`skep cert init` makes an authority's folder";
  SKEP_ASSIGN_OR_RETURN(own.key, ReadPrivateFile(directory + "/" + kKeyFile, kHint));
  SKEP_ASSIGN_OR_RETURN(own.certificate,
                        ReadPublicFile(directory + "/" + kCertificateFile, kHint));
  absl::StatusOr<Authority> made = FromPem(std::move(own));
  if (!made.ok()) return Annotate(made.status(), directory);
  made->directory_ = directory;
  return made;
}

absl::StatusOr<Authority> Authority::FromPem(CertifiedKey own) {
  SKEP_ASSIGN_OR_RETURN(const CertificateInfo info,
                        DescribeCertificate(own.certificate));
  if (!info.is_authority || info.identity.fleet.empty()) {
    return FailedPrecondition("the certificate is not that of a fleet's authority");
  }
  SKEP_RETURN_IF_ERROR(CheckKeyFits(own.certificate, own.key));
  Authority made;
  made.fleet_ = info.identity.fleet;
  made.fingerprint_ = info.fingerprint;
  made.not_after_ = info.not_after;
  made.token_key_ = Sha256(StrCat(kTokenKeyLabel, own.key));
  made.own_ = std::move(own);
  return made;
}

absl::StatusOr<std::string> Authority::Sign(std::string_view request,
                                            const std::string& name,
                                            const std::vector<std::string>& hosts,
                                            absl::Duration valid_for,
                                            absl::Time now) const {
  CertificateSpec spec;
  spec.identity = {fleet_, name};
  spec.hosts = hosts;
  spec.not_before = now - kCertificateSkew;
  if (now >= not_after_) {
    return FailedPrecondition(
        "the authority's own certificate was good until ",
        absl::FormatTime(absl::RFC3339_sec, not_after_, absl::UTCTimeZone()),
        ": make a new authority with `skep cert init`");
  }
  spec.not_after = std::min(now + valid_for, not_after_);
  SKEP_ASSIGN_OR_RETURN(std::string certificate, SignRequest(own_, request, spec));
  // Before anybody gets it: what is not written down cannot be revoked by name.
  if (!directory_.empty()) SKEP_RETURN_IF_ERROR(WriteDown(certificate));
  return certificate;
}

std::string Authority::MacOf(std::string_view text) const {
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  CHECK(HMAC(EVP_sha256(), token_key_.data(), static_cast<int>(token_key_.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac,
             &size) != nullptr);
  return Hex({reinterpret_cast<const char*>(mac), kMacBytes});
}

std::string Authority::MakeToken(absl::Duration valid_for, absl::Time now) const {
  const std::string claim =
      StrCat(absl::ToUnixSeconds(now + valid_for), ".", Hex(RandomBytes(kNumberBytes)));
  return StrCat(kTokenPrefix, ".", fingerprint_, ".", claim, ".", MacOf(claim));
}

absl::Status Authority::CheckSecret(std::string_view secret, absl::Time now) const {
  // The MAC first: until it is good, nothing else that is said there counts.
  const size_t dot = secret.rfind('.');
  if (dot == secret.npos) return PermissionDenied("that is no join token");
  const std::string_view claim = secret.substr(0, dot);
  const std::string_view mac = secret.substr(dot + 1);
  const std::string ours = MacOf(claim);
  if (mac.size() != ours.size() ||
      CRYPTO_memcmp(mac.data(), ours.data(), ours.size()) != 0) {
    return PermissionDenied("the join token is not one of this fleet's authority");
  }
  int64_t expiry = 0;
  if (!absl::SimpleAtoi(ToAbsl(claim.substr(0, claim.find('.'))), &expiry)) {
    return PermissionDenied("the join token says no expiry");
  }
  if (now >= absl::FromUnixSeconds(expiry)) {
    return PermissionDenied("the join token expired at ",
                            absl::FormatTime(absl::FromUnixSeconds(expiry)),
                            ": make a new one with `skep cert token`");
  }
  return absl::OkStatus();
}

absl::Status CheckMayWriteMember(const std::string& directory) {
  SKEP_RETURN_IF_ERROR(MakePrivateFolder(directory));
  SKEP_RETURN_IF_ERROR(
      CheckIsNoFolderOf("an authority", directory, Authority::kKeyFile));
  SKEP_RETURN_IF_ERROR(CheckIsNoFolderOf("a member", directory, kMemberKeyFile));
  if (access(directory.c_str(), W_OK | X_OK) == 0) return absl::OkStatus();
  return ErrnoToStatus(errno, "write to " + directory);
}

absl::Status WriteMember(const std::string& directory, const Membership& member) {
  SKEP_RETURN_IF_ERROR(CheckMayWriteMember(directory));
  SKEP_RETURN_IF_ERROR(
      WritePrivateFile(directory + "/" + kMemberKeyFile, member.own.key));
  SKEP_RETURN_IF_ERROR(WritePublicFile(directory + "/ca.pem", member.authority));
  return UpdateMember(directory, member);
}

absl::Status UpdateRevoked(const std::string& directory, const std::string& revoked) {
  if (revoked.empty()) return absl::OkStatus();
  const std::string path = StrCat(directory, "/", kRevokedFile);
  SKEP_ASSIGN_OR_RETURN(const std::string authorities,
                        ReadPublicFile(directory + "/ca.pem", "whose folder is it?"));
  const absl::StatusOr<std::string> before = ReadPublicFile(path, "");
  absl::StatusOr<std::string> newest =
      RevocationList::Newest(before.ok() ? *before : "", revoked, authorities);
  // What cannot be read there says nothing that could be kept.
  if (!newest.ok()) newest = RevocationList::Newest("", revoked, authorities);
  if (!newest.ok()) return Annotate(newest.status(), directory);
  return WritePublicFile(path, *newest);
}

absl::Status UpdateMember(const std::string& directory, const Membership& member) {
  SKEP_RETURN_IF_ERROR(UpdateRevoked(directory, member.revoked));
  return WritePublicFile(directory + "/cert.pem", member.own.certificate);
}

}  // namespace skep

// What `skep cert` does with certificates that are there: see cert.cc for the rest.

#ifndef SKEP_TOOLS_COMMANDS_CERT_ACTIONS_H_
#define SKEP_TOOLS_COMMANDS_CERT_ACTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace skep {

inline constexpr uint16_t kJoinPort = 7701;
inline constexpr int64_t kOneYear = 365;  // days

struct CertFlags {
  std::string action;
  std::string subject;  // DIR, FILE or the address to join at
  std::string name;     // of a member; renew: its folder; revoke: or a serial number
  std::string fleet;
  std::vector<std::string> hosts;
  int64_t days = 0;
  std::string out;
  std::string token;
  absl::Duration valid_for = absl::Hours(1);
  int64_t timeout_seconds = 10;
  bool only = false;  // revoke: this serial number, and no other of its member
  bool json = false;
};

// As people read it.
std::string TimeText(absl::Time time);

inline absl::Duration Days(const CertFlags& flags, int64_t by_default) {
  return absl::Hours(24) * (flags.days > 0 ? flags.days : by_default);
}

absl::Status RenewCertificate(const CertFlags& flags);
absl::Status RevokeCertificates(const CertFlags& flags);
absl::Status ListCertificates(const CertFlags& flags);
absl::Status ShowCertificate(const CertFlags& flags);

// An authority's refusal is an answer, "no", and not a file that cannot be read: the
// exit code is another (tools/README.md).
absl::Status AsAnswer(const absl::Status& status);

}  // namespace skep

#endif  // SKEP_TOOLS_COMMANDS_CERT_ACTIONS_H_

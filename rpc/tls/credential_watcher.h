// A member's folder that is read again when its files change, so that renewed
// certificates, new authorities and lists of revoked ones need no restart.

#ifndef SKEP_RPC_TLS_CREDENTIAL_WATCHER_H_
#define SKEP_RPC_TLS_CREDENTIAL_WATCHER_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "rpc/tls/credentials.h"
#include "rpc/tls/live_credentials.h"

namespace skep {

// How often the files are looked at: four stat calls.
inline constexpr absl::Duration kCredentialsCheckInterval = absl::Seconds(2);
// A certificate that ends within this time is warned of, once an hour.
inline constexpr absl::Duration kWarnBeforeExpiry = absl::Hours(24 * 7);

class CredentialWatcher {
 public:
  // The errors of TlsCredentials::Load.
  static absl::StatusOr<std::unique_ptr<CredentialWatcher>> Open(
      const std::string& directory, absl::Time now);
  ~CredentialWatcher();
  CredentialWatcher(const CredentialWatcher&) = delete;
  CredentialWatcher& operator=(const CredentialWatcher&) = delete;

  const std::shared_ptr<LiveCredentials>& credentials() const { return live_; }

  // Looks at the files once, and at the calendar. Files that changed are loaded; those
  // that are no good are a line in the log, and what held before holds on. Not
  // thread-safe, and not beside Start.
  void Check(absl::Time now);
  // Does so every `interval` on a thread of its own, from now until the end.
  void Start(absl::Duration interval = kCredentialsCheckInterval);

 private:
  // What tells one state of a file from another; all zero: not there.
  struct Stamp {
    int64_t inode = 0;
    int64_t size = 0;
    int64_t modified_nanos = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  using Stamps = std::array<Stamp, 4>;

  CredentialWatcher(std::string directory, Stamps read,
                    std::shared_ptr<const TlsCredentials> first);
  static Stamps Look(const std::string& directory);
  void WarnOfExpiry(absl::Time now);
  void Run(absl::Duration interval);

  const std::string directory_;
  const std::shared_ptr<LiveCredentials> live_;
  Stamps read_;  // of what was loaded last, or tried
  absl::Time next_warning_ = absl::InfinitePast();

  Mutex mutex_;
  CondVar stopped_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace skep

#endif  // SKEP_RPC_TLS_CREDENTIAL_WATCHER_H_

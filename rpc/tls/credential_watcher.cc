#include "rpc/tls/credential_watcher.h"

#include <sys/stat.h>

#include <utility>

#include "base/status.h"
#include "glog/logging.h"

namespace skep {
namespace {

constexpr absl::Duration kWarningInterval = absl::Hours(1);

}  // namespace

absl::StatusOr<std::unique_ptr<CredentialWatcher>> CredentialWatcher::Open(
    const std::string& directory, absl::Time now) {
  // Before they are read: what changes meanwhile is seen by the next look.
  const Stamps stamps = Look(directory);
  SKEP_ASSIGN_OR_RETURN(auto first, TlsCredentials::Load(directory, now));
  std::unique_ptr<CredentialWatcher> made(
      new CredentialWatcher(directory, stamps, std::move(first)));
  made->WarnOfExpiry(now);
  return made;
}

CredentialWatcher::CredentialWatcher(std::string directory, Stamps read,
                                     std::shared_ptr<const TlsCredentials> first)
    : directory_(std::move(directory)),
      live_(std::make_shared<LiveCredentials>(std::move(first))),
      read_(read) {}

CredentialWatcher::~CredentialWatcher() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
    stopped_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
}

CredentialWatcher::Stamps CredentialWatcher::Look(const std::string& directory) {
  Stamps stamps;
  size_t i = 0;
  for (const char* const name : kMemberFiles) {
    struct stat info;
    Stamp& stamp = stamps[i++];
    if (stat((directory + "/" + name).c_str(), &info) != 0) continue;
    stamp.inode = static_cast<int64_t>(info.st_ino);
    stamp.size = info.st_size;
    stamp.modified_nanos =
        int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
  }
  return stamps;
}

void CredentialWatcher::Check(absl::Time now) {
  const Stamps stamps = Look(directory_);
  if (stamps != read_) {
    read_ = stamps;
    const auto before = live_->Get();
    auto next = TlsCredentials::Load(directory_, now, before.get());
    if (next.ok()) {
      LOG(INFO) << "tls_reloaded folder=" << directory_
                << " name=" << (*next)->identity().ToString()
                << " until=" << absl::FormatTime((*next)->expiry())
                << " revoked=" << (*next)->revoked().size();
      live_->Replace(*std::move(next));
      next_warning_ = now;
    } else {
      LOG(ERROR) << "tls_not_reloaded folder=" << directory_ << " reason=\""
                 << Message(next.status()) << "\": what was read before holds on";
    }
  }
  WarnOfExpiry(now);
}

void CredentialWatcher::WarnOfExpiry(absl::Time now) {
  const absl::Time expiry = live_->Get()->expiry();
  if (now < next_warning_ || expiry - now > kWarnBeforeExpiry) return;
  next_warning_ = now + kWarningInterval;
  LOG(WARNING) << directory_ << "/cert.pem "
               << (now <= expiry ? "is good until " : "was good until ")
               << absl::FormatTime(absl::RFC3339_sec, expiry, absl::UTCTimeZone())
               << ": `skep cert renew` makes it last; no restart is needed";
}

void CredentialWatcher::Start(absl::Duration interval) {
  thread_ = std::thread([this, interval] { Run(interval); });
}

void CredentialWatcher::Run(absl::Duration interval) {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (!stop_) stopped_.WaitFor(mutex_, interval);
      if (stop_) return;
    }
    Check(absl::Now());
  }
}

}  // namespace skep

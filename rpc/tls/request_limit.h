// How often one may ask: a bucket of permits for each who asks (a source, a token, a
// member), so that whoever asks too much uses up what is his own and nobody else's.

#ifndef SKEP_RPC_TLS_REQUEST_LIMIT_H_
#define SKEP_RPC_TLS_REQUEST_LIMIT_H_

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "base/mutex.h"

namespace skep {

// So many at once, and so many a second after that.
struct RequestRate {
  double burst = 1;
  double per_second = 0;
};

// Thread-safe. It remembers at most `most` of those who asked of late; who has not for
// so long that his bucket is full again is forgotten. Newcomers beyond that share one
// bucket: those who are known keep theirs.
class RequestLimit {
 public:
  RequestLimit(RequestRate rate, size_t most) : rate_(rate), most_(most) {}

  // Takes a permit of `who`: zero. There is none: how long until there is.
  absl::Duration Take(std::string_view who, absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);
  size_t known() const ABSL_LOCKS_EXCLUDED(mutex_);
  const RequestRate& rate() const { return rate_; }

 private:
  struct Bucket {
    double left;
    absl::Time last;
  };
  void Refill(Bucket& bucket, absl::Time now) const;
  Bucket& BucketOf(std::string_view who, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const RequestRate rate_;
  const size_t most_;
  mutable Mutex mutex_;
  std::map<std::string, Bucket, std::less<>> buckets_ ABSL_GUARDED_BY(mutex_);
  Bucket others_ ABSL_GUARDED_BY(mutex_) = {rate_.burst, absl::UnixEpoch()};
};

}  // namespace skep

#endif  // SKEP_RPC_TLS_REQUEST_LIMIT_H_

// How many handshakes may go on at a time, in all and from one source: whoever can
// connect can begin one and say nothing.

#ifndef SKEP_RPC_TLS_HANDSHAKE_LIMIT_H_
#define SKEP_RPC_TLS_HANDSHAKE_LIMIT_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/mutex.h"

namespace skep {

// "192.0.2.7" of "192.0.2.7:4711"; of IPv6 the network of 64 bits, since who has one
// address there has them all; "unix" of every Unix socket.
std::string SourceOf(std::string_view peer);

// While less than half of the places are taken everybody gets one, so that a fleet that
// connects anew from one machine is not held up. Of the other half one source gets a
// share, so that it cannot shut out the others. Thread-safe.
class HandshakeLimit : public std::enable_shared_from_this<HandshakeLimit> {
 public:
  HandshakeLimit(int most, int share) : most_(most), share_(share) {}

  // A place, given back when it goes. It keeps the limit alive.
  class Place {
   public:
    Place(std::shared_ptr<HandshakeLimit> limit, std::string source)
        : limit_(std::move(limit)), source_(std::move(source)) {}
    Place(Place&&) = default;
    ~Place() {
      if (limit_ != nullptr) limit_->GiveBack(source_);
    }

   private:
    std::shared_ptr<HandshakeLimit> limit_;
    std::string source_;
  };
  // Nothing: there is none for `peer`.
  std::optional<Place> Take(std::string_view peer) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void GiveBack(const std::string& source) ABSL_LOCKS_EXCLUDED(mutex_);

  const int most_;
  const int share_;
  Mutex mutex_;
  int taken_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, int, std::less<>> by_source_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace skep

#endif  // SKEP_RPC_TLS_HANDSHAKE_LIMIT_H_

// When what was given to a connection has left: asked for slow calls only, so it looks
// now and then instead of counting what every write does.

#include <algorithm>
#include <utility>

#include "rpc/channel_core.h"

namespace skep {
namespace {

constexpr absl::Duration kShortestLook = absl::Milliseconds(1);
constexpr absl::Duration kLongest = absl::Seconds(10);

}  // namespace

void ChannelCore::WhenWritten(ServedCall call, std::function<void(absl::Time)> done) {
  // After this turn's end, when what is queued is offered to the kernel; twice, since a
  // call from another thread is written in the turn that this closure may share.
  executor_.Post([weak = weak_from_this(), call, done = std::move(done)]() mutable {
    const std::shared_ptr<ChannelCore> self = weak.lock();
    if (self == nullptr) return;
    self->TakeInbox();
    self->executor_.Post([weak, call, since = self->Now(), done = std::move(done)] {
      if (const auto self = weak.lock()) self->AwaitWritten(call, since, done);
    });
  });
}

void ChannelCore::AwaitWritten(ServedCall call, absl::Time since,
                               std::function<void(absl::Time)> done) {
  const absl::Time now = Now();
  const absl::Duration waited = now - since;
  if (stream_ == nullptr || call.connection != connection_ || stream_->unsent() == 0 ||
      waited >= kLongest) {
    return done(now);
  }
  executor_.PostAfter(std::max(kShortestLook, waited / 5),
                      [weak = weak_from_this(), call, since, done = std::move(done)] {
                        if (const auto self = weak.lock())
                          self->AwaitWritten(call, since, done);
                      });
}

}  // namespace skep

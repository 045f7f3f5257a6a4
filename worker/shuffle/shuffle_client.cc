#include "worker/shuffle/shuffle_client.h"

#include <memory>
#include <utility>

#include "base/status.h"
#include "jobs/api/fleet.pb.h"

namespace skep {
namespace {

// One piece is at most 1 MiB: even a machine that swaps sends that in this time. Two of
// them are FetchOptions::unreachable_after.
constexpr absl::Duration kFetchTimeout = absl::Seconds(4);

}  // namespace

void ShuffleClient::Fetch(const std::string& address, const FetchRequest& request,
                          Done done) {
  absl::StatusOr<std::shared_ptr<Channel>> channel = peers_.To(address);
  if (!channel.ok()) {
    // An address that cannot be parsed never answers: the output is gone.
    done(NotFound("map output at \"", address, "\": ", Message(channel.status())));
    return;
  }
  CallOptions options;
  options.timeout = kFetchTimeout;
  Call<FetchReply>(
      **channel, Method<ShuffleService>("Fetch"), request, std::move(options),
      [done = std::move(done)](absl::StatusOr<Reply<FetchReply>> reply) mutable {
        if (!reply.ok()) {
          done(reply.status());
          return;
        }
        done(Piece{reply->message.total_bytes(), std::move(reply->attachment)});
      });
}

}  // namespace skep

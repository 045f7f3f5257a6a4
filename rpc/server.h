// Serves google::protobuf::Services to every connection of a listening address.

#ifndef SKEP_RPC_SERVER_H_
#define SKEP_RPC_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/thread_pool.h"
#include "google/protobuf/service.h"
#include "rpc/address.h"
#include "rpc/channel.h"
#include "rpc/transport.h"

namespace skep {

class ServerMetrics;

// What a peer that has not said hello, and used none of skep's fields, gets for a call
// that fails. A release build of muduo's client takes an error reply for a success with
// an empty response.
enum class LegacyFailure {
  kError,  // the error reply
  kClose,  // the end of its connection, after the replies that came before
};

struct ServerOptions {
  // Connections over this are closed as they arrive.
  int max_connections = 10'000;
  // Unsent reply bytes a connection may hold before it is no longer read.
  size_t high_water_bytes = 4 << 20;
  // Requests a connection may have in progress before it is no longer read.
  int max_calls_per_connection = 10'000;
  // And bytes of their requests.
  size_t max_request_bytes_per_connection = 64 << 20;
  // Bytes over all connections, of requests in progress, replies that are not sent and
  // frames that have come in part. A call beyond them is answered with
  // ResourceExhausted, unless it is alone; connections that hold some of them are not
  // read while more than seven eighths are held: the last is for the others.
  size_t max_memory_bytes = 1 << 30;
  // How long a frame may take to arrive from its first byte on, beside a second for
  // each 64 KiB of it; then its connection is ended.
  absl::Duration frame_timeout = absl::Seconds(30);
  // A peer that has more than 16 KiB to take and takes none of it for so long is hung
  // up on.
  absl::Duration stall_timeout = absl::Seconds(30);
  // Idle connections are kept for ever by default.
  absl::Duration idle_timeout = absl::InfiniteDuration();
  // Where handlers run that were registered with Run::kPool. Borrowed; null: inline.
  ThreadPool* pool = nullptr;
  // Who this end is, said in hello. Peers that name another fleet are refused.
  std::string fleet;
  std::string job_table_digest;
  // Leave it at kError behind a balancer, whose connections many clients share.
  LegacyFailure legacy_failure = LegacyFailure::kError;
  // Makes the handler of a connection that speaks another protocol: one whose first
  // byte is over 0x04, which no frame's is. The stream, borrowed, has been started; the
  // handler gets all its events from the first byte on; at Shutdown OnPeerClosed comes
  // early, and again when the peer closes. Null: no other protocol.
  std::function<std::unique_ptr<StreamHandler>(Stream&)> other_protocol;
};

// The table of services that one end of a channel offers. Fill it before it is served;
// read-only from then on, so any number of connections share it.
class ServiceTable {
 public:
  // Where a service's handlers run: on the connection's loop, or on the pool.
  enum class Run { kInline, kPool };

  ServiceTable();
  ~ServiceTable();
  // Both borrowed. The service's full protobuf name must be new.
  void Add(google::protobuf::Service* service, Run run = Run::kInline);
  // For one method, otherwise than its service.
  void SetRun(const std::string& service, const std::string& method, Run run);
  // Offers muduo.net.RpcService (listRpc, getService) about this table.
  void AddReflection();
  // Counts the calls of what has been added so far: two looks at the clock and a few
  // atomic additions a call. Borrowed; outlives the table's servers and whatever a
  // handler still does when they are gone.
  void Measure(ServerMetrics* metrics);

  struct Entry;
  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

class Server {
 public:
  // All borrowed: `transport`, `services` and the pool outlive the server.
  static absl::StatusOr<std::unique_ptr<Server>> Listen(Transport& transport,
                                                        const Address& at,
                                                        const ServiceTable& services,
                                                        ServerOptions options = {});
  virtual ~Server() = default;

  // With the port really taken.
  virtual const Address& address() const = 0;
  // What counts towards max_memory_bytes.
  virtual size_t memory_bytes() const = 0;
  // Connections now open.
  virtual int connections() const = 0;
  // Stops listening, lets calls in progress finish for at most `grace`, closes. Blocks
  // unless called on a loop of the transport.
  virtual void Shutdown(absl::Duration grace) = 0;
};

struct ConnectOptions {
  // What this end serves to the peer over the same connection. Borrowed; may be null.
  const ServiceTable* services = nullptr;
  ThreadPool* pool = nullptr;
  absl::Duration connect_timeout = absl::Seconds(5);
  // Reconnects for ever with exponential backoff and jitter between these, from the
  // moment that a connection fails or ends. Calls made while there is no connection
  // wait for one until their deadline if wait_for_ready, else fail with Unavailable.
  bool reconnect = true;
  bool wait_for_ready = true;
  absl::Duration min_backoff = absl::Milliseconds(50);
  absl::Duration max_backoff = absl::Seconds(5);
  // Run on the channel's executor at every change. Calls that it makes when connected
  // are the first on the new connection, before those that waited for it.
  std::function<void(bool connected)> on_state;

  // Bytes of calls that wait for a connection or for the socket; a call beyond them
  // fails with ResourceExhausted.
  size_t max_unsent_bytes = 256 << 20;
  // A peer of our make that has said nothing for so long while calls are outstanding is
  // asked whether it is there, and taken for dead when it is silent for as long again:
  // its calls fail with Unavailable. Infinite: a frozen peer holds calls until their
  // deadlines. The accepting ends use the default.
  absl::Duration keepalive = absl::Seconds(30);
  // Whether to say hello. Peers of other makes answer it with an error or not at all,
  // which costs nothing; without it, cancel and go-away stay within this process.
  bool hello = true;
  std::string fleet;
  std::string job_table_digest;
  // Of the jitter between attempts to connect; 0: from the operating system.
  uint64_t seed = 0;
};

// A channel to `to`, connecting in the background. It completes calls on one executor
// of the transport's. Dropping it closes it: outstanding calls complete with Cancelled.
// It, its services and its pool go before the transport.
std::shared_ptr<Channel> Connect(Transport& transport, const Address& to,
                                 ConnectOptions options = {});

// A channel over a stream that exists already (a socket pair, an accepted connection).
// It ends with the stream. Of the options, those about reconnecting are not looked at.
std::shared_ptr<Channel> ChannelOver(std::unique_ptr<Stream> stream,
                                     ConnectOptions options = {});

}  // namespace skep

#endif  // SKEP_RPC_SERVER_H_

// One shard's connection to one backend, and the calls outstanding on it. Internal;
// runs on its shard's executor.

#ifndef SKEP_RPC_BALANCE_BACKEND_LINK_H_
#define SKEP_RPC_BALANCE_BACKEND_LINK_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/balance/balancer_client.h"
#include "rpc/balance/balancer_shard.h"
#include "rpc/balance/phantom_pending.h"
#include "rpc/transport.h"

namespace skep {

class BackendLink final : public StreamHandler,
                          public std::enable_shared_from_this<BackendLink> {
 public:
  BackendLink(BalancerShard& shard, SharedBackend& backend)
      : shard_(shard), backend_(backend), phantoms_(shard.options().error_hold) {}

  void Connect();
  // Closes for good; the calls in flight are answered.
  void Stop();

  bool connected() const { return stream_ != nullptr && !closed_; }
  // Whether the first attempt to connect has not ended yet.
  bool starting() const { return starting_; }
  bool Usable() const;
  // What the policy compares: calls of all shards, and this shard's held errors.
  int64_t Load();
  const SharedBackend& backend() const { return backend_; }

  // Sends a request of `client` under an id of its own; requires Usable(). If it wants
  // no reply, nothing of it stays here. InvalidArgument: it does not fit into a frame
  // in our order of fields.
  absl::Status Send(const std::shared_ptr<BalancerClient>& client,
                    std::string_view frame, const Envelope& envelope);

  // --- StreamHandler ------------------------------------------------------------
  size_t OnData(std::string_view bytes) override;
  void OnPeerClosed() override;
  void OnClosed(const absl::Status& reason) override;

 private:
  // One place of the table of outstanding calls; its id is generation << 32 | place.
  struct Slot {
    uint32_t generation = 0;
    uint64_t client_id = 0;
    absl::Time sent;
    // Null when free. shared: the client may be gone before its reply comes.
    std::shared_ptr<BalancerClient> client;
  };

  void OnConnected(absl::StatusOr<std::unique_ptr<Stream>> stream);
  void ReconnectLater();
  // Puts `id` into a copy of the frame, in place where its layout is the usual one. The
  // view holds until the next call.
  absl::StatusOr<std::string_view> WithId(std::string_view frame,
                                          const Envelope& envelope, uint64_t id);
  bool HandleReply(std::string_view frame, std::string_view body);
  void FailAll(const absl::Status& reason);
  void Ended(const Slot& slot, absl::StatusCode code);

  BalancerShard& shard_;  // outlives its links' connections: see Stop
  SharedBackend& backend_;
  PhantomPending phantoms_;
  std::unique_ptr<Stream> stream_;
  bool starting_ = true;
  bool closed_ = false;
  bool stopped_ = false;
  TimerId retry_timer_;
  absl::Duration backoff_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  std::string scratch_;
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_BACKEND_LINK_H_

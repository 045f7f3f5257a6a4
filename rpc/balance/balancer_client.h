// One client's connection to the balancer. Internal; runs on its shard's executor.

#ifndef SKEP_RPC_BALANCE_BALANCER_CLIENT_H_
#define SKEP_RPC_BALANCE_BALANCER_CLIENT_H_

#include <memory>
#include <string_view>

#include "rpc/balance/balancer_shard.h"
#include "rpc/transport.h"

namespace skep {

class BalancerClient final : public StreamHandler,
                             public std::enable_shared_from_this<BalancerClient> {
 public:
  // `number`: by which the shard knows it.
  BalancerClient(std::unique_ptr<Stream> stream, BalancerShard& shard, uint64_t number)
      : stream_(std::move(stream)), shard_(shard), number_(number) {}

  void Start() { stream_->Start(this); }

  // The reply to a forwarded call: a whole frame with the client's own id.
  void Reply(std::string_view frame);
  // An error as the reply to a forwarded call.
  void ReplyFailed(uint64_t id, const absl::Status& status);
  // Answers a request that was not forwarded.
  void ReplyError(uint64_t id, const absl::Status& status);
  // Looks again at what could not be forwarded before.
  void Resume();

  // --- StreamHandler ------------------------------------------------------------
  size_t OnData(std::string_view bytes) override;
  void OnPeerClosed() override;
  void OnDrained() override { UpdateReading(); }
  void OnClosed(const absl::Status& reason) override;

 private:
  // False: the connection is being closed because of what was sent.
  bool Handle(std::string_view frame, std::string_view body, bool* wait);
  bool MayRead() const;
  void UpdateReading();
  void FinishOne();
  void CloseIfFinished();

  const std::unique_ptr<Stream> stream_;
  BalancerShard& shard_;  // outlives its clients
  const uint64_t number_;
  int in_progress_ = 0;   // calls forwarded and not answered
  bool waiting_ = false;  // for a first backend
  bool peer_closed_ = false;
  bool closing_ = false;
  bool closed_ = false;
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_BALANCER_CLIENT_H_

// The simulated network's insides: the world, its pipes and the streams at their ends.

#ifndef SKEP_RPC_SIM_STREAM_H_
#define SKEP_RPC_SIM_STREAM_H_

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "base/random.h"
#include "rpc/buffer.h"
#include "rpc/sim_transport.h"
#include "rpc/transport.h"

namespace skep {

class SimPipe;
class SimStream;

// A listening address. Shared: `accept` may destroy its own listener.
struct SimListening {
  Transport::Accept accept;
};

// What all hosts have in common.
class SimWorld {
 public:
  SimWorld(Executor& executor, uint64_t seed, const SimNetworkOptions& options)
      : executor(executor), random(seed), options(options) {}

  absl::Duration RandomLatency();
  bool IsCut(const std::string& a, const std::string& b) const;
  void AddCut(const std::string& a, const std::string& b, int count);

  void AddPipe(const std::shared_ptr<SimPipe>& pipe);
  // Those in use, in the order of their making; of the second kind, in either
  // direction.
  std::vector<std::shared_ptr<SimPipe>> Pipes() const;
  std::vector<std::shared_ptr<SimPipe>> PipesBetween(const std::string& a,
                                                     const std::string& b) const;

  Executor& executor;
  Random random;
  const SimNetworkOptions options;
  // By host, then by port or Unix path. A host is known once it is in here.
  std::map<std::string, std::map<std::string, std::shared_ptr<SimListening>>> listening;
  // What waits for a partition to heal: attempts to connect.
  std::vector<Closure> held;
  int next_port = 49152;
  bool gone = false;

 private:
  static std::pair<std::string, std::string> Unordered(const std::string& a,
                                                       const std::string& b);
  std::map<std::pair<std::string, std::string>, int> cuts_;
  // Streams own them. Swept of the dead each time that it has doubled.
  std::vector<std::weak_ptr<SimPipe>> pipes_;
  size_t sweep_at_ = 1024;
};

// One direction of a connection: segments on their way, in order.
class SimPipe : public std::enable_shared_from_this<SimPipe> {
 public:
  SimPipe(std::shared_ptr<SimWorld> world, std::string from, std::string to)
      : world_(std::move(world)), from_(std::move(from)), to_(std::move(to)) {}

  // How many of `wanted` bytes the pipe takes now. None, until it can take many: little
  // by little would mean segments that get smaller and smaller (Clark, RFC 813).
  size_t Room(size_t wanted) const;
  void Send(std::string_view bytes);
  void SendEnd() { Push({.kind = Segment::kEnd}); }
  void SendReset() { Push({.kind = Segment::kReset}); }
  // The reader took so many bytes.
  void Taken(size_t bytes);
  // The partition is over.
  void Release();
  // Whether it leads from one of the two to the other.
  bool Between(const std::string& a, const std::string& b) const;

  // Null once that end is closed or destroyed.
  SimStream* sender = nullptr;
  SimStream* receiver = nullptr;

 private:
  struct Segment {
    enum Kind { kBytes, kEnd, kReset } kind = kBytes;
    std::string bytes = {};
  };
  void Push(Segment segment);
  void ArriveAfter(absl::Duration delay, absl::Duration transfer);
  void Arrive();

  const std::shared_ptr<SimWorld> world_;
  const std::string from_;
  const std::string to_;
  std::deque<Segment> segments_;
  absl::Time last_arrival_ = absl::InfinitePast();
  size_t unread_ = 0;  // Sent and not yet taken by the reader.
  int held_ = 0;       // Arrivals that a partition held up.
};

class SimStream final : public Stream {
 public:
  SimStream(std::shared_ptr<SimWorld> world, std::shared_ptr<SimPipe> out,
            std::shared_ptr<SimPipe> in, std::string local, std::string peer);
  ~SimStream() override;

  void Start(StreamHandler* handler) override;
  void Write(std::string_view bytes) override;
  char* BeginWrite(size_t most) override;
  void EndWrite(size_t count) override;
  size_t unsent() const override { return output_.size(); }
  size_t lost() const override { return lost_; }
  void SetReading(bool on) override;
  void CloseWhenDrained(absl::Duration linger) override;
  void Abort(absl::Status reason) override;
  Executor& executor() override { return world_->executor; }
  const std::string& peer() const override { return peer_; }
  const std::string& local() const override { return local_; }

  // From the pipes.
  void OnBytes(std::string_view bytes);
  void OnEnd();
  void OnReset();
  void OnRoom() { Schedule(); }
  void OnNetworkGone();

 private:
  void Schedule();
  // Does what there is to do: once for all that came together.
  void Turn();
  // As in TcpStream: false if the stream is closed or destroyed.
  bool Deliver();
  bool Flush();
  template <typename Event>
  bool Tell(Event event);
  void Finish(const absl::Status& reason);
  void Disconnect();

  const std::shared_ptr<SimWorld> world_;
  const std::shared_ptr<SimPipe> out_;
  const std::shared_ptr<SimPipe> in_;
  const std::string local_;
  const std::string peer_;
  // What posted closures hold: null once the stream is destroyed.
  const std::shared_ptr<SimStream*> self_;

  StreamHandler* handler_ = nullptr;
  std::string arrived_;  // Not read yet: what a kernel would hold.
  Buffer input_;         // Read and not consumed.
  Buffer output_;        // Written and not taken by the pipe.
  bool connected_ = true;
  bool scheduled_ = false;
  bool reading_ = true;
  bool offer_again_ = false;
  bool above_mark_ = false;
  bool end_arrived_ = false;
  bool peer_closed_ = false;
  bool closing_ = false;
  bool shut_ = false;
  // Why the stream ends, if not in order: its own Abort or the peer's.
  absl::Status broken_;
  bool aborted_ = false;
  TimerId linger_timer_;
  size_t lost_ = 0;
};

}  // namespace skep

#endif  // SKEP_RPC_SIM_STREAM_H_

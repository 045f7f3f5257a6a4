#include "rpc/sim_transport.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/status.h"
#include "rpc/sim_stream.h"

namespace skep {
namespace {

// Where on its host an address is.
std::string Door(const Address& address) {
  return address.is_unix() ? address.ToString() : StrCat(address.port());
}

class SimListener final : public Listener {
 public:
  SimListener(std::shared_ptr<SimWorld> world, std::string host, Address address)
      : world_(std::move(world)),
        host_(std::move(host)),
        address_(std::move(address)) {}
  ~SimListener() override { world_->listening[host_].erase(Door(address_)); }
  const Address& address() const override { return address_; }

 private:
  const std::shared_ptr<SimWorld> world_;
  const std::string host_;
  const Address address_;
};

// One attempt to connect. Shared by what is posted for it: the timeout, the request on
// its way and the answer.
class SimConnect : public std::enable_shared_from_this<SimConnect> {
 public:
  SimConnect(std::shared_ptr<SimWorld> world, std::string from, const Address& to,
             Transport::Connected done)
      : world_(std::move(world)),
        from_(std::move(from)),
        host_(to.is_unix() || to.IsLoopback() ? from_ : to.host()),
        to_(to),
        done_(std::move(done)) {}

  void Begin(absl::Duration timeout) {
    timer_ = world_->executor.PostAfter(timeout, [self = shared_from_this(), timeout] {
      self->Finish(DeadlineExceeded("connect to ", self->to_, ": no answer within ",
                                    absl::FormatDuration(timeout)));
    });
    After([](SimConnect& self) { self.Arrive(); });
  }

 private:
  // Posts `step` for one latency from now.
  void After(absl::AnyInvocable<void(SimConnect&)> step) {
    world_->executor.PostAfter(
        world_->RandomLatency(),
        [self = shared_from_this(), step = std::move(step)]() mutable {
          if (self->done_ && !self->world_->gone) step(*self);
        });
  }

  // At the other host.
  void Arrive() {
    if (world_->IsCut(from_, host_)) {
      world_->held.push_back([self = shared_from_this()] {
        self->After([](SimConnect& connect) { connect.Arrive(); });
      });
      return;
    }
    const auto host = world_->listening.find(host_);
    if (host == world_->listening.end()) {
      After([](SimConnect& self) {
        self.Finish(NotFound("connect to ", self.to_, ": no host has this name"));
      });
      return;
    }
    const auto door = host->second.find(Door(to_));
    if (door == host->second.end()) {
      After([](SimConnect& self) {
        self.Finish(Unavailable("connect to ", self.to_, ": Connection refused"));
      });
      return;
    }
    // A copy: accept may destroy its listener.
    const std::shared_ptr<SimListening> listening = door->second;
    auto out = std::make_shared<SimPipe>(world_, from_, host_);
    auto in = std::make_shared<SimPipe>(world_, host_, from_);
    world_->AddPipe(out);
    world_->AddPipe(in);
    const std::string client = StrCat(from_, ":", world_->next_port++);
    auto stream = std::make_unique<SimStream>(world_, out, in, client, to_.ToString());
    auto accepted =
        std::make_unique<SimStream>(world_, in, out, to_.ToString(), client);
    After([stream = std::move(stream)](SimConnect& self) mutable {
      self.Finish(std::move(stream));
    });
    listening->accept(std::move(accepted));
  }

  void Finish(absl::StatusOr<std::unique_ptr<Stream>> result) {
    world_->executor.Cancel(std::exchange(timer_, TimerId()));
    if (done_) std::exchange(done_, nullptr)(std::move(result));
  }

  const std::shared_ptr<SimWorld> world_;
  const std::string from_;
  const std::string host_;
  const Address to_;
  Transport::Connected done_;
  TimerId timer_;
};

}  // namespace

class SimNetwork::Host final : public Transport {
 public:
  Host(std::shared_ptr<SimWorld> world, std::string name)
      : world_(std::move(world)), name_(std::move(name)) {
    world_->listening[name_];
  }

  void Connect(const Address& to, absl::Duration timeout, Connected done) override {
    std::make_shared<SimConnect>(world_, name_, to, std::move(done))->Begin(timeout);
  }

  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& at,
                                                   Accept accept) override {
    if (!at.IsLoopback() && at.host() != name_ && at.host() != "0.0.0.0") {
      return FailedPrecondition("listen at ", at, ": this host is ", name_);
    }
    Address real = at;
    if (!at.is_unix() && at.port() == 0) {
      real = Address::Tcp(at.host(), static_cast<uint16_t>(world_->next_port++));
    }
    auto& doors = world_->listening[name_];
    auto listening = std::make_shared<SimListening>(SimListening{std::move(accept)});
    if (!doors.emplace(Door(real), std::move(listening)).second) {
      return FailedPrecondition("listen at ", at, ": Address already in use");
    }
    return std::make_unique<SimListener>(world_, name_, real);
  }

  Executor& executor() override { return world_->executor; }

 private:
  const std::shared_ptr<SimWorld> world_;
  const std::string name_;
};

SimNetwork::SimNetwork(Executor& executor, uint64_t seed, SimNetworkOptions options)
    : world_(std::make_shared<SimWorld>(executor, seed, options)) {}

SimNetwork::~SimNetwork() {
  world_->gone = true;
  world_->held.clear();
  // Each open stream is the sender of one pipe.
  for (const auto& pipe : world_->Pipes()) {
    if (pipe->sender != nullptr) pipe->sender->OnNetworkGone();
  }
}

Transport& SimNetwork::host(const std::string& name) {
  std::unique_ptr<Host>& host = hosts_[name];
  if (host == nullptr) host = std::make_unique<Host>(world_, name);
  return *host;
}

void SimNetwork::Partition(const std::string& a, const std::string& b) {
  world_->AddCut(a, b, 1);
}

void SimNetwork::Heal(const std::string& a, const std::string& b) {
  world_->AddCut(a, b, -1);
  if (world_->IsCut(a, b)) return;
  for (const auto& pipe : world_->PipesBetween(a, b)) pipe->Release();
  // Those between other hosts find that out and wait again.
  for (Closure& attempt : std::exchange(world_->held, {})) attempt();
}

void SimNetwork::Stall(const std::string& a, const std::string& b,
                       absl::Duration duration) {
  Partition(a, b);
  // The network may be gone by then; its world is not.
  world_->executor.PostAfter(duration, [this, a, b, world = world_] {
    if (!world->gone) Heal(a, b);
  });
}

void SimNetwork::Reset(const std::string& a, const std::string& b) {
  for (const auto& pipe : world_->PipesBetween(a, b)) {
    if (pipe->sender != nullptr) pipe->sender->OnReset();
  }
}

}  // namespace skep

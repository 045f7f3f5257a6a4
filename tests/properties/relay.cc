#include "tests/properties/relay.h"

#include <string>
#include <utility>

#include "base/status.h"
#include "glog/logging.h"

namespace skep {

// One connection: from its client, and on to where it leads.
class Relay::Pair final : public std::enable_shared_from_this<Pair> {
 public:
  explicit Pair(Relay& relay) : relay_(&relay) {}

  void Begin(std::unique_ptr<Stream> client) {
    legs_[kUp].Start(*this, kUp, std::move(client));
    relay_->transport_.Connect(
        relay_->to_, absl::Seconds(5),
        [self = shared_from_this()](absl::StatusOr<std::unique_ptr<Stream>> stream) {
          if (self->relay_ == nullptr || self->ended_) return;  // closes it
          if (!stream.ok()) return self->EndBoth(End::kReset);
          self->legs_[kDown].Start(*self, kDown, *std::move(stream));
          // What came meanwhile is offered again.
          if (Stream* client = self->legs_[kUp].stream.get()) {
            client->SetReading(false);
            client->SetReading(true);
          }
        });
  }
  // No event follows.
  void Drop() {
    relay_ = nullptr;
    for (Leg& leg : legs_) leg.stream = nullptr;
  }

 private:
  // The connection from the side whose bytes go in that direction.
  struct Leg final : StreamHandler {
    void Start(Pair& pair, Direction direction, std::unique_ptr<Stream> its) {
      owner = &pair;
      from = direction;
      stream = std::move(its);
      stream->Start(this);
    }
    size_t OnData(std::string_view bytes) override { return owner->Pass(from, bytes); }
    void OnPeerClosed() override {
      Leg& other = owner->legs_[1 - from];
      if (other.stream != nullptr) other.stream->CloseWhenDrained();
    }
    void OnClosed(const absl::Status& reason) override {
      owner->LegClosed(from, reason);
    }

    Pair* owner = nullptr;
    Direction from = kUp;
    std::unique_ptr<Stream> stream;
  };

  size_t Pass(Direction direction, std::string_view bytes) {
    Stream* const out = legs_[1 - direction].stream.get();
    if (out == nullptr) return ended_ ? bytes.size() : 0;
    if (ended_) return bytes.size();
    std::string copy(bytes);
    uint64_t& passed = relay_->passed_[direction];
    std::optional<Damage>& damage = relay_->damage_;
    if (damage && damage->direction == direction && damage->at < passed + copy.size()) {
      copy[damage->at - passed] =
          static_cast<char>(copy[damage->at - passed] ^ damage->mask);
      damage = std::nullopt;
    }
    std::optional<Cut>& cut = relay_->cut_;
    if (cut && cut->direction == direction && cut->at <= passed + copy.size()) {
      copy.resize(cut->at - passed);
      passed += copy.size();
      out->Write(copy);
      EndBoth(std::exchange(cut, std::nullopt)->end);
      return bytes.size();
    }
    passed += copy.size();
    out->Write(copy);
    return bytes.size();
  }

  void EndBoth(End end) {
    ended_ = true;
    for (Leg& leg : legs_) {
      if (leg.stream == nullptr) continue;
      if (end == End::kClose) {
        leg.stream->CloseWhenDrained();
      } else {
        leg.stream->Abort(Unavailable("cut by the relay"));
      }
    }
  }

  void LegClosed(Direction direction, const absl::Status& reason) {
    const std::shared_ptr<Pair> self = shared_from_this();
    Leg& other = legs_[1 - direction];
    ended_ = true;
    // Until the end of this: `reason` may be its own.
    const std::unique_ptr<Stream> closed = std::move(legs_[direction].stream);
    if (other.stream == nullptr) {
      relay_->Remove(this);
    } else if (!reason.ok()) {
      other.stream->Abort(reason);
    } else {
      other.stream->CloseWhenDrained();
    }
  }

  Relay* relay_;  // null once it is gone
  bool ended_ = false;
  Leg legs_[2];
};

Relay::Relay(Transport& transport, const Address& at, const Address& to)
    : transport_(transport), to_(to) {
  auto listener = transport.Listen(at, [this](std::unique_ptr<Stream> stream) {
    (*pairs_.insert(std::make_shared<Pair>(*this)).first)->Begin(std::move(stream));
  });
  CHECK(listener.ok()) << listener.status();
  listener_ = *std::move(listener);
}

Relay::~Relay() {
  for (const std::shared_ptr<Pair>& pair : pairs_) pair->Drop();
}

void Relay::Remove(Pair* pair) {
  std::erase_if(pairs_, [pair](const auto& known) { return known.get() == pair; });
}

void Relay::CutAfter(Direction direction, uint64_t bytes, End end) {
  cut_ = Cut{direction, passed_[direction] + bytes, end};
}

void Relay::DamageAfter(Direction direction, uint64_t bytes, char mask) {
  damage_ = Damage{direction, passed_[direction] + bytes, mask};
}

}  // namespace skep

// Stands in the middle of connections, over the Transport door: passes bytes on, and
// breaks a connection after a byte, or changes one, when told to.

#ifndef SKEP_TESTS_PROPERTIES_RELAY_H_
#define SKEP_TESTS_PROPERTIES_RELAY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <set>

#include "rpc/transport.h"

namespace skep {

// On the transport's executor only.
class Relay {
 public:
  // Up: from who connects to who listens.
  enum Direction { kUp = 0, kDown = 1 };
  enum class End {
    kReset,  // at both ends
    kClose,  // in order, at both ends
  };

  // Listens at `at` and passes on to `to`. All borrowed.
  Relay(Transport& transport, const Address& at, const Address& to);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // With the port really taken. On any thread.
  const Address& address() const { return listener_->address(); }

  // Once so many more bytes have gone in that direction, the connection that carried
  // the last of them ends so. Once.
  void CutAfter(Direction direction, uint64_t bytes, End end);
  // Changes the byte that comes after so many in that direction. Once.
  void DamageAfter(Direction direction, uint64_t bytes, char mask);

  // Bytes passed on.
  uint64_t passed(Direction direction) const { return passed_[direction]; }
  // Whether the damage that was asked for last has been done.
  bool damaged() const { return !damage_.has_value(); }

 private:
  class Pair;
  struct Cut {
    Direction direction;
    uint64_t at;
    End end;
  };
  struct Damage {
    Direction direction;
    uint64_t at;
    char mask;
  };
  void Remove(Pair* pair);

  Transport& transport_;
  const Address to_;
  uint64_t passed_[2] = {0, 0};
  std::optional<Cut> cut_;
  std::optional<Damage> damage_;
  std::set<std::shared_ptr<Pair>> pairs_;
  std::unique_ptr<Listener> listener_;
};

}  // namespace skep

#endif  // SKEP_TESTS_PROPERTIES_RELAY_H_

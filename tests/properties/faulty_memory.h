// A Transport whose owner has faulty memory: while bytes that arrived are being
// handled, one of them changes, some steps of the handler later.
//
// The steps are what the handler asks of the doors in the meantime: the time, how much
// a stream has unsent, writes. So damage is done in between the handler's checking of a
// frame, its reading and its passing on, without a hook in the handler.

#ifndef SKEP_TESTS_PROPERTIES_FAULTY_MEMORY_H_
#define SKEP_TESTS_PROPERTIES_FAULTY_MEMORY_H_

#include <cstddef>
#include <memory>
#include <string>

#include "rpc/transport.h"

namespace skep {

class FaultyMemory {
 public:
  // Over `transport`, which is borrowed.
  explicit FaultyMemory(Transport& transport);
  ~FaultyMemory();
  FaultyMemory(const FaultyMemory&) = delete;
  FaultyMemory& operator=(const FaultyMemory&) = delete;

  Transport& transport();

  // Of the next `bytes` or more that are handled together, changes the one at `offset`
  // after so many steps. Once. If the handler takes fewer steps, nothing is changed.
  void Arm(size_t bytes, size_t offset, char mask, int steps);
  void Disarm();
  // Whether the damage was done since it was armed.
  bool done() const;

  struct State;

 private:
  const std::unique_ptr<State> state_;
};

}  // namespace skep

#endif  // SKEP_TESTS_PROPERTIES_FAULTY_MEMORY_H_

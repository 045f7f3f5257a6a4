// A guess at how many calls are in flight on a connection.

#ifndef SKEP_RPC_IN_FLIGHT_H_
#define SKEP_RPC_IN_FLIGHT_H_

#include <algorithm>
#include <utility>

namespace skep {

// The most writes that one event of a stream led to: all that is in flight comes
// together every now and then, whenever one side was held up for a moment.
class InFlight {
 public:
  void AddWrite() { ++current_; }
  void EndEvent() {
    most_ = std::max(most_, std::exchange(current_, 0));
    if (++events_ < kEvents) return;
    most_before_ = std::exchange(most_, 0);
    events_ = 0;
  }
  // Of the last kEvents to 2 * kEvents of them.
  int most() const { return std::max(most_, most_before_); }

  static constexpr int kEvents = 1024;

 private:
  int current_ = 0;  // in this event
  int most_ = 0;
  int most_before_ = 0;
  int events_ = 0;  // since most_ began
};

}  // namespace skep

#endif  // SKEP_RPC_IN_FLIGHT_H_

// Counts numbers below, at and inside windows of the order of numbers, and samples
// those inside: one task's part of finding quantiles (quantiles.h).

#ifndef SKEP_JOBS_KEY_WINDOWS_H_
#define SKEP_JOBS_KEY_WINDOWS_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/key_sample.h"
#include "jobs/order_key.h"

namespace skep {

// The keys strictly between two, and the two by themselves; or one key, if low == high.
struct KeyWindow {
  // Below and above all numbers: such an end is open.
  static constexpr OrderKey kLowest = 0;
  static constexpr OrderKey kHighest = (OrderKey{1} << kOrderKeyBits) - 1;

  OrderKey low = kLowest;
  OrderKey high = kHighest;
};

struct WindowTally {
  uint64_t below = 0;    // less than low
  uint64_t at_low = 0;   // equal to it
  uint64_t inside = 0;   // strictly between
  uint64_t at_high = 0;  // equal to high; 0 if low == high
  // Of those inside, each standing for `stride`; all of them if that is 1.
  std::vector<OrderKey> sample;
  uint64_t stride = 1;
};

class KeyWindows {
 public:
  // The windows ascend and have no key in common, not even ends. The sample of each has
  // at most `capacity` keys.
  KeyWindows(std::vector<KeyWindow> windows, size_t capacity, uint64_t seed);

  void Add(std::span<const int64_t> values);
  void Add(std::span<const uint64_t> values);
  void Add(std::span<const double> values);  // no NaN

  // One for each window.
  std::vector<WindowTally> Take();

 private:
  // A window as seen by one type, whose values are 64-bit integers in the same order:
  // the least ones at or above the window's places, 2^64 if there is none.
  struct Bounds {
    OrderKey at_low, inside, at_high, above;
  };
  template <typename KeyOf>
  std::vector<Bounds> BoundsOf(const KeyOf& key) const;

  template <typename T, typename Order, typename KeyOf>
  void AddAll(std::span<const T> values, const std::vector<Bounds>& bounds,
              const Order& order, const KeyOf& key);
  template <typename KeyOf>
  void AddPiece(std::span<const uint64_t> ordered, const Bounds& bounds, size_t window,
                const KeyOf& key);
  void AddOne(OrderKey key);

  std::vector<KeyWindow> windows_;
  std::vector<WindowTally> tallies_;
  std::vector<KeySample<OrderKey>> samples_;
  std::vector<Bounds> integer_bounds_, real_bounds_;
  // Of numbers added one by one: those above the window before and below this one.
  std::vector<uint64_t> gaps_;
};

// Tallies as bytes. False for bytes that are none.
void PutTallies(std::string* out, const std::vector<WindowTally>& tallies);
bool GetTallies(std::string_view* in, std::vector<WindowTally>* tallies);

}  // namespace skep

#endif  // SKEP_JOBS_KEY_WINDOWS_H_

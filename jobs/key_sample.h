// A sample of a stream of keys of any length: one at random out of each `stride` in a
// row. All of them, with stride 1, while there is room; then, whenever the room is
// full, of each two neighbours one stays and the stride doubles.

#ifndef SKEP_JOBS_KEY_SAMPLE_H_
#define SKEP_JOBS_KEY_SAMPLE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/random.h"

namespace skep {

template <typename Key>
class KeySample {
 public:
  // Keeps at most `capacity` keys, an even number above 0. The same seed and keys give
  // the same sample.
  KeySample(size_t capacity, uint64_t seed) : capacity_(capacity), random_(seed) {}

  void Add(Key key) {
    if (place_ == chosen_) keys_.push_back(key);
    if (++place_ == stride_) EndGroup();
  }

  // Adds key(0) to key(count - 1), and asks for those only that it takes.
  template <typename KeyOf>
  void AddMany(uint64_t count, const KeyOf& key) {
    uint64_t at = 0;
    while (at < count) {
      const uint64_t step = std::min(count - at, stride_ - place_);
      if (chosen_ - place_ < step) keys_.push_back(key(at + (chosen_ - place_)));
      at += step;
      place_ += step;
      if (place_ == stride_) EndGroup();
    }
  }

  const std::vector<Key>& keys() const { return keys_; }
  // Each key stands for so many.
  uint64_t stride() const { return stride_; }

 private:
  void EndGroup() {
    if (keys_.size() == capacity_) {
      for (size_t i = 0; i < capacity_ / 2; ++i) {
        keys_[i] = keys_[2 * i + random_.Below(2)];
      }
      keys_.resize(capacity_ / 2);
      stride_ *= 2;
    }
    place_ = 0;
    chosen_ = stride_ == 1 ? 0 : random_.Below(stride_);
  }

  size_t capacity_;
  Random random_;
  std::vector<Key> keys_;
  uint64_t stride_ = 1;
  uint64_t place_ = 0;   // in the group at hand
  uint64_t chosen_ = 0;  // the place whose key is taken; behind `place_` if it was
};

}  // namespace skep

#endif  // SKEP_JOBS_KEY_SAMPLE_H_

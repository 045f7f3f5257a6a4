// Strong types for ids: a JobId cannot be passed where a TaskId is wanted.

#ifndef SKEP_BASE_IDS_H_
#define SKEP_BASE_IDS_H_

#include <compare>
#include <cstdint>
#include <string>
#include <utility>

namespace skep {

// An integer id that is only comparable with its own kind. Declare one with
//   struct JobTag; using JobId = StrongId<JobTag>;
// The default value 0 means "none".
template <typename Tag>
class StrongId {
 public:
  constexpr StrongId() = default;
  constexpr explicit StrongId(uint64_t value) : value_(value) {}
  constexpr uint64_t value() const { return value_; }
  constexpr explicit operator bool() const { return value_ != 0; }
  std::string ToString() const { return std::to_string(value_); }

  friend constexpr auto operator<=>(StrongId, StrongId) = default;
  template <typename H>
  friend H AbslHashValue(H state, StrongId id) {
    return H::combine(std::move(state), id.value_);
  }

 private:
  uint64_t value_ = 0;
};

}  // namespace skep

#endif  // SKEP_BASE_IDS_H_

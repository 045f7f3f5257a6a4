// Memory for large tables, on huge pages where the system gives them: a table visited
// at random misses the cache of page addresses at nearly every visit otherwise, and the
// first touch of every small page costs a fault.

#ifndef SKEP_BASE_HUGE_PAGES_H_
#define SKEP_BASE_HUGE_PAGES_H_

#include <cstddef>
#include <vector>

namespace skep {

// Zeroed memory that grows in place or by moving its pages: nothing is copied, and no
// old and new copy are held at once. Out of memory is std::bad_alloc.
class GrowingMemory {
 public:
  GrowingMemory() = default;
  ~GrowingMemory();
  GrowingMemory(GrowingMemory&& other) noexcept;
  GrowingMemory& operator=(GrowingMemory&& other) noexcept;

  // To at least as many bytes as before. Those before stay; new ones are zero. The
  // address may change.
  void Grow(size_t bytes);

  void* data() const { return data_; }

 private:
  void Free();

  char* data_ = nullptr;
  size_t bytes_ = 0;
};

void* AllocateHuge(size_t bytes);
void FreeHuge(void* memory);

// For large vectors. The memory of vectors smaller than a few huge pages is ordinary.
template <typename T>
struct HugePageAllocator {
  using value_type = T;
  HugePageAllocator() = default;
  template <typename Other>
  HugePageAllocator(const HugePageAllocator<Other>&) {}

  T* allocate(size_t count) { return static_cast<T*>(AllocateHuge(count * sizeof(T))); }
  void deallocate(T* memory, size_t) { FreeHuge(memory); }
  bool operator==(const HugePageAllocator&) const { return true; }
};
template <typename T>
using HugeVector = std::vector<T, HugePageAllocator<T>>;

}  // namespace skep

#endif  // SKEP_BASE_HUGE_PAGES_H_

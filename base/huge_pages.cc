#include "base/huge_pages.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

namespace skep {
namespace {

constexpr size_t kPage = 4 << 10;
constexpr size_t kHugePage = 2 << 20;
// Smaller pieces waste too much of their last page.
constexpr size_t kLarge = 4 * kHugePage;

size_t RoundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

// Fresh pages; at a huge page's address if there are as many.
char* Map(size_t bytes) {
  const size_t slack = bytes >= kHugePage ? kHugePage : 0;
  void* const memory = mmap(nullptr, bytes + slack, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  char* const begin = static_cast<char*>(memory);
  if (slack == 0) return begin;
  const size_t before = -reinterpret_cast<uintptr_t>(begin) % kHugePage;
  if (before > 0) munmap(begin, before);
  if (before < slack) munmap(begin + before + bytes, slack - before);
  // Refused advice costs only time.
  madvise(begin + before, bytes, MADV_HUGEPAGE);
  return begin + before;
}

}  // namespace

GrowingMemory::~GrowingMemory() { Free(); }

GrowingMemory::GrowingMemory(GrowingMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

GrowingMemory& GrowingMemory::operator=(GrowingMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

void GrowingMemory::Grow(size_t bytes) {
  bytes = RoundUp(bytes, kPage);
  if (bytes <= bytes_) return;
  char* const grown = Map(bytes);
  if (data_ != nullptr) {
    // To where huge pages stay huge; mremap alone would choose any place.
    const void* moved =
        mremap(data_, bytes_, bytes_, MREMAP_MAYMOVE | MREMAP_FIXED, grown);
    if (moved == MAP_FAILED) {
      munmap(grown, bytes);
      throw std::bad_alloc();
    }
  }
  data_ = grown;
  bytes_ = bytes;
}

void GrowingMemory::Free() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

void* AllocateHuge(size_t bytes) {
  const bool large = bytes >= kLarge;
  void* const memory = large ? std::aligned_alloc(kHugePage, RoundUp(bytes, kHugePage))
                             : std::malloc(std::max<size_t>(bytes, 1));
  if (memory == nullptr) throw std::bad_alloc();
  if (large) madvise(memory, RoundUp(bytes, kHugePage), MADV_HUGEPAGE);
  return memory;
}

void FreeHuge(void* memory) { std::free(memory); }

}  // namespace skep

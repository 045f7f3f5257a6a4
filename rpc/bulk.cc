#include "rpc/bulk.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace skep {
namespace {

// From here on huge pages are worth asking for.
constexpr size_t kHugeBytes = 4 << 20;
constexpr uintptr_t kHugePage = 2 << 20;
// By how much a string grows.
constexpr size_t kFirstStep = 64 << 10;
constexpr size_t kStep = 1 << 20;

class BulkPool {
 public:
  // An empty string if there is none that fits.
  std::string Take(size_t size) {
    MutexLock lock(mutex_);
    auto best = kept_.end();
    // Of several that fit as well the last one, which may still be in the cache.
    for (auto it = kept_.end(); it != kept_.begin();) {
      --it;
      // A much larger one is left to those who need it.
      if (it->capacity() < size || it->capacity() / 4 > size) continue;
      if (best == kept_.end() || it->capacity() < best->capacity()) best = it;
    }
    if (best == kept_.end()) return std::string();
    std::string found = std::move(*best);
    kept_.erase(best);
    bytes_ -= found.capacity();
    return found;
  }

  void Give(std::string bytes) {
    std::vector<std::string> dropped;  // freed outside the lock
    MutexLock lock(mutex_);
    bytes_ += bytes.capacity();
    kept_.push_back(std::move(bytes));
    // The oldest go first: nobody has asked for their size in a while.
    while (bytes_ > kKeptBulkBytes) {
      bytes_ -= kept_.front().capacity();
      dropped.push_back(std::move(kept_.front()));
      kept_.erase(kept_.begin());
    }
  }

 private:
  Mutex mutex_;
  std::vector<std::string> kept_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

BulkPool& Pool() {
  static BulkPool* const pool = new BulkPool;
  return *pool;
}

void AskForHugePages(const std::string& memory) {
  const auto begin = reinterpret_cast<uintptr_t>(memory.data());
  const uintptr_t from = (begin + kHugePage - 1) & ~(kHugePage - 1);
  const uintptr_t to = (begin + memory.capacity()) & ~(kHugePage - 1);
  if (from >= to) return;
  // Only faster if it works.
  madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);
}

}  // namespace

std::string ReserveBulk(size_t size) {
  std::string bytes;
  if (size >= kLeastBulkBytes) bytes = Pool().Take(size);
  bytes.reserve(size);
  if (bytes.size() > size) bytes.resize(size);
  return bytes;
}

void GrowBulk(std::string& bytes, size_t size) {
  const size_t now = bytes.size();
  if (now >= size) return;
  const size_t next = std::min(size, std::max(kFirstStep, now + std::min(now, kStep)));
  // One touch of a huge page costs all of it: not before as much has come.
  if (size >= kHugeBytes && now < kHugePage && next >= kHugePage)
    AskForHugePages(bytes);
  // Clears only what was never part of the string.
  bytes.resize(next);
}

std::string BulkOf(std::string_view bytes) {
  if (bytes.size() < kLeastBulkBytes) return std::string(bytes);
  std::string copy = Pool().Take(bytes.size());
  copy.assign(bytes);
  return copy;
}

void GiveBulk(std::string bytes) {
  if (bytes.capacity() >= kLeastBulkBytes) Pool().Give(std::move(bytes));
}

}  // namespace skep

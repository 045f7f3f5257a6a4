#include "rpc/output_queue.h"

#include <algorithm>
#include <utility>

#include "rpc/bulk.h"

namespace skep {

void OutputQueue::AppendBulk(std::string bytes) {
  if (bytes.empty()) return;
  bulk_bytes_ += bytes.size();
  bulks_.push_back({std::move(bytes), 0, small_consumed_ + small_.size()});
}

int OutputQueue::Front(iovec* pieces, int most) const {
  int count = 0;
  const auto add = [&](const char* data, size_t size) {
    if (size != 0) pieces[count++] = {const_cast<char*>(data), size};
    return count < most;
  };
  const std::string_view small = small_.view();
  size_t taken = 0;
  for (const Bulk& bulk : bulks_) {
    const size_t until = bulk.behind - small_consumed_;
    if (!add(small.data() + taken, until - taken)) return count;
    taken = until;
    if (!add(bulk.bytes.data() + bulk.sent, bulk.bytes.size() - bulk.sent)) {
      return count;
    }
  }
  add(small.data() + taken, small.size() - taken);
  return count;
}

void OutputQueue::Consume(size_t count) {
  size_t done = 0;  // of bulks_
  while (count > 0) {
    const size_t small =
        done == bulks_.size() ? small_.size() : bulks_[done].behind - small_consumed_;
    const size_t of_small = std::min(count, small);
    small_.Consume(of_small);
    small_consumed_ += of_small;
    count -= of_small;
    if (count == 0) break;
    Bulk& bulk = bulks_[done];
    const size_t of_bulk = std::min(count, bulk.bytes.size() - bulk.sent);
    bulk.sent += of_bulk;
    bulk_bytes_ -= of_bulk;
    count -= of_bulk;
    if (bulk.sent == bulk.bytes.size()) {
      GiveBulk(std::move(bulk.bytes));
      ++done;
    }
  }
  bulks_.erase(bulks_.begin(), bulks_.begin() + static_cast<ptrdiff_t>(done));
}

void OutputQueue::Clear() { Consume(size()); }

}  // namespace skep

// What a stream has to send: small writes, copied together, and bulk, kept as it is.

#ifndef SKEP_RPC_OUTPUT_QUEUE_H_
#define SKEP_RPC_OUTPUT_QUEUE_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/buffer.h"

namespace skep {

// First in, first out. Bulk that has been sent goes back to the pool (bulk.h). Not
// thread-safe.
class OutputQueue {
 public:
  OutputQueue() = default;
  ~OutputQueue() { Clear(); }
  OutputQueue(const OutputQueue&) = delete;
  OutputQueue& operator=(const OutputQueue&) = delete;

  bool empty() const { return size() == 0; }
  size_t size() const { return small_.size() + bulk_bytes_; }
  bool has_bulk() const { return bulk_bytes_ != 0; }

  void Append(std::string_view bytes) { small_.Append(bytes); }
  // In place: memory for `most` bytes, of which EndWrite appends the first `count`.
  char* BeginWrite(size_t most) {
    small_.Reserve(most);
    return small_.Tail();
  }
  void EndWrite(size_t count) { small_.Commit(count); }
  void AppendBulk(std::string bytes);

  // The front, as at most `most` pieces; how many there are.
  int Front(iovec* pieces, int most) const;
  void Consume(size_t count);
  void Clear();

 private:
  struct Bulk {
    std::string bytes;
    size_t sent = 0;
    uint64_t behind = 0;  // as many small bytes, counted from the queue's first ever
  };

  Buffer small_;
  uint64_t small_consumed_ = 0;  // ever
  std::vector<Bulk> bulks_;
  size_t bulk_bytes_ = 0;
};

}  // namespace skep

#endif  // SKEP_RPC_OUTPUT_QUEUE_H_

// The ledger: accounts of records that show that reducers consumed just what mappers
// produced.

#ifndef SKEP_MASTER_LEDGER_H_
#define SKEP_MASTER_LEDGER_H_

#include <cstdint>
#include <string>

#include "base/digest.h"
#include "jobs/api/task.pb.h"

namespace skep {

// How many records, how many bytes, and the order-independent digest of which.
class Account {
 public:
  Account() = default;
  explicit Account(const RecordAccount& account) { Add(account); }

  void Add(const RecordAccount& account);
  // "12 records, 340 bytes, digest 00..".
  std::string ToString() const;
  friend bool operator==(const Account& a, const Account& b) {
    return a.records_ == b.records_ && a.bytes_ == b.bytes_ &&
           a.digest_.value() == b.digest_.value();
  }

 private:
  uint64_t records_ = 0;
  uint64_t bytes_ = 0;
  RecordDigest digest_;
};

}  // namespace skep

#endif  // SKEP_MASTER_LEDGER_H_

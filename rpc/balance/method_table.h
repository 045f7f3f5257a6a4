// Calls through a balancer by method: counts and latencies of those that it took on, as
// their clients see them. What it refused at once is in its own row.
//
// Names come from clients, who may send anything: a method is listed once a backend has
// answered a call of it as one that it serves, and there are at most kMost; the rest
// count as "other".

#ifndef SKEP_RPC_BALANCE_METHOD_TABLE_H_
#define SKEP_RPC_BALANCE_METHOD_TABLE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "rpc/metrics.h"

namespace skep {

// Thread-safe. Methods live as long as the table.
class MethodTable {
 public:
  static constexpr size_t kMost = 256;
  static constexpr size_t kLongestName = 128;

  struct Method {
    explicit Method(std::string name) : name(std::move(name)) {}
    const std::string name;  // with its service
    CallCounts counts;       // of calls that ended; none is ever begun
  };

  // Null if it is not listed.
  Method* Find(std::string_view name) ABSL_LOCKS_EXCLUDED(mutex_);
  // Lists it, if there is room and the name is one.
  Method& List(std::string_view name) ABSL_LOCKS_EXCLUDED(mutex_);
  Method& other() { return other_; }
  // By name, the others last, if there were any.
  std::vector<StatsReport::Row> Rows() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Method other_{"other"};
  Mutex mutex_;
  absl::flat_hash_map<std::string, std::unique_ptr<Method>> methods_
      ABSL_GUARDED_BY(mutex_);
};

// One loop's way to the table: without its lock for what it has seen before. Not
// thread-safe.
class MethodLookup {
 public:
  explicit MethodLookup(MethodTable& table) : table_(table) {}

  // Null if it is not listed; name() is then its name.
  MethodTable::Method* Find(std::string_view service, std::string_view method);
  const std::string& name() const { return name_; }

 private:
  MethodTable& table_;
  MethodTable::Method* last_ = nullptr;
  std::string name_;
  absl::flat_hash_map<std::string, MethodTable::Method*> known_;
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_METHOD_TABLE_H_

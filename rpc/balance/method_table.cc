#include "rpc/balance/method_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "base/strings.h"

namespace skep {
namespace {

// Names of protobuf's grammar: what else comes is no method's.
bool IsName(std::string_view text) {
  return text.size() <= MethodTable::kLongestName && text.size() >= 3 &&
         std::all_of(text.begin(), text.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return absl::ascii_isalnum(byte) || c == '_' || c == '.';
         });
}

StatsReport::Row RowOf(MethodTable::Method& method) {
  StatsReport::Row row = StatsReport::RowOf(method.name, method.counts);
  row.calls = row.ended[0] + row.failed();
  row.pending = 0;
  return row;
}

}  // namespace

MethodTable::Method* MethodTable::Find(std::string_view name) {
  MutexLock lock(mutex_);
  const auto it = methods_.find(ToAbsl(name));
  return it == methods_.end() ? nullptr : it->second.get();
}

MethodTable::Method& MethodTable::List(std::string_view name) {
  if (!IsName(name)) return other_;
  MutexLock lock(mutex_);
  const auto it = methods_.find(ToAbsl(name));
  if (it != methods_.end()) return *it->second;
  if (methods_.size() >= kMost) return other_;
  std::unique_ptr<Method>& method = methods_[std::string(name)];
  method = std::make_unique<Method>(std::string(name));
  return *method;
}

std::vector<StatsReport::Row> MethodTable::Rows() {
  std::vector<StatsReport::Row> rows;
  {
    MutexLock lock(mutex_);
    for (const auto& [name, method] : methods_) rows.push_back(RowOf(*method));
  }
  std::sort(rows.begin(), rows.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  StatsReport::Row others = RowOf(other_);
  if (others.calls > 0) rows.push_back(std::move(others));
  return rows;
}

MethodTable::Method* MethodLookup::Find(std::string_view service,
                                        std::string_view method) {
  // Most calls are of the method of the call before.
  if (last_ != nullptr && last_->name.size() == service.size() + 1 + method.size() &&
      last_->name.starts_with(service) && last_->name.ends_with(method) &&
      last_->name[service.size()] == '.') {
    return last_;
  }
  name_.assign(service.substr(0, MethodTable::kLongestName));
  name_ += '.';
  name_ += method.substr(0, MethodTable::kLongestName);
  const auto it = known_.find(name_);
  if (it != known_.end()) return last_ = it->second;
  MethodTable::Method* const found = table_.Find(name_);
  // The table's bound is this one's too.
  if (found != nullptr) known_[name_] = last_ = found;
  return found;
}

}  // namespace skep

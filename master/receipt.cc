#include "master/receipt.h"

#include <map>

#include "absl/strings/str_format.h"
#include "base/strings.h"
#include "nlohmann/json.hpp"

namespace skep {

std::string MakeReceipt(const JobSpec& job, const std::vector<OutputFile>& parts) {
  using Json = nlohmann::ordered_json;
  Json options = Json::object();
  const std::map<std::string, std::string> ordered(job.options().begin(),
                                                   job.options().end());
  for (const auto& [name, value] : ordered) options[name] = value;
  uint64_t bytes = 0, records = 0;
  Json files = Json::array();
  for (const OutputFile& part : parts) {
    bytes += part.bytes();
    records += part.records();
    files.push_back({{"name", part.name()},
                     {"bytes", part.bytes()},
                     {"records", part.records()},
                     {"xxh3", absl::StrFormat("%016x", part.digest())}});
  }
  const Json receipt = {
      {"job", job.name()}, {"options", options}, {"binary", job.binary_digest()},
      {"bytes", bytes},    {"records", records}, {"parts", files}};
  // Names that are not UTF-8 must not make it fail.
  return receipt.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace skep

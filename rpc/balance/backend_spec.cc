#include "rpc/balance/backend_spec.h"

#include <cmath>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace skep {
namespace {

constexpr double kLeastWeight = 0.01;
constexpr double kGreatestWeight = 1000;

}  // namespace

absl::StatusOr<BackendSpec> ParseBackend(std::string_view text) {
  BackendSpec spec;
  bool first = true;
  for (const absl::string_view part :
       absl::StrSplit(ToAbsl(text), absl::ByAnyChar(", \t"), absl::SkipEmpty())) {
    if (first) {
      SKEP_ASSIGN_OR_RETURN(spec.address, Address::Parse(ToStd(part)));
      first = false;
      continue;
    }
    const std::pair<absl::string_view, absl::string_view> pair =
        absl::StrSplit(part, absl::MaxSplits('=', 1));
    if (pair.first != "weight" || !absl::SimpleAtod(pair.second, &spec.weight) ||
        !(spec.weight >= kLeastWeight && spec.weight <= kGreatestWeight)) {
      return InvalidArgument("'", ToStd(part), "' of backend '", text,
                             "': write HOST:PORT,weight=N with N from ", kLeastWeight,
                             " to ", kGreatestWeight);
    }
  }
  if (first) {
    return InvalidArgument(
        "a backend is written HOST:PORT or HOST:PORT,weight=N, for "
        "example 127.0.0.1:9981,weight=2; this is empty");
  }
  return spec;
}

absl::StatusOr<std::vector<BackendSpec>> ParseBackendList(std::string_view text) {
  std::vector<BackendSpec> specs;
  std::set<std::string> seen;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(ToAbsl(text), '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    absl::StatusOr<BackendSpec> spec = ParseBackend(ToStd(line));
    if (!spec.ok()) return Annotate(spec.status(), StrCat("line ", number));
    if (!seen.insert(spec->address.ToString()).second) {
      return InvalidArgument("line ", number, ": ", spec->address, " stands twice");
    }
    specs.push_back(*std::move(spec));
  }
  if (specs.empty()) return InvalidArgument("no backend in ", number, " lines");
  return specs;
}

}  // namespace skep

// A backend as an operator writes it.

#ifndef SKEP_RPC_BALANCE_BACKEND_SPEC_H_
#define SKEP_RPC_BALANCE_BACKEND_SPEC_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "rpc/address.h"

namespace skep {

struct BackendSpec {
  Address address;
  double weight = 1;  // capacity relative to the others; > 0

  friend bool operator==(const BackendSpec&, const BackendSpec&) = default;
};

// "HOST:PORT", "HOST:PORT weight=2" or "HOST:PORT,weight=2". InvalidArgument says what
// is wrong with it.
absl::StatusOr<BackendSpec> ParseBackend(std::string_view text);

// One backend a line; "#" begins a comment, empty lines do not count. InvalidArgument
// names the line: a list is taken as a whole or not at all. Of a backend that stands
// twice, and of no backend, it fails too.
absl::StatusOr<std::vector<BackendSpec>> ParseBackendList(std::string_view text);

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_BACKEND_SPEC_H_

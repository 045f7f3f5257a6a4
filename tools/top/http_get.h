// One page by HTTP, as rpc/http serves them.

#ifndef SKEP_TOOLS_TOP_HTTP_GET_H_
#define SKEP_TOOLS_TOP_HTTP_GET_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rpc/address.h"
#include "rpc/transport.h"

namespace skep {

// The body of `path` at `address`, over a transport with one loop. Blocks, for at most
// `timeout`; never on one of the transport's executors. NotFound and others by the
// server's answer; Unavailable also when it does not speak HTTP, DataLoss when the page
// is over 16 MiB.
absl::StatusOr<std::string> HttpGet(Transport& transport, const Address& address,
                                    const std::string& path, absl::Duration timeout);

// The body of a whole HTTP/1.1 response that ended with its connection.
absl::StatusOr<std::string> ParseHttpResponse(const std::string& response);

}  // namespace skep

#endif  // SKEP_TOOLS_TOP_HTTP_GET_H_

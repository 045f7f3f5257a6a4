// The pages about a server, on an address and a thread of their own: reading them, and
// the sample taken every second, never make a call wait.

#ifndef SKEP_RPC_HTTP_STATS_SERVER_H_
#define SKEP_RPC_HTTP_STATS_SERVER_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "rpc/http/http_server.h"
#include "rpc/metrics.h"

namespace skep {

class TcpTransport;

class StatsServer {
 public:
  // Serves "/" (StatsHtml), "/metrics" (StatsPrometheus) and `more`, all called on the
  // one thread. `take` makes a report, but for its times; it and `more` may use what
  // outlives this object.
  static absl::StatusOr<std::unique_ptr<StatsServer>> Listen(
      const Address& at, const Clock& clock, std::function<StatsReport()> take,
      HttpPages more = {});
  // Nothing of `take` and `more` runs any more when it returns.
  ~StatsServer();

  const Address& address() const { return http_->address(); }

 private:
  struct Site;
  StatsServer();

  std::unique_ptr<TcpTransport> transport_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace skep

#endif  // SKEP_RPC_HTTP_STATS_SERVER_H_

#include "rpc/http/stats_server.h"

#include <utility>

#include "base/executor.h"
#include "base/status.h"
#include "rpc/http/stats_history.h"
#include "rpc/http/stats_page.h"
#include "rpc/tcp_transport.h"

namespace skep {

// On the executor only; shared by its pages and its timer.
struct StatsServer::Site : std::enable_shared_from_this<StatsServer::Site> {
  Site(Executor& executor, const Clock& clock, std::function<StatsReport()> take)
      : executor(executor), clock(clock), take(std::move(take)), started(clock.Now()) {}

  StatsReport Take() {
    StatsReport report = take();
    report.started = started;
    report.now = clock.Now();
    return report;
  }
  void Sample() {
    history.Add(Take(), ReadProcessStats());
    executor.PostAfter(StatsHistory::kInterval, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Sample();
    });
  }

  Executor& executor;
  const Clock& clock;
  const std::function<StatsReport()> take;
  const absl::Time started;
  StatsHistory history;
};

StatsServer::StatsServer() : transport_(std::make_unique<TcpTransport>(1)) {}

StatsServer::~StatsServer() {
  http_.reset();
  // Ends the thread, and with it the samples.
  transport_.reset();
}

absl::StatusOr<std::unique_ptr<StatsServer>> StatsServer::Listen(
    const Address& at, const Clock& clock, std::function<StatsReport()> take,
    HttpPages more) {
  std::unique_ptr<StatsServer> server(new StatsServer);
  Executor& executor = server->transport_->executor();
  const auto site = std::make_shared<Site>(executor, clock, std::move(take));
  HttpPages pages = std::move(more);
  pages["/"] = [site](const std::string&) {
    return HttpResponse{
        .content_type = "text/html; charset=utf-8",
        .body = StatsHtml(site->Take(), site->history, ReadProcessStats())};
  };
  pages["/metrics"] = [site](const std::string&) {
    return HttpResponse{.content_type = "text/plain; version=0.0.4; charset=utf-8",
                        .body = StatsPrometheus(site->Take(), ReadProcessStats())};
  };
  SKEP_ASSIGN_OR_RETURN(server->http_,
                        HttpServer::Listen(*server->transport_, at, std::move(pages)));
  executor.Post([site] { site->Sample(); });
  return server;
}

}  // namespace skep

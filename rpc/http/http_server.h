// A small HTTP/1.1 server for pages about a server: statistics, metrics, health.
//
// GET and HEAD only, no bodies taken, keep-alive, pipelining. Requests over 8 KiB are
// refused. A connection that asks nothing for a minute is closed, one whose request is
// not all there after 10 s, and more than 1000.
// Not for bulk or for strangers: it listens on loopback unless its owner says
// otherwise.

#ifndef SKEP_RPC_HTTP_HTTP_SERVER_H_
#define SKEP_RPC_HTTP_HTTP_SERVER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "rpc/address.h"
#include "rpc/transport.h"

namespace skep {

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// Pages by path ("/sudoku/stats"). A page is given the query, what follows '?', or "".
// Called on the loops, one page at a time; it must not block.
using HttpPages =
    std::map<std::string, std::function<HttpResponse(const std::string& query)>,
             std::less<>>;

class HttpServer {
 public:
  // `transport` is borrowed and outlives the server.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Listen(Transport& transport,
                                                            const Address& at,
                                                            HttpPages pages);
  // No page is called any more when it returns; open connections get 404 from then on.
  ~HttpServer();
  // With the port really taken.
  const Address& address() const { return listener_->address(); }

 private:
  struct Pages;
  explicit HttpServer(std::shared_ptr<Pages> pages);

  // shared with the connections, which may outlive the server.
  const std::shared_ptr<Pages> pages_;
  std::unique_ptr<Listener> listener_;

  friend class HttpSession;
};

}  // namespace skep

#endif  // SKEP_RPC_HTTP_HTTP_SERVER_H_

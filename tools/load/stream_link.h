// What the links that write on a stream themselves have in common: the connection, the
// requests that wait on it, and their deadlines.

#ifndef SKEP_TOOLS_LOAD_STREAM_LINK_H_
#define SKEP_TOOLS_LOAD_STREAM_LINK_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "base/executor.h"
#include "tools/load/link.h"

namespace skep {

// On the transport's executor only. A subclass writes requests and reads answers.
class StreamLink : public Link, protected StreamHandler {
 public:
  StreamLink(Transport& transport, const LinkOptions& options, LinkEvents& events);
  ~StreamLink() override;

  void Close() override;

 protected:
  // A request is named by its slot and the slot's generation, so that an answer which
  // comes after its request was given up reaches no other.
  struct Request {
    bool outstanding = false;
    uint32_t generation = 0;
    absl::Time deadline;
  };

  // The slot's next request, outstanding from now on.
  Request& Begin(uint32_t slot);
  // The request is over; does nothing if it was already.
  void Finish(uint32_t slot, absl::StatusCode outcome);
  // The same, but not inside this call.
  void FinishSoon(uint32_t slot, absl::StatusCode outcome);
  // The connection is of no more use.
  void Break(const absl::Status& reason);

  // Null while there is no connection.
  Stream* stream() { return stream_.get(); }
  const std::vector<Request>& requests() const { return requests_; }
  const LinkOptions& options() const { return options_; }

 private:
  void OnConnected(absl::StatusOr<std::unique_ptr<Stream>> stream);
  void OnClosed(const absl::Status& reason) override;
  void ArmExpiry();

  const LinkOptions options_;
  LinkEvents& events_;
  Executor& executor_;
  std::vector<Request> requests_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Stream> dead_;  // after Break
  bool broken_ = false;
  bool answered_ = false;
  TimerId expiry_;
  // Closures that outlive this see that it is gone. shared: for its weak pointers.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace skep

#endif  // SKEP_TOOLS_LOAD_STREAM_LINK_H_

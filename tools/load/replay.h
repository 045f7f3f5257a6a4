// A capture (tools/record/traffic_file.h) as a load test: what each connection sends,
// and when.

#ifndef SKEP_TOOLS_LOAD_REPLAY_H_
#define SKEP_TOOLS_LOAD_REPLAY_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "tools/load/load.h"
#include "tools/record/traffic_file.h"

namespace skep {

class Replay {
 public:
  // `speed`: so many times as fast as it was captured, or "max": as fast as answers
  // come. InvalidArgument when the file holds no request.
  static absl::StatusOr<Replay> Open(const std::string& path, const std::string& speed);

  size_t requests() const { return recording_->requests.size(); }
  // Not Ok when the file is damaged or cut off: what comes before is played.
  const absl::Status& damage() const { return recording_->damage; }

  // Fills in what is sent, on as many connections as were captured, or on
  // `most_connections` if that is over 1 and less; gives a line that says so. A
  // captured connection's requests stay in order, on one connection.
  std::string Plan(int most_connections, LoadOptions* options) const;

 private:
  Replay() = default;

  std::string path_;
  double speed_ = 1;  // 0: as fast as answers come
  // shared with links, which borrow the bodies.
  std::shared_ptr<const Recording> recording_;
};

}  // namespace skep

#endif  // SKEP_TOOLS_LOAD_REPLAY_H_

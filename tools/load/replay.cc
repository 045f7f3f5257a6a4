#include "tools/load/replay.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/plural.h"
#include "base/status.h"
#include "tools/exit_code.h"
#include "tools/load/replay_link.h"

namespace skep {
namespace {

// More connections than this are folded onto so many.
constexpr size_t kMostConnections = 1000;

}  // namespace

absl::StatusOr<Replay> Replay::Open(const std::string& path, const std::string& speed) {
  Replay replay;
  replay.path_ = path;
  if (speed == "max") {
    replay.speed_ = 0;
  } else {
    char* end = nullptr;
    replay.speed_ = std::strtod(speed.c_str(), &end);
    if (end == speed.c_str() || *end != '\0' ||
        !(replay.speed_ >= 1e-3 && replay.speed_ <= 1e6)) {
      return InvalidArgument("'", speed, "' is no speed: say 1, 0.5, 10 or max");
    }
  }
  absl::StatusOr<Recording> recording = ReadTraffic(path);
  if (!recording.ok()) return EndsWith(kFiles, recording.status());
  if (recording->requests.empty()) {
    return EndsWith(kFiles, !recording->damage.ok()
                                ? recording->damage
                                : InvalidArgument(path, " holds no request"));
  }
  replay.recording_ = std::make_shared<const Recording>(*std::move(recording));
  return replay;
}

std::string Replay::Plan(int most_connections, LoadOptions* options) const {
  // Connections in the order of their first request.
  std::map<uint64_t, size_t> place;
  for (const RecordedRequest& request : recording_->requests) {
    place.emplace(request.connection, place.size());
  }
  size_t connections = std::min(place.size(), kMostConnections);
  if (most_connections > 1) {
    connections = std::min(connections, static_cast<size_t>(most_connections));
  }
  options->connections = static_cast<int>(connections);
  options->threads = std::min(options->threads, options->connections);
  options->duration = absl::InfiniteDuration();
  options->requests = ~uint64_t{0};
  options->plans.assign(connections, {});
  std::vector<std::vector<std::string_view>> bodies(connections);
  const absl::Duration first = recording_->requests.front().offset;
  for (const RecordedRequest& request : recording_->requests) {
    const size_t to = place[request.connection] % connections;
    bodies[to].push_back(request.body);
    ++options->plans[to].requests;
    if (speed_ > 0) {
      options->plans[to].moments.push_back(
          absl::ToInt64Nanoseconds((request.offset - first) / speed_));
    }
  }
  options->factory = [recording = recording_, bodies = std::move(bodies)](
                         Transport& transport, const LinkOptions& link,
                         LinkEvents& events) {
    return MakeReplayLink(transport, link, bodies[static_cast<size_t>(link.index)],
                          events);
  };
  std::string out = absl::StrFormat(
      "replay of %s from %s (%s on %s) over %s, ", Counted(requests(), "request"),
      path_, absl::FormatDuration(recording_->span()),
      Counted(place.size(), "connection"),
      Counted(static_cast<uint64_t>(connections), "connection"));
  if (speed_ == 0) {
    out += absl::StrFormat("as fast as answers come, %d outstanding on each",
                           options->window);
  } else {
    out += absl::StrFormat("at %g times its speed", speed_);
  }
  return out;
}

}  // namespace skep

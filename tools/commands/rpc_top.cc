#include "tools/commands/rpc_top.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "base/strings.h"
#include "rpc/address.h"
#include "rpc/tcp_transport.h"
#include "tools/signals.h"
#include "tools/top/http_get.h"
#include "tools/top/top_view.h"

namespace skep {
namespace {

// A screen of its own, without a cursor, as long as this lives; what was on the
// terminal comes back with the end.
class FullScreen {
 public:
  explicit FullScreen(bool on) : on_(on) {
    if (on_) std::fputs("\x1b[?1049h\x1b[?25l", stdout);
  }
  ~FullScreen() {
    if (!on_) return;
    std::fputs("\x1b[?25h\x1b[?1049l", stdout);
    std::fflush(stdout);
  }

 private:
  const bool on_;
};

TopSize SizeOfTerminal() {
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {};
  return {.columns = size.ws_col, .lines = size.ws_row};
}

bool Print(const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
         std::fflush(stdout) == 0;
}

}  // namespace

absl::Status RunRpcTop(const RpcTopOptions& options) {
  SKEP_ASSIGN_OR_RETURN(const Address address, Address::Parse(options.address));
  const bool terminal = isatty(STDOUT_FILENO) != 0 && !options.json;
  TcpTransport transport(1);
  const auto read = [&]() -> absl::StatusOr<MetricsSample> {
    SKEP_ASSIGN_OR_RETURN(const std::string page,
                          HttpGet(transport, address, "/metrics", options.timeout));
    return ParseMetrics(page);
  };
  SKEP_ASSIGN_OR_RETURN(MetricsSample before, read());
  absl::Notification stopped;
  const StopSignal stop([&stopped] { stopped.Notify(); });
  // One reading is to stay where it can be read.
  const FullScreen screen(terminal && options.count != 1);
  std::string last = terminal ? StrCat(address, ": the first reading\n") : "";
  absl::Time answered = absl::Now();
  for (int64_t i = 0; options.count == 0 || i < options.count; ++i) {
    if (terminal && options.count != 1 && !Print("\x1b[H\x1b[J" + last)) break;
    if (stopped.WaitForNotificationWithTimeout(options.interval)) break;
    const absl::StatusOr<MetricsSample> after = read();
    if (!after.ok()) {
      if (!terminal || options.count != 0) return after.status();
      last = StrCat(
          address, ": no answer for ",
          absl::FormatDuration(absl::Trunc(absl::Now() - answered, absl::Seconds(1))),
          ", trying again; Ctrl-C ends\n", Message(after.status()), "\n");
      continue;
    }
    answered = absl::Now();
    if (options.json) {
      last = TopJson(answered, before, *after);
    } else if (terminal) {
      last = TopScreen(address.ToString(), before, *after, SizeOfTerminal());
    } else {
      last = TopLines(answered, before, *after);
    }
    if ((!terminal || options.count == 1) && !Print(last)) break;  // nobody reads on
    before = *after;
  }
  return absl::OkStatus();
}

}  // namespace skep

// One connection to the server under load, whatever it speaks.

#ifndef SKEP_TOOLS_LOAD_LINK_H_
#define SKEP_TOOLS_LOAD_LINK_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "rpc/address.h"
#include "rpc/balance/balanced_channel.h"
#include "rpc/transport.h"

namespace skep {

// What a link tells its driver, on the transport's executor.
class LinkEvents {
 public:
  virtual ~LinkEvents() = default;
  // Once: the connection is there.
  virtual void OnReady() = 0;
  // The request sent as `slot` is over. DataLoss: the answer was wrong.
  virtual void OnReply(uint32_t slot, absl::StatusCode outcome) = 0;
  // The connection failed or ended, and will not come back. What is outstanding is
  // answered with Unavailable after this.
  virtual void OnBroken(const absl::Status& reason) = 0;
};

// On the executor only.
class Link {
 public:
  virtual ~Link() = default;
  // Sends one request. OnReply(slot) follows exactly once, never inside this call. A
  // slot is outstanding at most once at a time.
  virtual void Send(uint32_t slot) = 0;
  // Ends the connection: what is outstanding is answered with Cancelled or Unavailable.
  virtual void Close() = 0;
  // Of a link to several backends: what became of its calls beyond their first
  // attempts.
  virtual BalancedCounters balanced_counters() const { return {}; }
};

struct LinkOptions {
  Address target;
  absl::Duration timeout = absl::Seconds(10);  // of a request
  size_t payload_bytes = 16;                   // echo
  // Sudoku: 81 digits each, sent in turn, from `first_puzzle` on.
  std::vector<std::string> puzzles;
  size_t first_puzzle = 0;
  // RPC: several, and the link is a balanced channel over all of them.
  std::vector<Address> backends;
  HedgeOptions hedge;
  int index = 0;  // of this link among the connections of its run
};

using LinkFactory = std::function<std::unique_ptr<Link>(
    Transport& transport, const LinkOptions& options, LinkEvents& events)>;

// echo.EchoService.Echo over the channel, checking that the payload comes back.
std::unique_ptr<Link> MakeEchoLink(Transport& transport, const LinkOptions& options,
                                   LinkEvents& events);
// sudoku.SudokuService.Solve, checking solutions.
std::unique_ptr<Link> MakeSudokuLink(Transport& transport, const LinkOptions& options,
                                     LinkEvents& events);
// The family's text protocol, checking solutions. ServerTooBusy is ResourceExhausted.
std::unique_ptr<Link> MakeSudokuTextLink(Transport& transport,
                                         const LinkOptions& options,
                                         LinkEvents& events);

}  // namespace skep

#endif  // SKEP_TOOLS_LOAD_LINK_H_

#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/strings.h"
#include "jobs/kernels/sudoku.h"
#include "tools/load/link.h"
#include "tools/load/stream_link.h"

namespace skep {
namespace {

// A line longer than this is none that a server of this protocol sends.
constexpr size_t kLongestLine = 256;

// Requests carry "generation.slot" as their id.
class TextLink final : public StreamLink {
 public:
  TextLink(Transport& transport, const LinkOptions& options, LinkEvents& events)
      : StreamLink(transport, options, events), next_(options.first_puzzle) {}

  void Send(uint32_t slot) override {
    const Request& request = Begin(slot);
    if (slot >= puzzles_.size()) puzzles_.resize(slot + 1);
    puzzles_[slot] = next_++ % options().puzzles.size();
    if (stream() == nullptr) {
      return FinishSoon(slot, absl::StatusCode::kUnavailable);
    }
    line_.clear();
    StrAppend(&line_, request.generation, ".", slot, ":",
              options().puzzles[puzzles_[slot]], "\r\n");
    stream()->Write(line_);
  }

 private:
  size_t OnData(std::string_view bytes) override {
    size_t done = 0;
    while (stream() != nullptr) {
      const size_t end = bytes.find("\r\n", done);
      if (end == std::string_view::npos) break;
      OnLine(bytes.substr(done, end - done));
      done = end + 2;
    }
    if (stream() != nullptr && bytes.size() - done > kLongestLine) {
      Break(DataLoss(options().target.ToString(), " sends no lines"));
    }
    return done;
  }

  void OnLine(std::string_view line) {
    const size_t colon = line.find(':');
    const std::optional<uint32_t> slot =
        colon == std::string_view::npos ? std::nullopt : SlotOf(line.substr(0, colon));
    if (!slot) {
      return Break(InvalidArgument(options().target.ToString(), " answered \"", line,
                                   "\" and ends the connection"));
    }
    if (*slot == kStale) return;
    const std::string_view answer = line.substr(colon + 1);
    absl::StatusCode outcome = absl::StatusCode::kOk;
    if (answer == "ServerTooBusy") {
      outcome = absl::StatusCode::kResourceExhausted;
    } else if (answer != "NoSolution" &&
               !IsSudokuSolution(options().puzzles[puzzles_[*slot]], answer)) {
      outcome = absl::StatusCode::kDataLoss;
    }
    Finish(*slot, outcome);
  }

  // The slot that an id names; kStale if its request is over; none if it is no id.
  static constexpr uint32_t kStale = ~uint32_t{0};
  std::optional<uint32_t> SlotOf(std::string_view id) const {
    uint32_t generation = 0, slot = 0;
    const char* const end = id.data() + id.size();
    const auto [dot, error] = std::from_chars(id.data(), end, generation);
    if (error != std::errc() || dot == end || *dot != '.') return std::nullopt;
    const auto [stop, wrong] = std::from_chars(dot + 1, end, slot);
    if (wrong != std::errc() || stop != end || slot >= requests().size()) {
      return std::nullopt;
    }
    const Request& request = requests()[slot];
    return request.outstanding && request.generation == generation ? slot : kStale;
  }

  size_t next_;
  std::vector<size_t> puzzles_;  // by slot: the one that was sent
  std::string line_;
};

}  // namespace

std::unique_ptr<Link> MakeSudokuTextLink(Transport& transport,
                                         const LinkOptions& options,
                                         LinkEvents& events) {
  return std::make_unique<TextLink>(transport, options, events);
}

}  // namespace skep

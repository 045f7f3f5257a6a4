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

namespace skep {
namespace {

// A line longer than this is none that a server of this protocol sends.
constexpr size_t kLongestLine = 256;

// Requests carry "generation.slot" as their id, so that an answer which comes after its
// request was given up reaches no other.
class TextLink final : public Link, StreamHandler {
 public:
  TextLink(Transport& transport, const LinkOptions& options, LinkEvents& events)
      : options_(options),
        events_(events),
        executor_(transport.executor()),
        next_(options.first_puzzle) {
    transport.Connect(options.target, options.timeout,
                      [this, alive = std::weak_ptr<bool>(alive_)](
                          absl::StatusOr<std::unique_ptr<Stream>> stream) mutable {
                        if (alive.lock()) OnConnected(std::move(stream));
                      });
    ArmExpiry();
  }
  ~TextLink() override { executor_.Cancel(expiry_); }

  void Send(uint32_t slot) override {
    if (slot >= requests_.size()) requests_.resize(slot + 1);
    Request& request = requests_[slot];
    request.outstanding = true;
    request.puzzle = next_++ % options_.puzzles.size();
    request.deadline = executor_.clock().Now() + options_.timeout;
    ++request.generation;
    if (stream_ == nullptr) {
      executor_.Post([this, slot, alive = std::weak_ptr<bool>(alive_)] {
        if (alive.lock()) Finish(slot, absl::StatusCode::kUnavailable);
      });
      return;
    }
    line_.clear();
    StrAppend(&line_, request.generation, ".", slot, ":",
              options_.puzzles[request.puzzle], "\r\n");
    stream_->Write(line_);
  }

  void Close() override { Break(Cancelled("the load has ended")); }

 private:
  struct Request {
    bool outstanding = false;
    uint32_t generation = 0;
    size_t puzzle = 0;
    absl::Time deadline;
  };

  void OnConnected(absl::StatusOr<std::unique_ptr<Stream>> stream) {
    if (!stream.ok()) return Break(stream.status());
    stream_ = std::move(*stream);
    stream_->Start(this);
    events_.OnReady();
  }

  size_t OnData(std::string_view bytes) override {
    size_t done = 0;
    while (stream_ != nullptr) {
      const size_t end = bytes.find("\r\n", done);
      if (end == std::string_view::npos) break;
      OnLine(bytes.substr(done, end - done));
      done = end + 2;
    }
    if (stream_ != nullptr && bytes.size() - done > kLongestLine) {
      Break(DataLoss(options_.target.ToString(), " sends no lines"));
    }
    return done;
  }

  void OnLine(std::string_view line) {
    const size_t colon = line.find(':');
    const std::optional<uint32_t> slot =
        colon == std::string_view::npos ? std::nullopt : SlotOf(line.substr(0, colon));
    if (!slot) {
      return Break(InvalidArgument(options_.target.ToString(), " answered \"", line,
                                   "\" and ends the connection"));
    }
    if (*slot == kStale) return;
    const std::string_view answer = line.substr(colon + 1);
    absl::StatusCode outcome = absl::StatusCode::kOk;
    if (answer == "ServerTooBusy") {
      outcome = absl::StatusCode::kResourceExhausted;
    } else if (answer != "NoSolution" &&
               !IsSudokuSolution(options_.puzzles[requests_[*slot].puzzle], answer)) {
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
    if (wrong != std::errc() || stop != end || slot >= requests_.size()) {
      return std::nullopt;
    }
    const Request& request = requests_[slot];
    return request.outstanding && request.generation == generation ? slot : kStale;
  }

  void Finish(uint32_t slot, absl::StatusCode outcome) {
    if (!std::exchange(requests_[slot].outstanding, false)) return;
    events_.OnReply(slot, outcome);
  }

  void OnClosed(const absl::Status& reason) override {
    Break(reason.ok()
              ? Unavailable(options_.target.ToString(), " closed the connection")
              : reason);
  }

  void Break(const absl::Status& reason) {
    if (broken_) return;
    broken_ = true;
    if (stream_ != nullptr) stream_->Abort(reason);
    // The stream itself goes with this object: we may be inside one of its events.
    dead_ = std::move(stream_);
    events_.OnBroken(reason);
    for (uint32_t slot = 0; slot < requests_.size(); ++slot) {
      Finish(slot, absl::StatusCode::kUnavailable);
    }
  }

  // Looks for requests whose deadline has passed: a few times within each one's time,
  // since a timer for every request would cost more than the request.
  void ArmExpiry() {
    expiry_ = executor_.PostAfter(options_.timeout / 8, [this] {
      const absl::Time now = executor_.clock().Now();
      for (uint32_t slot = 0; slot < requests_.size(); ++slot) {
        if (requests_[slot].outstanding && requests_[slot].deadline <= now) {
          Finish(slot, absl::StatusCode::kDeadlineExceeded);
        }
      }
      ArmExpiry();
    });
  }

  const LinkOptions options_;
  LinkEvents& events_;
  Executor& executor_;
  size_t next_;
  std::vector<Request> requests_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Stream> dead_;
  bool broken_ = false;
  TimerId expiry_;
  std::string line_;
  // Of closures that may come after this object has gone.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<Link> MakeSudokuTextLink(Transport& transport,
                                         const LinkOptions& options,
                                         LinkEvents& events) {
  return std::make_unique<TextLink>(transport, options, events);
}

}  // namespace skep

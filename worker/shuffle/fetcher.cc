#include "worker/shuffle/fetcher.h"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "absl/time/clock.h"
#include "base/mutex.h"
#include "base/status.h"
#include "worker/attempt.h"
#include "worker/retry.h"

namespace skep {
namespace {

// Replies, as they come on any thread. Shared with the calls in flight: a reply may
// come after the fetcher has given up.
class Inbox {
 public:
  struct Mail {
    size_t index;
    absl::StatusOr<ShuffleSource::Piece> piece;
  };

  void Put(Mail mail) {
    MutexLock lock(mutex_);
    mail_.push_back(std::move(mail));
    wake_.SignalAll();
  }

  void Wake() {
    MutexLock lock(mutex_);
    wake_.SignalAll();
  }

  // What has come; waits for the first until `deadline` or `stop`.
  std::deque<Mail> TakeAll(absl::Time deadline, std::stop_token stop) {
    MutexLock lock(mutex_);
    while (mail_.empty() && !stop.stop_requested()) {
      const absl::Duration left = deadline - absl::Now();
      if (left <= absl::ZeroDuration()) break;
      wake_.WaitFor(mutex_, left);
    }
    return std::exchange(mail_, {});
  }

 private:
  Mutex mutex_;
  CondVar wake_;
  std::deque<Mail> mail_ ABSL_GUARDED_BY(mutex_);
};

// One output that is being fetched.
struct Transfer {
  uint64_t offset = 0;
  bool in_flight = false;
  absl::Time started;  // the call in flight, or the last one
  // While it fails:
  absl::Time failing_since = absl::InfiniteFuture();
  absl::Time next_try = absl::InfinitePast();
  absl::Duration backoff;
};

class Fetcher {
 public:
  Fetcher(ShuffleSource& source, const FetchPlan& plan, const FetchOptions& options,
          std::stop_token stop, FetchSink& sink, std::vector<MapOutput>* lost)
      : source_(source),
        plan_(plan),
        options_(options),
        stop_(std::move(stop)),
        sink_(sink),
        lost_(lost),
        complete_(plan.outputs.size()) {
    // Reducers begin at different outputs, so that they do not all ask one worker.
    for (size_t i = 0; i < plan.outputs.size(); ++i) {
      waiting_.push_back((i + plan.partition) % plan.outputs.size());
    }
  }

  absl::Status Run(const std::function<void(size_t)>& progress) {
    std::stop_callback on_stop(stop_, [inbox = inbox_] { inbox->Wake(); });
    while (completed_ < plan_.outputs.size()) {
      if (stop_.stop_requested()) return Cancelled("fetching map outputs: cancelled");
      StartWhatIsDue();
      for (Inbox::Mail& mail : inbox_->TakeAll(NextDue(), stop_)) {
        SKEP_RETURN_IF_ERROR(OnMail(mail));
      }
      progress(completed_);
    }
    return absl::OkStatus();
  }

 private:
  void StartWhatIsDue() {
    while (!waiting_.empty() &&
           static_cast<int>(active_.size()) < options_.max_outputs) {
      active_.emplace(waiting_.front(), Transfer{.backoff = options_.min_backoff});
      waiting_.pop_front();
    }
    const absl::Time now = absl::Now();
    for (auto& [index, transfer] : active_) {
      if (transfer.in_flight || transfer.next_try > now) continue;
      transfer.in_flight = true;
      transfer.started = now;
      const MapOutput& output = plan_.outputs[index];
      FetchRequest request;
      *request.mutable_map() = IdOf(plan_.job, plan_.stage, output);
      request.set_partition(plan_.partition);
      request.set_offset(transfer.offset);
      request.set_max_bytes(options_.piece_bytes);
      source_.Fetch(
          output.address(), request,
          [inbox = inbox_, index = index](absl::StatusOr<ShuffleSource::Piece> piece) {
            inbox->Put({index, std::move(piece)});
          });
    }
  }

  absl::Time NextDue() const {
    absl::Time due = absl::InfiniteFuture();
    for (const auto& [index, transfer] : active_) {
      if (!transfer.in_flight) due = std::min(due, transfer.next_try);
    }
    // Every call in flight completes by its own deadline; looking up once a second
    // costs nothing.
    return std::min(due, absl::Now() + absl::Seconds(1));
  }

  absl::Status OnMail(Inbox::Mail& mail) {
    const auto it = active_.find(mail.index);
    Transfer& transfer = it->second;
    transfer.in_flight = false;
    if (!mail.piece.ok()) return OnError(mail.index, transfer, mail.piece.status());
    const uint64_t total = mail.piece->total_bytes;
    const size_t size = mail.piece->bytes.size();
    if (size > total - std::min(total, transfer.offset) ||
        (size == 0 && transfer.offset < total)) {
      return OnError(mail.index, transfer,
                     DataLoss("the worker sent ", size, " bytes at offset ",
                              transfer.offset, " of ", total));
    }
    if (size > 0) {
      SKEP_RETURN_IF_ERROR(sink_.OnPiece(mail.index, transfer.offset, total,
                                         std::move(mail.piece->bytes)));
    }
    transfer.offset += size;
    transfer.failing_since = absl::InfiniteFuture();
    transfer.backoff = options_.min_backoff;
    if (transfer.offset < total) return absl::OkStatus();
    active_.erase(it);
    complete_[mail.index] = true;
    ++completed_;
    return sink_.OnComplete(mail.index);
  }

  absl::Status OnError(size_t index, Transfer& transfer, const absl::Status& error) {
    if (!IsTransient(error)) return Lost(index, /*with_worker=*/false, error);
    const absl::Time now = absl::Now();
    transfer.failing_since = std::min(transfer.failing_since, transfer.started);
    const absl::Duration patience = absl::IsResourceExhausted(error)
                                        ? options_.busy_after
                                        : options_.unreachable_after;
    if (now - transfer.failing_since >= patience) {
      return Lost(index, /*with_worker=*/true, error);
    }
    transfer.next_try = now + transfer.backoff;
    transfer.backoff = std::min(2 * transfer.backoff, options_.max_backoff);
    return absl::OkStatus();
  }

  absl::Status Lost(size_t index, bool with_worker, const absl::Status& error) {
    const MapOutput& first = plan_.outputs[index];
    for (size_t i = 0; i < plan_.outputs.size(); ++i) {
      const MapOutput& output = plan_.outputs[i];
      if (i == index ||
          (with_worker && !complete_[i] && output.address() == first.address())) {
        lost_->push_back(output);
      }
    }
    return DataLoss("cannot fetch partition ", plan_.partition, " of m-", first.task(),
                    " attempt ", first.attempt(), " from ", first.address(), ": ",
                    Message(error));
  }

  ShuffleSource& source_;
  const FetchPlan& plan_;
  const FetchOptions options_;
  const std::stop_token stop_;
  FetchSink& sink_;
  std::vector<MapOutput>* const lost_;
  // shared: see Inbox.
  const std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  std::deque<size_t> waiting_;
  std::map<size_t, Transfer> active_;
  std::vector<bool> complete_;
  size_t completed_ = 0;
};

}  // namespace

absl::Status FetchAll(ShuffleSource& source, const FetchPlan& plan,
                      const FetchOptions& options, std::stop_token stop,
                      const std::function<void(size_t)>& progress, FetchSink& sink,
                      std::vector<MapOutput>* lost) {
  return Fetcher(source, plan, options, std::move(stop), sink, lost).Run(progress);
}

}  // namespace skep

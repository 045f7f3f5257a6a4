#include "tools/services/sudoku_text.h"

#include <stop_token>
#include <utility>

#include "base/mutex.h"
#include "base/status.h"
#include "jobs/kernels/sudoku.h"

namespace skep {
namespace {

constexpr size_t kPuzzleLine = kSudokuCells + 2;
constexpr size_t kMaxWithoutLineEnd = 100;
constexpr std::string_view kLineEnd = "\r\n";

// What one OnData brings is cut into tasks of this many puzzles: some 50 us of work,
// which makes the hand-over to the pool cheap and leaves enough pieces for its threads.
constexpr size_t kBatch = 16;

// Puzzles on their way, as they came: so many whole requests.
struct Batch {
  std::string requests;
  size_t count = 0;
  absl::Time arrived;
};

void AddReply(std::string_view id, std::string_view what, std::string* replies) {
  if (!id.empty()) {
    replies->append(id);
    replies->push_back(':');
  }
  replies->append(what);
  replies->append(kLineEnd);
}

// Calls `visit` with each request of the batch as long as it returns true.
template <typename Visit>
void ForEachRequest(const Batch& batch, Visit visit) {
  std::string_view rest = batch.requests;
  for (size_t i = 0; i < batch.count; ++i) {
    const SudokuTextRequest request = ParseSudokuText(rest);
    if (!visit(request)) return;
    rest.remove_prefix(request.size);
  }
}

class Session;

// Where the pool leaves replies. It outlives the connection, shared with the puzzles in
// progress.
struct Outbox : std::enable_shared_from_this<Outbox> {
  explicit Outbox(Executor& executor) : executor(executor) {}
  // From a pool thread.
  void Put(std::string_view replies, size_t count);

  Executor& executor;
  Session* session = nullptr;  // on the executor only; null once the connection is gone
  std::stop_source stop;       // requested then
  Mutex mutex;
  std::string finished ABSL_GUARDED_BY(mutex);
  size_t count ABSL_GUARDED_BY(mutex) = 0;
};

class Session final : public StreamHandler {
 public:
  Session(Stream& stream, const SudokuTextServer& server)
      : stream_(stream),
        server_(server),
        outbox_(std::make_shared<Outbox>(stream.executor())) {
    outbox_->session = this;
  }
  ~Session() override { Forget(); }

  size_t OnData(std::string_view bytes) override;
  void OnPeerClosed() override {
    peer_closed_ = true;
    CloseIfFinished();
  }
  void OnClosed(const absl::Status& /*reason*/) override {
    closing_ = true;
    Forget();
  }

  // What the pool has finished.
  void Flush();

 private:
  // Nobody waits for what is in progress.
  void Forget() {
    outbox_->session = nullptr;
    outbox_->stop.request_stop();
  }
  // Queues the batch for the pool; answers ServerTooBusy where that cannot be.
  void Submit(Batch batch);
  // The fault that ends the connection is answered after the replies before it.
  void Fail(std::string_view last_words) {
    server_.stats.RecordBadRequest();
    AddReply("", last_words, &last_words_);
  }
  void CloseIfFinished();
  // Ends a connection whose peer does not read its replies.
  void AbortIfUnread();

  Stream& stream_;
  const SudokuTextServer& server_;
  // shared: see Outbox.
  const std::shared_ptr<Outbox> outbox_;
  size_t in_progress_ = 0;  // puzzles that the pool has
  bool throttled_ = false;
  bool peer_closed_ = false;
  bool closing_ = false;
  std::string last_words_;
};

// On a pool thread.
void Solve(const Batch& batch, const SudokuTextServer& server, Outbox& outbox) {
  const SudokuOptions options{.dots = false, .stop = outbox.stop.get_token()};
  std::string replies;
  replies.reserve(batch.requests.size());
  size_t answered = 0, solved = 0;
  ForEachRequest(batch, [&](const SudokuTextRequest& request) {
    const SudokuResult result = SolveSudoku(request.puzzle, options);
    if (result.outcome == SudokuOutcome::kStopped) return false;
    const bool is_solved = result.outcome == SudokuOutcome::kSolved;
    AddReply(request.id, is_solved ? result.solution() : "NoSolution", &replies);
    ++answered;
    solved += is_solved;
    return true;
  });
  // They leave together.
  server.stats.RecordResponses(server.clock.Now() - batch.arrived, answered, solved);
  outbox.Put(replies, batch.count);
}

void Outbox::Put(std::string_view replies, size_t puzzles) {
  MutexLock lock(mutex);
  const bool flush_is_due = count > 0;
  finished += replies;
  count += puzzles;
  if (flush_is_due) return;
  executor.Post([self = shared_from_this()] {
    if (self->session != nullptr) self->session->Flush();
  });
}

size_t Session::OnData(std::string_view bytes) {
  if (closing_ || !last_words_.empty()) return bytes.size();
  if (stream_.unsent() > server_.options.throttle_bytes) throttled_ = true;
  if (stream_.unsent() == 0) throttled_ = false;
  size_t consumed = 0, submitted = 0, count = 0;
  const absl::Time now = server_.clock.Now();
  const auto submit = [&] {
    if (count == 0) return;
    Submit({.requests = std::string(bytes.substr(submitted, consumed - submitted)),
            .count = std::exchange(count, 0),
            .arrived = now});
    submitted = consumed;
  };
  while (last_words_.empty()) {
    const SudokuTextRequest request = ParseSudokuText(bytes.substr(consumed));
    if (request.kind == SudokuTextRequest::Kind::kIncomplete) break;
    if (request.kind == SudokuTextRequest::Kind::kIdTooLong) {
      Fail("Id too long!");
    } else if (request.kind == SudokuTextRequest::Kind::kBadRequest ||
               (server_.options.require_id && request.id.empty())) {
      Fail("Bad Request!");
    } else {
      consumed += request.size;
      if (++count == kBatch) submit();
    }
  }
  submit();
  AbortIfUnread();
  CloseIfFinished();
  return closing_ || !last_words_.empty() ? bytes.size() : consumed;
}

void Session::Submit(Batch batch) {
  const size_t count = batch.count;
  server_.stats.RecordRequests(count);
  auto shared = std::make_shared<const Batch>(std::move(batch));
  // The queue's limit is in puzzles; its tasks hold up to kBatch of them.
  const bool queued =
      !throttled_ && server_.pool.queued() * kBatch < server_.options.max_queue &&
      server_.pool.Schedule([shared, &server = server_, outbox = outbox_] {
        Solve(*shared, server, *outbox);
      });
  if (queued) {
    in_progress_ += count;
    return;
  }
  server_.stats.RecordDropped(count);
  std::string replies;
  ForEachRequest(*shared, [&replies](const SudokuTextRequest& request) {
    AddReply(request.id, "ServerTooBusy", &replies);
    return true;
  });
  stream_.Write(replies);
}

void Session::Flush() {
  std::string replies;
  {
    MutexLock lock(outbox_->mutex);
    replies.swap(outbox_->finished);
    in_progress_ -= std::exchange(outbox_->count, 0);
  }
  if (closing_) return;
  stream_.Write(replies);
  AbortIfUnread();
  CloseIfFinished();
}

void Session::AbortIfUnread() {
  if (closing_ || stream_.unsent() <= server_.options.shutdown_bytes) return;
  closing_ = true;
  stream_.Abort(ResourceExhausted(stream_.peer(), " does not read its replies: ",
                                  stream_.unsent(), " bytes unsent"));
}

void Session::CloseIfFinished() {
  if (closing_ || in_progress_ > 0) return;
  if (last_words_.empty() && !peer_closed_) return;
  closing_ = true;
  if (!last_words_.empty()) stream_.Write(last_words_);
  stream_.CloseWhenDrained();
}

}  // namespace

SudokuTextRequest ParseSudokuText(std::string_view buffer) {
  SudokuTextRequest request;
  if (buffer.size() < kPuzzleLine) return request;
  const size_t end = buffer.find(kLineEnd);
  if (end == std::string_view::npos) {
    if (buffer.size() > kMaxWithoutLineEnd) {
      request.kind = SudokuTextRequest::Kind::kIdTooLong;
    }
    return request;
  }
  const std::string_view line = buffer.substr(0, end);
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) {
    request.puzzle = line;
  } else {
    request.id = line.substr(0, colon);
    request.puzzle = line.substr(colon + 1);
  }
  request.size = end + kLineEnd.size();
  request.kind = request.puzzle.size() == kSudokuCells
                     ? SudokuTextRequest::Kind::kPuzzle
                     : SudokuTextRequest::Kind::kBadRequest;
  return request;
}

std::unique_ptr<StreamHandler> MakeSudokuTextSession(Stream& stream,
                                                     const SudokuTextServer& server) {
  return std::make_unique<Session>(stream, server);
}

}  // namespace skep

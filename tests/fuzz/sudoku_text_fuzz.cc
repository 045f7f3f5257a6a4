#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "absl/synchronization/notification.h"
#include "glog/logging.h"
#include "rpc/tcp_transport.h"
#include "tests/fuzz/targets.h"
#include "tools/services/sudoku_text.h"

namespace skep {
namespace {

// Requests follow each other without gaps, and what was judged stays so when more
// bytes arrive.
void CheckParser(std::string_view bytes) {
  while (true) {
    const SudokuTextRequest request = ParseSudokuText(bytes);
    if (request.kind == SudokuTextRequest::Kind::kIncomplete) {
      // More than an id, a puzzle and a line end is never waited for.
      CHECK_LT(bytes.size(), 256);
      return;
    }
    if (request.kind != SudokuTextRequest::Kind::kPuzzle) return;
    CHECK_GT(request.size, 0);
    CHECK_LE(request.size, bytes.size());
    CHECK_EQ(request.puzzle.size(), 81);
    const SudokuTextRequest alone = ParseSudokuText(bytes.substr(0, request.size));
    CHECK(alone.kind == request.kind && alone.size == request.size);
    CHECK(alone.id == request.id && alone.puzzle == request.puzzle);
    bytes.remove_prefix(request.size);
  }
}

// Once in a process: threads are slow to start.
struct SessionServer {
  SudokuStats stats{Clock::Real()};
  ThreadPool pool{"fuzz", 1};
  SudokuTextServer text{
      .options = {}, .pool = pool, .stats = stats, .clock = Clock::Real()};
  TcpTransport transport{1};
};

void RunOn(Executor& executor, absl::AnyInvocable<void()> fn) {
  absl::Notification done;
  executor.Post([&] {
    fn();
    done.Notify();
  });
  done.WaitForNotification();
}

// Starts the session as a server does: with the first bytes.
class Door final : public StreamHandler {
 public:
  Door(std::unique_ptr<Stream> stream, const SudokuTextServer& server)
      : stream_(std::move(stream)), session_(MakeSudokuTextSession(*stream_, server)) {
    stream_->Start(this);
  }
  size_t OnData(std::string_view bytes) override { return session_->OnData(bytes); }
  void OnPeerClosed() override { session_->OnPeerClosed(); }
  void OnDrained() override { session_->OnDrained(); }
  void OnClosed(const absl::Status& reason) override { session_->OnClosed(reason); }

 private:
  const std::unique_ptr<Stream> stream_;
  const std::unique_ptr<StreamHandler> session_;
};

// Every session ends after its client's half is closed, with whole lines.
void CheckSession(std::string_view bytes) {
  static SessionServer& server = *new SessionServer();
  int ends[2];
  PCHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  std::unique_ptr<Door> door;
  Executor& executor = server.transport.executor();
  RunOn(executor, [&] {
    door = std::make_unique<Door>(server.transport.StreamOverFd(ends[1]), server.text);
  });
  // A few KiB: the socket takes them all.
  const ssize_t sent = send(ends[0], bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent >= 0) CHECK_EQ(static_cast<size_t>(sent), bytes.size());
  shutdown(ends[0], SHUT_WR);
  std::string received;
  while (true) {
    pollfd ready = {.fd = ends[0], .events = POLLIN, .revents = 0};
    CHECK_GT(poll(&ready, 1, /*ms=*/10'000), 0) << "the session does not end";
    char buffer[4096];
    const ssize_t size = read(ends[0], buffer, sizeof buffer);
    if (size <= 0) break;
    received.append(buffer, static_cast<size_t>(size));
  }
  CHECK(received.empty() || received.ends_with("\r\n")) << received;
  close(ends[0]);
  RunOn(executor, [&] { door = nullptr; });
}

}  // namespace

void FuzzSudokuText(std::string_view bytes) {
  CheckParser(bytes);
  if (bytes.size() <= 4096) CheckSession(bytes);
}

}  // namespace skep

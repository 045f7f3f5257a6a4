// Who called what and what became of it: the promises of a channel, checked as calls
// are made, served and completed.
//
//  - a call completes exactly once, not later than its deadline, with a reply that is
//    its own to the last byte, or with an error that is allowed;
//  - its handler sees what was sent, at most once unless its method is idempotent, and
//    never if the error says NeverSent.

#ifndef SKEP_TESTS_PROPERTIES_CALL_LEDGER_H_
#define SKEP_TESTS_PROPERTIES_CALL_LEDGER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/executor.h"
#include "rpc/channel.h"
#include "tests/properties/trial.pb.h"

namespace skep {

// What an attachment of that call holds.
std::string TrialBytes(uint64_t token, size_t size);

class CallLedger {
 public:
  enum class Kind { kOnce, kAgain, kTell };

  // Borrowed.
  explicit CallLedger(Executor& executor) : executor_(executor) {}
  CallLedger(const CallLedger&) = delete;
  CallLedger& operator=(const CallLedger&) = delete;

  // Calls may fail with this, too.
  void Allow(absl::StatusCode code) { allowed_ = code; }

  // Makes a call; `request` gets a token and `attachment_bytes` of them are sent.
  // `then` runs when it has completed.
  void Start(const std::shared_ptr<Channel>& channel, TrialRequest request, Kind kind,
             absl::Duration timeout, std::function<void()> then = nullptr);
  // Cancels the call with that number, wherever it is.
  void Cancel(size_t number);

  // The handler's side.
  void Served(Kind kind, const TrialRequest& request, const Controller& controller);
  void Stopped(const TrialRequest& request) { Note(3, request.token()); }

  size_t started() const { return calls_.size(); }
  size_t completed() const { return completed_; }
  // Of the call that completed last.
  const absl::Status& last_status() const { return last_status_; }
  // By outcome.
  const std::map<std::string, int64_t>& tally() const { return tally_; }

  // Adds what was found to be wrong.
  void Wrong(std::string what);
  // At the end: what was wrong, "" if nothing.
  std::string Verdict();
  // Of every event with its time, in order: equal runs have equal digests.
  uint64_t digest() const { return digest_; }

 private:
  struct Record {
    Kind kind = Kind::kOnce;
    std::weak_ptr<Channel> channel;
    CallId id;
    absl::Time deadline;
    TrialRequest request;
    int completed = 0;
    int served = 0;
    bool never_sent = false;
  };
  void Completed(uint64_t token, const absl::Status& status, const TrialReply* reply,
                 const std::string& attachment);
  void Note(uint64_t event, uint64_t value);
  static std::string Name(uint64_t token);

  Executor& executor_;
  std::vector<Record> calls_;  // token - 1
  size_t completed_ = 0;
  absl::Status last_status_;
  std::map<std::string, int64_t> tally_;
  std::vector<std::string> wrong_;
  uint64_t digest_ = 0;
  std::optional<absl::StatusCode> allowed_;
};

}  // namespace skep

#endif  // SKEP_TESTS_PROPERTIES_CALL_LEDGER_H_

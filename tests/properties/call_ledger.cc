#include "tests/properties/call_ledger.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace skep {
namespace {

// splitmix64's mixing function.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

// How much later than at its deadline a call may complete.
constexpr absl::Duration kSlack = absl::Milliseconds(1);

const google::protobuf::MethodDescriptor& MethodOfKind(CallLedger::Kind kind) {
  switch (kind) {
    case CallLedger::Kind::kOnce:
      return Method<Trial>("Once");
    case CallLedger::Kind::kAgain:
      return Method<Trial>("Again");
    default:
      return Method<Trial>("Tell");
  }
}

// The errors that trouble on the way may end a call with.
bool IsTrouble(absl::StatusCode code) {
  return code == absl::StatusCode::kUnavailable ||
         code == absl::StatusCode::kDeadlineExceeded ||
         code == absl::StatusCode::kCancelled ||
         code == absl::StatusCode::kResourceExhausted;
}

}  // namespace

std::string TrialBytes(uint64_t token, size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; i += 8) {
    const uint64_t word = Mix(token << 20 | i);
    for (size_t j = i; j < std::min(i + 8, size); ++j) {
      bytes[j] = static_cast<char>(word >> 8 * (j - i));
    }
  }
  return bytes;
}

std::string CallLedger::Name(uint64_t token) { return StrCat("call ", token); }

void CallLedger::Note(uint64_t event, uint64_t value) {
  const auto time = absl::ToUnixNanos(executor_.clock().Now());
  digest_ = Mix(digest_ ^ Mix(event ^ Mix(value ^ Mix(static_cast<uint64_t>(time)))));
}

void CallLedger::Wrong(std::string what) {
  if (wrong_.size() < 10) wrong_.push_back(std::move(what));
}

void CallLedger::Start(const std::shared_ptr<Channel>& channel, TrialRequest request,
                       Kind kind, absl::Duration timeout, std::function<void()> then) {
  const uint64_t token = calls_.size() + 1;
  request.set_token(token);
  calls_.push_back({.kind = kind,
                    .channel = channel,
                    .deadline = executor_.clock().Now() + timeout,
                    .request = request});
  Note(1, token);
  CallOptions options;
  options.timeout = timeout;
  options.attachment = TrialBytes(token, request.attachment_bytes());
  const auto done = [this, token, then](const absl::Status& status,
                                        const TrialReply* reply,
                                        const std::string& attachment) {
    Completed(token, status, reply, attachment);
    if (then) then();
  };
  CallId id;
  if (kind == Kind::kTell) {
    id = Call<rpc2::Empty>(*channel, MethodOfKind(kind), request, std::move(options),
                           [done](absl::StatusOr<Reply<rpc2::Empty>> reply) {
                             done(reply.status(), nullptr, "");
                           });
  } else {
    id = Call<TrialReply>(*channel, MethodOfKind(kind), request, std::move(options),
                          [done](absl::StatusOr<Reply<TrialReply>> reply) {
                            done(reply.status(), reply.ok() ? &reply->message : nullptr,
                                 reply.ok() ? reply->attachment : "");
                          });
  }
  Record& record = calls_[token - 1];
  record.id = id;
  if (record.completed > 0) Wrong(Name(token) + " completed inside its start");
}

void CallLedger::Cancel(size_t number) {
  const Record& record = calls_[number];
  const std::shared_ptr<Channel> channel = record.channel.lock();
  if (channel != nullptr) channel->Cancel(record.id);
}

void CallLedger::Completed(uint64_t token, const absl::Status& status,
                           const TrialReply* reply, const std::string& attachment) {
  Record& record = calls_[token - 1];
  ++tally_[absl::StatusCodeToString(status.code())];
  last_status_ = status;
  ++completed_;
  Note(2, token << 8 | static_cast<uint64_t>(status.code()));
  if (++record.completed > 1) Wrong(Name(token) + " completed twice");
  if (executor_.clock().Now() > record.deadline + kSlack) {
    Wrong(StrCat(Name(token), " completed ",
                 absl::FormatDuration(executor_.clock().Now() - record.deadline),
                 " after its deadline: ", status.ToString()));
  }
  record.never_sent = NeverSent(status);
  if (record.never_sent) ++tally_["never sent"];
  if (!status.ok()) {
    const bool asked = static_cast<uint32_t>(status.code()) == record.request.fail() ||
                       status.code() == allowed_;
    if (!asked && !IsTrouble(status.code())) {
      Wrong(StrCat(Name(token), " failed with ", status.ToString()));
    }
    return;
  }
  if (record.kind == Kind::kTell) return;
  if (record.request.fail() != 0) Wrong(Name(token) + " did not fail");
  if (record.served == 0) Wrong(Name(token) + " has a reply and was never served");
  if (reply->token() != token) {
    Wrong(StrCat(Name(token), " got the reply of ", Name(reply->token())));
  }
  if (attachment != TrialBytes(token, record.request.reply_bytes())) {
    Wrong(StrCat(Name(token), " got another attachment of ", attachment.size(),
                 " bytes, wanted ", record.request.reply_bytes()));
  }
}

void CallLedger::Served(Kind kind, const TrialRequest& request,
                        const Controller& controller) {
  const uint64_t token = request.token();
  Note(4, token);
  ++tally_["served"];
  if (token == 0 || token > calls_.size()) {
    return Wrong(StrCat("a call that nobody made was served: ", token));
  }
  Record& record = calls_[token - 1];
  if (++record.served > 1 && record.kind != Kind::kAgain) {
    Wrong(Name(token) + " was served twice");
  }
  if (kind != record.kind ||
      request.SerializeAsString() != record.request.SerializeAsString()) {
    Wrong(Name(token) + " was served as another: " + request.ShortDebugString());
  }
  if (controller.request_attachment() !=
      TrialBytes(token, request.attachment_bytes())) {
    Wrong(StrCat(Name(token), " was served with another attachment of ",
                 controller.request_attachment().size(), " bytes, wanted ",
                 request.attachment_bytes()));
  }
}

std::string CallLedger::Verdict() {
  for (uint64_t token = 1; token <= calls_.size(); ++token) {
    const Record& record = calls_[token - 1];
    if (record.completed == 0) Wrong(Name(token) + " never completed");
    if (record.never_sent && record.served > 0) {
      Wrong(Name(token) + " was served, though it was never sent");
    }
  }
  std::string all;
  for (const std::string& wrong : wrong_) all += wrong + "\n";
  return all;
}

}  // namespace skep

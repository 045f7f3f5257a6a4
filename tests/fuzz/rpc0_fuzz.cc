#include <string>

#include "base/checksum.h"
#include "base/coding.h"
#include "glog/logging.h"
#include "rpc/frame.h"
#include "rpc/rpc0_codec.h"
#include "rpc/rpc_message.pb.h"
#include "tests/fuzz/targets.h"

namespace skep {
namespace {

// Ours accepts what protobuf accepts, and reads the same from it.
void CheckEnvelope(std::string_view payload) {
  Envelope ours;
  const bool good = ParseEnvelope(payload, &ours);
  muduo::net::RpcMessage theirs;
  const bool theirs_good =
      ParseMessage(payload, &theirs) && theirs.type() != muduo::net::MessageType(0);
  CHECK_EQ(good, theirs_good);
  if (!good) return;
  CHECK_EQ(static_cast<int>(ours.type), static_cast<int>(theirs.type()));
  CHECK_EQ(ours.id, theirs.id());
  CHECK_EQ(ours.Has(Envelope::kService), theirs.has_service());
  CHECK(ours.service == theirs.service());
  CHECK(ours.method == theirs.method());
  CHECK(ours.request == theirs.request());
  CHECK(ours.response == theirs.response());
  CHECK_EQ(ours.Has(Envelope::kError), theirs.has_error());
  // What is encoded anew says the same.
  OutFrame out;
  if (!EncodeFrame(ours, nullptr, std::string(ours.attachment), &out).ok()) return;
  const std::string whole = out.ToString();
  const Frame frame = ParseFrame(whole);
  CHECK(frame.state == Frame::State::kReady);
  Envelope again;
  CHECK(ParseEnvelope(frame.body.substr(kRpc0Tag.size()), &again));
  CHECK_EQ(again.id, ours.id);
  CHECK_EQ(again.budget_us, ours.budget_us);
  CHECK(again.attachment == ours.attachment);
  CHECK(again.message == ours.message);
}

// Rewriting keeps a frame whole, and damage visible. As the balancer does it: after the
// envelope was parsed.
void CheckRewriting(std::string frame, std::string_view payload) {
  Envelope before;
  if (!HasFixedLayout(frame) || !ParseEnvelope(payload, &before)) return;
  RewriteId(frame.data(), frame.size(), 0x0123456789abcdef);
  const Frame after = ParseFrame(frame);
  CHECK(after.state == Frame::State::kReady) << after.fault;
  Envelope envelope;
  CHECK(ParseEnvelope(after.body.substr(kRpc0Tag.size()), &envelope));
  // Another id may follow later in the message, and the last one counts.
  CHECK(envelope.id == 0x0123456789abcdef || envelope.id == before.id);
  frame[frame.size() - 5] = static_cast<char>(frame[frame.size() - 5] ^ 1);
  CHECK(ParseFrame(frame).state == Frame::State::kBad);
}

}  // namespace

void FuzzRpc0(std::string_view bytes) {
  CheckEnvelope(bytes);
  const Frame raw = ParseFrame(bytes);
  if (raw.state == Frame::State::kReady) {
    CHECK_LE(raw.length, bytes.size());
    CHECK_EQ(raw.body.size() + 8, raw.length);
  }
  // With the checksum that the fuzzer would not find.
  std::string sealed(4, '\0');
  sealed += kRpc0Tag;
  sealed += bytes;
  SealFrame(&sealed);
  const Frame frame = ParseFrame(sealed);
  CHECK(frame.state == Frame::State::kReady) << frame.fault;
  CHECK(ParseFrame(std::string_view(sealed).substr(0, sealed.size() - 1)).state ==
        Frame::State::kNeedMore);
  CheckRewriting(sealed, bytes);
}

}  // namespace skep

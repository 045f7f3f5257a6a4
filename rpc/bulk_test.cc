// Bulk bytes: their pool, the queue that sends them, the frame that receives them.

#include "rpc/bulk.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"
#include "rpc/frame.h"
#include "rpc/large_frame.h"
#include "rpc/output_queue.h"
#include "rpc/rpc0_codec.h"

namespace skep {
namespace {

std::string RandomBytes(Random& random, size_t size) {
  std::string bytes(size, 0);
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

std::string TakeBulk(size_t size) {
  std::string bytes = ReserveBulk(size);
  while (bytes.size() < size) GrowBulk(bytes, size);
  return bytes;
}

TEST(Bulk, MemoryGoesRound) {
  std::string bytes = TakeBulk(1 << 20);
  ASSERT_EQ(bytes.size(), 1u << 20);
  const char* const memory = bytes.data();
  GiveBulk(std::move(bytes));
  // Too much larger than what is asked for.
  EXPECT_NE(TakeBulk(100 << 10).data(), memory);
  bytes = TakeBulk(1'000'000);
  EXPECT_EQ(bytes.data(), memory);
  EXPECT_EQ(bytes.size(), 1'000'000u);
  GiveBulk(std::move(bytes));
  EXPECT_EQ(BulkOf(std::string(900'000, 'x')), std::string(900'000, 'x'));
}

TEST(Bulk, WhatIsKeptIsBounded) {
  std::string first = TakeBulk(3 << 20);
  const char* const memory = first.data();
  std::string large = TakeBulk(kKeptBulkBytes - (1 << 20));
  GiveBulk(std::move(first));
  GiveBulk(std::move(large));  // pushes the older one out
  std::string again = TakeBulk(kKeptBulkBytes - (1 << 20));
  std::string other = TakeBulk(3 << 20);
  // The allocator may give the same address again; then the pool is empty at least.
  if (other.data() == memory) {
    EXPECT_NE(TakeBulk(3 << 20).data(), memory);
  }
  EXPECT_EQ(again.size(), kKeptBulkBytes - (1 << 20));
}

TEST(OutputQueue, KeepsTheOrderWhateverIsWrittenAndTaken) {
  Random random(1);
  OutputQueue queue;
  std::string expected;
  for (int i = 0; i < 3000; ++i) {
    const std::string bytes = RandomBytes(random, random.Below(200));
    switch (random.Below(4)) {
      case 0:
        queue.Append(bytes);
        expected += bytes;
        break;
      case 1:
        queue.AppendBulk(bytes);
        expected += bytes;
        break;
      case 2:
        bytes.copy(queue.BeginWrite(300), bytes.size());
        queue.EndWrite(bytes.size());
        expected += bytes;
        break;
      default: {
        iovec pieces[7];
        const int count =
            queue.Front(pieces, 1 + static_cast<int>(random.Below(std::size(pieces))));
        std::string front;
        for (int p = 0; p < count; ++p) {
          front.append(static_cast<const char*>(pieces[p].iov_base), pieces[p].iov_len);
        }
        ASSERT_EQ(front, expected.substr(0, front.size()));
        ASSERT_EQ(front.empty(), expected.empty());
        const size_t taken = random.Below(front.size() + 1);
        queue.Consume(taken);
        expected.erase(0, taken);
      }
    }
    ASSERT_EQ(queue.size(), expected.size());
    ASSERT_EQ(queue.empty(), expected.empty());
  }
}

// A frame with an attachment, or with a large response instead.
std::string FrameOf(std::string response, std::string attachment) {
  Envelope e;
  e.type = MessageType::kResponse;
  e.id = 7;
  e.response = response;
  e.Set(Envelope::kResponse);
  OutFrame frame;
  EXPECT_TRUE(EncodeFrame(e, nullptr, std::move(attachment), &frame).ok());
  return frame.ToString();
}

// Feeds `bytes` in random pieces, some of them straight into the room; what is left.
size_t Feed(LargeFrame& frame, std::string_view bytes, Random& random) {
  size_t at = 0;
  while (!frame.complete() && at < bytes.size()) {
    const size_t most = std::min<size_t>(bytes.size() - at, 1 + random.Below(40'000));
    const std::span<char> room = frame.Room();
    if (!room.empty() && random.Below(2) == 0) {
      const size_t count = std::min(most, room.size());
      std::memcpy(room.data(), bytes.data() + at, count);
      frame.Filled(count);
      at += count;
    } else {
      at += frame.Take(bytes.substr(at, most));
    }
  }
  return bytes.size() - at;
}

TEST(LargeFrame, GivesWhatTheFrameHolds) {
  Random random(2);
  for (int i = 0; i < 40; ++i) {
    const bool apart = i % 2 == 0;
    const std::string attachment =
        RandomBytes(random, apart ? 40'000 + random.Below(300'000) : 0);
    const std::string response = RandomBytes(
        random, apart ? random.Below(5000) : 40'000 + random.Below(300'000));
    const std::string bytes = FrameOf(response, attachment) + "next";
    const auto frame = LargeFrame::Begin(std::string_view(bytes).substr(0, 20'000));
    ASSERT_NE(frame, nullptr);
    ASSERT_EQ(Feed(*frame, bytes, random), 4u);
    ASSERT_TRUE(frame->complete());
    std::string fault;
    ASSERT_TRUE(frame->Check(&fault)) << fault;
    Envelope whole;
    const Envelope* envelope = frame->envelope();
    EXPECT_EQ(envelope != nullptr, apart);
    if (envelope == nullptr) {
      ASSERT_TRUE(ParseEnvelope(frame->body().substr(kRpc0Tag.size()), &whole));
      envelope = &whole;
    }
    EXPECT_EQ(envelope->id, 7u);
    EXPECT_TRUE(envelope->response == response);
    EXPECT_TRUE(TakeAttachment(*envelope) == attachment);
  }
}

TEST(LargeFrame, DamageAnywhereIsFound) {
  Random random(3);
  const std::string good = FrameOf("r", std::string(50'000, 'a'));
  for (int i = 0; i < 200; ++i) {
    std::string bytes = good;
    // Behind the size; in front of the attachment it may also make the whole body bulk.
    const size_t at = kFrameSizeBytes + random.Below(bytes.size() - kFrameSizeBytes);
    bytes[at] = static_cast<char>(bytes[at] ^ (1 + random.Below(255)));
    const auto frame = LargeFrame::Begin(std::string_view(bytes).substr(0, 20'000));
    ASSERT_NE(frame, nullptr);
    ASSERT_EQ(Feed(*frame, bytes, random), 0u);
    std::string fault;
    EXPECT_FALSE(frame->Check(&fault)) << at;
  }
}

TEST(LargeFrame, WhatPeersAnnounceIsBounded) {
  const std::string huge = FrameOf("r", std::string(60 << 20, 'a')).substr(0, 20'000);
  std::vector<std::unique_ptr<LargeFrame>> frames;
  while (frames.size() < 100) {
    auto frame = LargeFrame::Begin(huge);
    if (frame == nullptr) break;
    frames.push_back(std::move(frame));
  }
  EXPECT_EQ(frames.size(), 4u);
  frames.pop_back();
  EXPECT_NE(LargeFrame::Begin(huge), nullptr);
}

// Bytes of this process that are in memory.
size_t Resident() {
  std::ifstream statm("/proc/self/statm");
  size_t all = 0, resident = 0;
  statm >> all >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

TEST(LargeFrame, WhatIsAnnouncedAndNotSentCostsNoMemory) {
  const std::string huge = FrameOf("r", std::string(60 << 20, 'a')).substr(0, 20'000);
  { std::string all = TakeBulk(kKeptBulkBytes); }  // not given back
  const size_t before = Resident();
  std::vector<std::unique_ptr<LargeFrame>> frames;
  for (int i = 0; i < 4; ++i) {
    frames.push_back(LargeFrame::Begin(huge));
    ASSERT_NE(frames.back(), nullptr);
    frames.back()->Take(huge);
    EXPECT_FALSE(frames.back()->Room().empty());
  }
  EXPECT_LT(Resident(), before + (16 << 20)) << "240 MiB were announced";
}

TEST(LargeFrame, SmallOnesAndTooShortFrontsAreNot) {
  EXPECT_EQ(LargeFrame::Begin(FrameOf("r", std::string(5000, 'a')).substr(0, 2000)),
            nullptr);
  const std::string large = FrameOf(std::string(50'000, 'r'), "");
  EXPECT_EQ(LargeFrame::Begin(std::string_view(large).substr(0, 7)), nullptr);
  EXPECT_EQ(LargeFrame::Begin(std::string_view(large).substr(0, 10'000)), nullptr);
  EXPECT_NE(LargeFrame::Begin(std::string_view(large).substr(0, 17'000)), nullptr);
}

}  // namespace
}  // namespace skep

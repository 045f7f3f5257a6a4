// mpsc_list.h and index_stack.h, alone and under many threads. A minute or an hour
// instead of a moment: SKEP_STRESS=100.

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <thread>
#include <vector>

#include "base/index_stack.h"
#include "base/mpsc_list.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

int Scale() {
  const char* const scale = std::getenv("SKEP_STRESS");
  return scale == nullptr ? 1 : std::atoi(scale);
}

struct Note {
  Note* mpsc_next = nullptr;
  int pusher = 0;
  uint64_t number = 0;  // not atomic: the list publishes it
};

TEST(MpscList, GivesAllInOrderAndTellsWhoWakes) {
  MpscList<Note> list;
  EXPECT_EQ(list.TakeAll(), nullptr);
  Note notes[3];
  EXPECT_TRUE(list.Push(&notes[0]));
  EXPECT_FALSE(list.Push(&notes[1]));
  EXPECT_FALSE(list.Push(&notes[2]));
  const Note* taken = list.TakeAll();
  for (const Note& note : notes) {
    ASSERT_EQ(taken, &note);
    taken = taken->mpsc_next;
  }
  EXPECT_EQ(taken, nullptr);
  EXPECT_EQ(list.TakeAll(), nullptr);
  EXPECT_TRUE(list.Push(&notes[1]));
  EXPECT_EQ(list.TakeAll()->mpsc_next, nullptr);
}

// Nodes go round: taken, they are given back to their pusher, so that the same head
// comes again and again.
TEST(MpscList, LosesNothingUnderManyPushers) {
  constexpr int kPushers = 8;
  constexpr int kNotes = 4;  // of each pusher
  const uint64_t count = 20'000 * Scale();
  MpscList<Note> list;
  std::atomic<uint64_t> wakes{0};
  std::vector<std::atomic<bool>> free(kPushers * kNotes);
  for (std::atomic<bool>& each : free) each.store(true);
  std::vector<Note> notes(kPushers * kNotes);
  std::vector<std::thread> pushers;
  for (int p = 0; p < kPushers; ++p) {
    pushers.emplace_back([&, p] {
      for (uint64_t n = 0; n < count; ++n) {
        const size_t at = p * kNotes + n % kNotes;
        while (!free[at].load(std::memory_order_acquire)) std::this_thread::yield();
        free[at].store(false, std::memory_order_relaxed);
        notes[at].pusher = p;
        notes[at].number = n;
        if (list.Push(&notes[at])) wakes.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  std::vector<uint64_t> next(kPushers, 0);
  uint64_t batches = 0;
  for (uint64_t taken = 0; taken < count * kPushers;) {
    Note* note = list.TakeAll();
    if (note == nullptr) {
      std::this_thread::yield();
      continue;
    }
    ++batches;
    while (note != nullptr) {
      Note* const following = note->mpsc_next;
      ASSERT_EQ(note->number, next[note->pusher]++);
      ++taken;
      free[note - notes.data()].store(true, std::memory_order_release);
      note = following;
    }
  }
  for (std::thread& pusher : pushers) pusher.join();
  EXPECT_EQ(list.TakeAll(), nullptr);
  EXPECT_EQ(wakes.load(), batches);  // one each
}

TEST(IndexStack, LastInFirstOut) {
  IndexStack stack;
  std::vector<std::atomic<uint32_t>> links(3);
  const auto link_of = [&](uint32_t i) -> std::atomic<uint32_t>& { return links[i]; };
  EXPECT_EQ(stack.Pop(link_of), IndexStack::kNone);
  for (uint32_t i = 0; i < 3; ++i) stack.Push(i, links[i]);
  for (uint32_t i = 3; i-- > 0;) EXPECT_EQ(stack.Pop(link_of), i);
  EXPECT_EQ(stack.Pop(link_of), IndexStack::kNone);
}

TEST(IndexStack, GivesEachNumberToOneAtATime) {
  constexpr int kThreads = 8;
  constexpr uint32_t kNumbers = 5;  // fewer than threads: it runs empty
  const int rounds = 50'000 * Scale();
  IndexStack stack;
  std::vector<std::atomic<uint32_t>> links(kNumbers);
  const auto link_of = [&](uint32_t i) -> std::atomic<uint32_t>& { return links[i]; };
  std::vector<uint64_t> uses(kNumbers, 0);  // not atomic: the stack publishes them
  for (uint32_t i = 0; i < kNumbers; ++i) stack.Push(i, links[i]);
  std::atomic<uint64_t> total{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int n = 0; n < rounds; ++n) {
        const uint32_t index = stack.Pop(link_of);
        if (index == IndexStack::kNone) {
          std::this_thread::yield();
          continue;
        }
        ++uses[index];
        total.fetch_add(1, std::memory_order_relaxed);
        stack.Push(index, links[index]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  uint64_t sum = 0;
  for (const uint64_t each : uses) sum += each;
  EXPECT_EQ(sum, total.load());
  std::vector<bool> there(kNumbers, false);
  for (uint32_t i = 0; i < kNumbers; ++i) there.at(stack.Pop(link_of)) = true;
  EXPECT_EQ(there, std::vector<bool>(kNumbers, true));
  EXPECT_EQ(stack.Pop(link_of), IndexStack::kNone);
}

}  // namespace
}  // namespace skep

#include "master/journal.h"

#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/faulty_file_system.h"
#include "storage/memory_file_system.h"

namespace skep {
namespace {

const absl::Time kTime = absl::FromUnixNanos(1'700'000'000'123'456'789);

Event Cancel(uint64_t job) {
  Event event;
  event.mutable_job_cancelled()->set_job(job);
  event.mutable_job_cancelled()->set_reason("because");
  return event;
}

class JournalTest : public testing::Test {
 protected:
  std::unique_ptr<Journal> Open() {
    auto journal = Journal::Open(fs_, "/state/journal");
    EXPECT_TRUE(journal.ok()) << journal.status();
    return *std::move(journal);
  }

  // The jobs that the replayed events name.
  absl::StatusOr<std::vector<uint64_t>> Replayed() {
    std::vector<uint64_t> jobs;
    SKEP_RETURN_IF_ERROR(Open()->Replay([&](Event event, absl::Time time) {
      EXPECT_EQ(time, kTime);
      jobs.push_back(event.job_cancelled().job());
    }));
    return jobs;
  }

  void Append(Journal& journal, uint64_t job) {
    EXPECT_TRUE(journal.Append(Cancel(job), kTime).ok());
  }

  // Puts these bytes in the place of the first term's file.
  void Replace(const std::string& bytes) {
    EXPECT_TRUE(WriteFileAtomically(fs_, kFirst, bytes).ok());
  }

  static constexpr size_t kBegin = 8;  // of the first record
  static constexpr const char* kFirst = "/state/journal/journal-000001";
  MemoryFileSystem fs_;
};

TEST_F(JournalTest, GivesTheEventsOfAllEarlierTermsInOrder) {
  EXPECT_EQ(*Replayed(), std::vector<uint64_t>{});
  auto first = Open();
  Append(*first, 1);
  Append(*first, 2);
  auto second = Open();
  Append(*second, 3);
  EXPECT_EQ(*Replayed(), (std::vector<uint64_t>{1, 2, 3}));
}

TEST_F(JournalTest, PassesOverATornRecordAtTheEnd) {
  auto journal = Open();
  Append(*journal, 1);
  Append(*journal, 2);
  const std::string whole = *ReadFile(fs_, kFirst);
  for (size_t size = 0; size < kBegin; ++size) {
    Replace(whole.substr(0, size));
    EXPECT_EQ(*Replayed(), std::vector<uint64_t>{}) << size;
  }
  const size_t second = kBegin + (whole.size() - kBegin) / 2;
  for (size_t size = second; size < whole.size(); ++size) {
    Replace(whole.substr(0, size));
    EXPECT_EQ(*Replayed(), std::vector<uint64_t>{1}) << size;
  }
  // The next term writes a file of its own.
  auto next = Open();
  Append(*next, 3);
  EXPECT_EQ(*Replayed(), (std::vector<uint64_t>{1, 3}));
}

TEST_F(JournalTest, SaysWhereItIsDamaged) {
  auto journal = Open();
  Append(*journal, 1);
  Append(*journal, 2);
  const std::string whole = *ReadFile(fs_, kFirst);
  // Every byte, also those of sizes, which could make a record look torn.
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const int flip : {0x01, 0x80}) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      Replace(damaged);
      const auto replayed = Replayed();
      EXPECT_TRUE(absl::IsDataLoss(replayed.status())) << i;
    }
  }
}

TEST_F(JournalTest, PassesOverTheZerosThatAPowerCutLeaves) {
  auto journal = Open();
  Append(*journal, 1);
  Append(*journal, 2);
  const std::string whole = *ReadFile(fs_, kFirst);
  Replace(whole + std::string(5000, '\0'));
  EXPECT_EQ(*Replayed(), (std::vector<uint64_t>{1, 2}));
  Replace(whole + std::string(5000, '\0') + "x");
  EXPECT_TRUE(absl::IsDataLoss(Replayed().status()));
  Replace(std::string(5000, '\0'));
  EXPECT_EQ(*Replayed(), std::vector<uint64_t>{});
}

TEST_F(JournalTest, RefusesWhatIsNoJournalOfThisVersion) {
  Append(*Open(), 1);
  Replace(std::string("\x07\0\0\0", 4) + std::string(60, 'x'));
  const absl::Status status = Replayed().status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_NE(Message(status).find(kFirst), std::string::npos) << status;
}

TEST_F(JournalTest, SyncsWhatIsToSurviveTheMachine) {
  FaultyFileSystem faulty(fs_);
  auto journal = Journal::Open(faulty, "/state/journal");
  ASSERT_TRUE((*journal)->Append(Cancel(1), kTime).ok());
  faulty.Fail(FaultyFileSystem::kSync, kFirst, DataLoss("injected"));
  EXPECT_TRUE((*journal)->Append(Cancel(2), kTime).ok());
  EXPECT_FALSE((*journal)->Append(Cancel(3), kTime, /*sync=*/true).ok());
}

TEST_F(JournalTest, ForgetsEarlierTerms) {
  Append(*Open(), 1);
  auto second = Open();
  EXPECT_GT(second->bytes(), 0u);
  EXPECT_TRUE(second->ForgetEarlier().ok());
  Append(*second, 2);
  EXPECT_EQ(*Replayed(), std::vector<uint64_t>{2});
}

}  // namespace
}  // namespace skep

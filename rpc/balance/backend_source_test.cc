#include "rpc/balance/backend_source.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log_testing.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/strings.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

constexpr absl::Duration kInterval = absl::Seconds(10);

std::string Text(const std::vector<BackendSpec>& specs) {
  std::string text;
  for (const BackendSpec& spec : specs) {
    StrAppend(&text, text.empty() ? "" : " ", spec.address);
    if (spec.weight != 1) StrAppend(&text, "*", spec.weight);
  }
  return text;
}

TEST(ParseBackend, TakesTheFormsThatPeopleWrite) {
  for (const char* text : {"10.0.0.1:80,weight=2.5", "10.0.0.1:80 weight=2.5",
                           " 10.0.0.1:80\t weight=2.5 "}) {
    const auto spec = ParseBackend(text);
    ASSERT_TRUE(spec.ok()) << spec.status();
    EXPECT_EQ(Text({*spec}), "10.0.0.1:80*2.5");
  }
  EXPECT_EQ(ParseBackend("unix:/run/s.sock")->weight, 1);
}

TEST(ParseBackend, RefusesTheRest) {
  for (const char* text :
       {"", " ", "10.0.0.1", "10.0.0.1:80,weight=0", "10.0.0.1:80,weight=-1",
        "10.0.0.1:80,weight=nan", "10.0.0.1:80,weight=x", "10.0.0.1:80,height=2",
        "10.0.0.1:80,weight=1e9"}) {
    EXPECT_EQ(ParseBackend(text).status().code(), absl::StatusCode::kInvalidArgument)
        << text;
  }
}

TEST(ParseBackendList, NamesTheLineThatIsWrong) {
  EXPECT_EQ(Text(*ParseBackendList("# ours\n\n a:1 weight=2 # big\nb:2\n")),
            "a:1*2 b:2");
  const auto bad = ParseBackendList("a:1\n\nb\n");
  EXPECT_NE(bad.status().message().find("line 3"), absl::string_view::npos)
      << bad.status();
  EXPECT_FALSE(ParseBackendList("a:1\na:1 weight=2").ok());
  EXPECT_FALSE(ParseBackendList("# none\n").ok());
}

class BackendDirectoryTest : public ::testing::Test {
 protected:
  BackendDirectoryTest()
      : directory_(
            {.read = [this](const std::string& path) -> absl::StatusOr<std::string> {
               if (files_.count(path) == 0) return NotFound("no ", path);
               return files_[path];
             },
             .resolve =
                 [this](const Address& name) -> absl::StatusOr<std::vector<Address>> {
               ++lookups_;
               if (hosts_.count(name.host()) == 0) {
                 return NotFound("no host ", name.host());
               }
               std::vector<Address> found;
               for (const std::string& host : hosts_[name.host()]) {
                 found.push_back(Address::Tcp(host, name.port()));
               }
               return found;
             }}) {}

  bool RefreshAt(int64_t seconds) {
    return directory_.Refresh(absl::UnixEpoch() + absl::Seconds(seconds), kInterval);
  }
  std::string Backends() { return Text(directory_.backends()); }

  std::map<std::string, std::string> files_;
  std::map<std::string, std::vector<std::string>> hosts_;
  int lookups_ = 0;
  BackendDirectory directory_;
};

TEST_F(BackendDirectoryTest, AFileIsReadAgainAndTakenAsAWhole) {
  files_["list"] = "a:1\nb:2 weight=3\n";
  ASSERT_TRUE(directory_.AddSource("file:list").ok());
  EXPECT_TRUE(RefreshAt(0));
  EXPECT_EQ(Backends(), "a:1 b:2*3");
  EXPECT_FALSE(RefreshAt(1));
  files_["list"] = "a:1\nnonsense\n";
  EXPECT_FALSE(RefreshAt(2));
  EXPECT_EQ(Backends(), "a:1 b:2*3") << "half a list is none";
  files_.clear();
  EXPECT_FALSE(RefreshAt(3));
  EXPECT_EQ(Backends(), "a:1 b:2*3");
  files_["list"] = "c:3\n";
  EXPECT_TRUE(RefreshAt(4));
  EXPECT_EQ(Backends(), "c:3");
  EXPECT_TRUE(directory_.first_error().ok());
}

TEST_F(BackendDirectoryTest, WhereThereAreNoneTheErrorIsTheCallersToTell) {
  const LogLines complaints("backends_not_read");
  ASSERT_TRUE(directory_.AddSource("file:none").ok());
  RefreshAt(0);
  EXPECT_EQ(complaints.count(), 0);
  EXPECT_FALSE(directory_.first_error().ok());
  files_["list"] = "a:1\n";
  ASSERT_TRUE(directory_.AddSource("file:list").ok());
  ASSERT_TRUE(directory_.AddSource("file:none2").ok());
  RefreshAt(1);
  EXPECT_EQ(complaints.count(), 1) << "here nobody else says it";
}

TEST_F(BackendDirectoryTest, EachBadEditIsLoggedOnce) {
  const LogLines complaints("backends_not_read");
  files_["list"] = "a:1\n";
  ASSERT_TRUE(directory_.AddSource("file:list").ok());
  RefreshAt(0);
  EXPECT_EQ(complaints.count(), 0);
  int64_t at = 1;
  for (const char* edit : {"nonsense\n", "nonsense 2\n", "nonsense 2\n#\n"}) {
    const int before = complaints.count();
    files_["list"] = edit;
    for (int i = 0; i < 3; ++i) RefreshAt(at++);
    EXPECT_EQ(complaints.count(), before + 1) << edit;
  }
  files_.clear();
  for (int i = 0; i < 3; ++i) RefreshAt(at++);
  EXPECT_EQ(complaints.count(), 4);
  files_["list"] = "b:1\n";
  RefreshAt(at++);
  files_["list"] = "nonsense\n";
  RefreshAt(at++);
  EXPECT_EQ(complaints.count(), 5);
}

TEST_F(BackendDirectoryTest, ANameIsResolvedNowAndThen) {
  hosts_["pool"] = {"10.0.0.2", "10.0.0.1", "10.0.0.2"};
  ASSERT_TRUE(directory_.AddSource("dns:pool:80,weight=2").ok());
  EXPECT_TRUE(RefreshAt(0));
  EXPECT_EQ(Backends(), "10.0.0.1:80*2 10.0.0.2:80*2");
  hosts_["pool"] = {"10.0.0.3"};
  EXPECT_FALSE(RefreshAt(9));
  EXPECT_EQ(lookups_, 1);
  EXPECT_TRUE(RefreshAt(10));
  EXPECT_EQ(Backends(), "10.0.0.3:80*2");
  hosts_.clear();
  EXPECT_FALSE(RefreshAt(20));
  EXPECT_EQ(Backends(), "10.0.0.3:80*2")
      << "a name server that is down takes none away";
}

// A name server that answers when it is told to; lives as long as whoever asked it.
struct SlowNameServer {
  Mutex mutex;
  CondVar changed;
  bool asked ABSL_GUARDED_BY(mutex) = false;
  bool answers ABSL_GUARDED_BY(mutex) = false;
  int reads ABSL_GUARDED_BY(mutex) = 0;
};

TEST(BackendWatcherTest, ANameServerThatHangsHoldsUpNothing) {
  const auto server = std::make_shared<SlowNameServer>();
  BackendDirectory directory(
      {.read = [server](const std::string&) -> absl::StatusOr<std::string> {
         MutexLock lock(server->mutex);
         ++server->reads;
         server->changed.SignalAll();
         return StrCat("a:", server->reads, "\n");
       },
       .resolve = [server](const Address&) -> absl::StatusOr<std::vector<Address>> {
         MutexLock lock(server->mutex);
         server->asked = true;
         server->changed.SignalAll();
         while (!server->answers) server->changed.Wait(server->mutex);
         return std::vector<Address>{Address::Tcp("n", 1)};
       }});
  ASSERT_TRUE(directory.AddSource("dns:pool:80").ok());
  ASSERT_TRUE(directory.AddSource("file:list").ok());
  EXPECT_TRUE(directory.Refresh(absl::UnixEpoch(), kInterval, absl::ZeroDuration()));
  EXPECT_EQ(Text(directory.backends()), "a:1");
  EXPECT_EQ(directory.first_error().code(), absl::StatusCode::kDeadlineExceeded);
  {
    BackendWatcher watcher(directory, {.poll = absl::Milliseconds(1)},
                           [](const auto&) { return absl::OkStatus(); });
    MutexLock lock(server->mutex);
    while (!server->asked || server->reads < 5) server->changed.Wait(server->mutex);
  }
  // The watcher has ended; the answer that comes now is still taken.
  {
    MutexLock lock(server->mutex);
    server->answers = true;
    server->changed.SignalAll();
  }
  EXPECT_TRUE(directory.Refresh(absl::UnixEpoch(), kInterval));
  EXPECT_TRUE(Text(directory.backends()).starts_with("n:1 "))
      << Text(directory.backends());
}

TEST_F(BackendDirectoryTest, SourcesAndOrdersAreMerged) {
  files_["list"] = "a:1\nb:1 weight=4\n";
  ASSERT_TRUE(directory_.AddSource("b:1,weight=2").ok());
  ASSERT_TRUE(directory_.AddSource("file:list").ok());
  RefreshAt(0);
  EXPECT_EQ(Backends(), "b:1*2 a:1");
  ASSERT_TRUE(directory_.Remove(Address::Tcp("b", 1)).ok());
  EXPECT_EQ(Backends(), "a:1");
  EXPECT_EQ(directory_.Remove(Address::Tcp("a", 1)).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(directory_.Remove(Address::Tcp("x", 1)).code(),
            absl::StatusCode::kNotFound);
  EXPECT_FALSE(RefreshAt(1)) << "what an operator took out stays out";
  ASSERT_TRUE(directory_.Add({Address::Tcp("b", 1), 7}).ok());
  ASSERT_TRUE(directory_.Add({Address::Tcp("d", 1)}).ok());
  EXPECT_EQ(Backends(), "b:1*7 d:1 a:1");
}

TEST_F(BackendDirectoryTest, SaysWhyNothingIsKnown) {
  ASSERT_TRUE(directory_.AddSource("file:missing").ok());
  RefreshAt(0);
  EXPECT_EQ(Backends(), "");
  EXPECT_EQ(directory_.first_error().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(directory_.AddSource("file:").ok());
  EXPECT_FALSE(directory_.AddSource("dns:nowhere").ok());
  EXPECT_FALSE(directory_.AddSource("dns:unix:/x").ok());
}

}  // namespace
}  // namespace skep

// A fleet under TLS, as an operator sets it up: authority, certificates, tokens; and
// those who are not let in.

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/process.h"
#include "tools/exit_code.h"

namespace skep {
namespace {

using Words = std::vector<std::string>;

Words operator+(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

class SecureFleet : public testing::Test {
 protected:
  void SetUp() override {
    Expect(Skep({"cert", "init", authority_, "--fleet", "bees"}), kOk, "fingerprint");
    Expect(Skep({"cert", "issue", authority_, "master"}), kOk, "skep://bees/master");
    Expect(Skep({"cert", "issue", authority_, "worker-1"}), kOk, "--tls");
    Expect(Skep({"cert", "issue", authority_, "client"}), kOk, "--tls");
  }

  static void Expect(const Outcome& outcome, int exit_code, const std::string& text) {
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.out << outcome.err;
    EXPECT_NE((outcome.out + outcome.err).find(text), std::string::npos)
        << "expected: " << text << "\nout: " << outcome.out << "\nerr: " << outcome.err;
  }

  std::string Tls(const std::string& name) const { return authority_ + "/" + name; }

  void StartMaster() {
    master_ = std::make_unique<Process>(
        SkepArgv({"master", "--listen", "127.0.0.1:0", "--tls", Tls("master"), "--join",
                  "127.0.0.1:0", "--authority", authority_}));
    ASSERT_TRUE(master_->WaitForText("join at ")) << master_->err();
    address_ = WordAfter(master_->out(), "listening on ");
    join_ = WordAfter(master_->out(), "join at ");
  }

  std::unique_ptr<Process> StartWorker(const Words& flags) {
    return std::make_unique<Process>(
        SkepArgv(Words{"worker", "--master", address_, "--slots", "1"} + flags));
  }

  std::string Token(const std::string& how_long) {
    std::string token = Skep({"cert", "token", authority_, "--for", how_long}).out;
    if (!token.empty()) token.pop_back();
    return token;
  }

  Outcome Join(const std::string& token, const std::string& folder) {
    return Skep({"cert", "join", join_, "worker-7", "--token", token, "--out", folder});
  }

  const std::string folder_ = TestFolder();
  const std::string authority_ = folder_ + "/ca";
  std::unique_ptr<Process> master_;
  std::string address_;
  std::string join_;
};

TEST_F(SecureFleet, RunsJobsAndTakesInWhoHasAToken) {
  StartMaster();
  Expect(Join(Token("10m"), folder_ + "/joined"), kOk,
         "joined as skep://bees/worker-7");
  Expect(Skep({"cert", "show", folder_ + "/joined/cert.pem"}), kOk,
         "member skep://bees/worker-7");

  const auto first = StartWorker({"--tls", Tls("worker-1")});
  const auto joined = StartWorker({"--tls", folder_ + "/joined"});
  ASSERT_TRUE(first->WaitForText("registered with")) << first->err();
  ASSERT_TRUE(joined->WaitForText("registered with")) << joined->err();
  WriteWholeFile(folder_ + "/words", "one two two three three three\n");
  Expect(Skep({"submit", "wordcount", "--top", "2", "--master", address_, "--tls",
               Tls("client"), folder_ + "/words"}),
         kOk, "three");
  Expect(Skep({"jobs", "--master", address_, "--tls", Tls("client")}), kOk,
         "wordcount");
  Expect(Skep({"rpc", "list", address_, "--tls", Tls("client")}), kOk,
         "skep.MasterService");
}

TEST_F(SecureFleet, RefusesWhoHasNoGoodToken) {
  StartMaster();
  const std::string short_lived = Token("1s");
  std::string forged = Token("10m");
  forged.back() = forged.back() == '0' ? '1' : '0';
  Expect(Join(forged, folder_ + "/forged"), kJobFailed, "not one of this fleet's");
  for (const char* const bad : {"inf", "-1m", "10000h", "0s"}) {
    Expect(Skep({"cert", "token", authority_, "--for", bad}), kUsage, "at most");
  }
  Expect(Skep({"cert", "issue", authority_, "x", "--days", "0"}), kUsage, "--days");
  // What stands in the way is found before the token is shown to anybody.
  Expect(Join(Token("10m"), Tls("client")), kFiles, "take another folder");
  Expect(Skep({"cert", "join", address_, "x", "--token", Token("10m"), "--out",
               folder_ + "/port"}),
         kUnavailable, "is no join port");
  absl::SleepFor(absl::Seconds(1));
  Expect(Join(short_lived, folder_ + "/late"), kJobFailed, "expired at");
  Expect(Join("skep1.abc", folder_ + "/none"), kUsage, "no join token");
  Expect(Skep({"cert", "init", folder_ + "/other", "--fleet", "bees"}), kOk, "");
  std::string others = Skep({"cert", "token", folder_ + "/other"}).out;
  others.pop_back();
  Expect(Join(others, folder_ + "/others"), kUnavailable, "unknown authority");
}

TEST_F(SecureFleet, RefusesWhoIsNoMember) {
  StartMaster();
  const std::string other = folder_ + "/other";
  Skep({"cert", "init", other, "--fleet", "bees"});
  Skep({"cert", "issue", other, "worker-1"});
  const auto stranger = StartWorker({"--tls", other + "/worker-1"});
  const auto plain = StartWorker({});
  EXPECT_TRUE(stranger->WaitForText("unknown authority")) << stranger->err();
  EXPECT_TRUE(plain->WaitForText("it speaks TLS alone")) << plain->err();
  EXPECT_TRUE(master_->WaitForText("does not speak TLS")) << master_->err();
  Expect(Skep({"jobs", "--master", address_}), kUnavailable, "give --tls DIR");
  Expect(Skep({"jobs", "--master", address_, "--tls", other + "/worker-1"}),
         kUnavailable, "unknown authority");
  EXPECT_TRUE(stranger->WaitForText("still trying to register")) << stranger->err();
  EXPECT_TRUE(plain->WaitForText("still trying to register")) << plain->err();
  // It has tried at least twice by now, and goes on; it says the same but once.
  const std::string said = plain->err();
  EXPECT_EQ(said.find("refused_by"), said.rfind("refused_by")) << said;
  EXPECT_EQ(said.find("still trying"), said.rfind("still trying")) << said;
}

// gRPC's client knows whom the authority has called back, too.
TEST_F(SecureFleet, ARevokedMemberCannotPlayTheMaster) {
  Expect(Skep({"cert", "issue", authority_, "thief"}), kOk, "good until");
  // As a thief would have it: without the list.
  ASSERT_EQ(RunShell("cp -r " + Tls("thief") + " " + folder_ + "/stolen").exit_code, 0);
  Process fake(
      SkepArgv({"master", "--listen", "127.0.0.1:0", "--tls", folder_ + "/stolen"}));
  ASSERT_TRUE(fake.WaitForText("listening on ")) << fake.err();
  const Words jobs = {"jobs", "--master", WordAfter(fake.out(), "listening on "),
                      "--tls", Tls("client")};
  Expect(Skep(jobs), kOk, "");
  Expect(Skep({"cert", "revoke", authority_, "thief"}), kOk, "revoked ");
  Expect(Skep(jobs), kUnavailable, "its certificate is revoked");
}

// One error, and what to do: nobody waits in vain, and no log line stands before it.
TEST_F(SecureFleet, TlsOnOneSideAloneEndsInOneClearError) {
  Process secure(
      SkepArgv({"serve", "echo", "--listen", "127.0.0.1:0", "--tls", Tls("worker-1")}));
  Process plain(SkepArgv({"serve", "echo", "--listen", "127.0.0.1:0"}));
  ASSERT_TRUE(secure.WaitForText("serving echo on ")) << secure.err();
  ASSERT_TRUE(plain.WaitForText("serving echo on ")) << plain.err();
  const std::string with = WordAfter(secure.out(), "serving echo on ");
  const std::string without = WordAfter(plain.out(), "serving echo on ");
  const Words tls = {"--tls", Tls("client")};
  const auto call = [](const std::string& at) {
    return Words{"rpc", "call", at, "echo.EchoService.Echo", "{\"payload\":\"hi\"}"};
  };
  const auto load = [](const std::string& at) {
    return Words{"load", "echo", "--target", at, "--requests", "10"};
  };
  for (const Words& command : {call(with), load(with)}) {
    const Outcome outcome = Skep(command, {}, absl::Seconds(20));
    Expect(outcome, kUnavailable, "it speaks TLS alone: give --tls DIR");
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1)
        << outcome.err;
  }
  for (const Words& command : {call(without) + tls, load(without) + tls,
                               Words{"jobs", "--master", without} + tls}) {
    const Outcome outcome = Skep(command, {}, absl::Seconds(20));
    Expect(outcome, kUnavailable, "it may not speak TLS");
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1)
        << outcome.err;
  }
  ASSERT_EQ(chmod((Tls("client") + "/key.pem").c_str(), 0644), 0);
  Expect(Skep(call(with) + tls), kFiles, "chmod 600");
  Expect(Skep(call(with) + Words{"--tls", folder_ + "/none"}), kFiles, "ca.pem");
  Expect(Skep({"serve", "echo", "--listen", "127.0.0.1:0", "--tls", Tls("worker-1"),
               "--stats", "0.0.0.0:0"}),
         kUsage, "HTTP in plain text, with or without --tls");
  Expect(Skep({"balance", "--listen", "127.0.0.1:0", "--backend", with, "--backend-tls",
               Tls("nope")}),
         kFiles, "--backend-tls " + Tls("nope"));
  // Its operator is told why; clients are if they may know.
  Process balancer(SkepArgv(
      {"balance", "--listen", "127.0.0.1:0", "--backend", with, "--tell-backends"}));
  ASSERT_TRUE(balancer.WaitForText("--backend-tls DIR")) << balancer.err();
  Expect(Skep(call(WordAfter(balancer.out(), "balancing "))), kUnavailable,
         "--backend-tls DIR");
}

// --- A year of operation
// ----------------------------------------------------------------

TEST_F(SecureFleet, ARenewedCertificateNeedsNoRestart) {
  StartMaster();
  Process server(
      SkepArgv({"serve", "echo", "--listen", "127.0.0.1:0", "--tls", Tls("worker-1"),
                "--stats", "127.0.0.1:0", "--log-level", "info"}));
  ASSERT_TRUE(server.WaitForText("statistics on ")) << server.err();
  const Words call = {"rpc",
                      "call",
                      WordAfter(server.out(), "serving echo on "),
                      "echo.EchoService.Echo",
                      "{\"payload\":\"hi\"}",
                      "--tls",
                      Tls("client")};
  const auto seconds_left = [&] {
    std::string page = WordAfter(server.out(), "statistics on http://");
    page.pop_back();  // the slash
    page.replace(page.find(':'), 1, "/");
    const std::string text =
        RunShell("exec 3<>/dev/tcp/" + page +
                 " && printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3")
            .out;
    const std::string metric = "\nskep_tls_certificate_seconds_left ";
    EXPECT_NE(text.find(metric), std::string::npos) << text;
    return std::atof(WordAfter(text, metric).c_str());
  };
  const double before = seconds_left();
  EXPECT_GT(before, 86400 * 364);

  Expect(Skep({"cert", "renew", authority_, Tls("worker-1"), "--days", "500"}), kOk,
         "is good until");
  ASSERT_TRUE(server.WaitForText("tls_reloaded")) << server.err();
  Expect(Skep(call), kOk, "hi");
  EXPECT_GT(seconds_left(), before + 86400 * 100);

  // By the join port, as on a machine that has no authority: as long as it was made
  // for.
  Expect(Skep({"cert", "renew", join_, Tls("client")}), kOk, "is good until");
  const std::string shown = Skep({"cert", "show", Tls("client")}).out;
  Expect(Skep({"cert", "show", Tls("client"), "--json"}), kOk, "\"hosts\":[");
  bool as_long = false;
  for (const int days : {364, 365, 366}) {
    as_long |= shown.find(absl::FormatTime("until %Y-%m-%d",
                                           absl::Now() + absl::Hours(24 * days),
                                           absl::UTCTimeZone())) != std::string::npos;
  }
  EXPECT_TRUE(as_long) << shown;
  Expect(Skep({"cert", "renew", address_, Tls("client")}), kUnavailable,
         "no join port");
  Expect(Skep(call), kOk, "hi");

  WriteWholeFile(Tls("worker-1") + "/cert.pem", "a slip of the editor\n");
  ASSERT_TRUE(server.WaitForText("tls_not_reloaded")) << server.err();
  Expect(Skep(call), kOk, "hi");
}

// While its job goes on: its connection ends at the next word, and it is told why.
TEST_F(SecureFleet, ARevokedSubmitterIsToldSo) {
  StartMaster();
  const auto worker = StartWorker({"--tls", Tls("worker-1")});
  Process submitter(SkepArgv({"submit", "nqueens", "--n", "19", "--master", address_,
                              "--tls", Tls("client")}));
  const Words jobs = {"jobs", "--master", address_, "--tls", Tls("master")};
  for (int i = 0; i < 100 && Skep(jobs).out.find("running") == std::string::npos; ++i) {
    absl::SleepFor(absl::Milliseconds(100));
  }
  Expect(Skep({"cert", "revoke", authority_, "client"}), kOk, "revoked ");
  const Outcome ended = submitter.Wait(absl::Seconds(40));
  Expect(ended, kUnavailable, "it refused our certificate: revoked");
  Expect(ended, kUnavailable, "job 1 may still run");
  EXPECT_EQ(ended.err.find("lost the master"), std::string::npos) << ended.err;
}

TEST_F(SecureFleet, ARevokedMemberIsPutOutAndNotLetInAgain) {
  StartMaster();
  const auto worker = StartWorker({"--tls", Tls("worker-1")});
  ASSERT_TRUE(worker->WaitForText("registered with")) << worker->err();
  const Words jobs = {"jobs", "--master", address_, "--tls", Tls("client")};
  Expect(Skep(jobs), kOk, "");
  Expect(Skep({"cert", "list", authority_}), kOk, "worker-1");

  Expect(Skep({"cert", "revoke", authority_, "worker-1"}), kOk, "revoked ");
  EXPECT_TRUE(master_->WaitForText("skep://bees/worker-1 was revoked"))
      << master_->err();
  EXPECT_TRUE(worker->WaitForText("it refused our certificate: revoked"))
      << worker->err();
  Expect(Skep(jobs), kOk, "");
  Expect(Skep({"cert", "revoke", authority_, "client"}), kOk, "revoked ");
  // A copy of its folder without the list, as a thief would have it.
  ASSERT_EQ(RunShell("cp -r " + Tls("client") + " " + folder_ + "/stolen && rm " +
                     folder_ + "/stolen/revoked.pem")
                .exit_code,
            0);
  EXPECT_TRUE(master_->running());
  const Words stolen = {"jobs", "--master", address_, "--tls", folder_ + "/stolen"};
  Outcome refused = Skep(stolen);
  // The master looks at its folder every 2 s.
  for (int i = 0; i < 100 && refused.exit_code == kOk; ++i) {
    absl::SleepFor(absl::Milliseconds(200));
    refused = Skep(stolen);
  }
  Expect(refused, kUnavailable, "it refused our certificate: revoked");
  Expect(Skep({"cert", "renew", join_, folder_ + "/stolen"}), kJobFailed, "is revoked");
  Expect(Skep({"cert", "revoke", authority_, "nobody"}), kFiles, "cert list");
}

// TLS on either side of the balancer, and on neither.
TEST_F(SecureFleet, BalancesBetweenPlainAndSecureSides) {
  Process secure(
      SkepArgv({"serve", "echo", "--listen", "127.0.0.1:0", "--tls", Tls("worker-1")}));
  ASSERT_TRUE(secure.WaitForText("serving echo on ")) << secure.err();
  Process plain(SkepArgv({"serve", "echo", "--listen", "127.0.0.1:0"}));
  ASSERT_TRUE(plain.WaitForText("serving echo on ")) << plain.err();
  const Words to_secure = {"--backend", WordAfter(secure.out(), "serving echo on "),
                           "--backend-tls", Tls("client")};
  const Words to_plain = {"--backend", WordAfter(plain.out(), "serving echo on ")};
  for (const Words& backends : {to_secure, to_plain}) {
    for (const Words& clients : {Words{"--tls", Tls("master")}, Words{}}) {
      Process balancer(
          SkepArgv(Words{"balance", "--listen", "127.0.0.1:0"} + backends + clients));
      ASSERT_TRUE(balancer.WaitForText("balancing ")) << balancer.err();
      const std::string at = WordAfter(balancer.out(), "balancing ");
      const Words ours = clients.empty() ? Words{} : Words{"--tls", Tls("client")};
      Expect(Skep(Words{"rpc", "call", at, "echo.EchoService.Echo",
                        "{\"payload\":\"hi\"}"} +
                  ours),
             kOk, "hi");
      Expect(Skep(Words{"load", "echo", "--target", at, "--requests", "100"} + ours),
             kOk, "100");
    }
  }
}

TEST_F(SecureFleet, PlainTextAcrossMachinesIsAskedForByName) {
  const std::string elsewhere = "192.0.2.1:7700";  // of no machine (RFC 5737)
  for (const Words& command :
       {Words{"jobs", "--master", elsewhere}, Words{"worker", "--master", elsewhere},
        Words{"submit", "nqueens", "--n", "4", "--master", elsewhere},
        Words{"rpc", "list", elsewhere}, Words{"load", "echo", "--target", elsewhere},
        Words{"balance", "--listen", "127.0.0.1:0", "--backend", elsewhere},
        Words{"serve", "echo", "--listen", "0.0.0.0:0"},
        Words{"master", "--listen", "0.0.0.0:0"}}) {
    SCOPED_TRACE(command[0]);
    Expect(Skep(command), kUsage, "--plaintext");
  }
  Expect(Skep({"rpc", "list", elsewhere, "--plaintext", "--timeout", "1"}),
         kUnavailable, elsewhere);
  Process open(SkepArgv({"serve", "echo", "--listen", "0.0.0.0:0", "--plaintext"}));
  EXPECT_TRUE(open.WaitForText("serving echo on ")) << open.err();
  Process secure(
      SkepArgv({"serve", "echo", "--listen", "0.0.0.0:0", "--tls", Tls("worker-1")}));
  EXPECT_TRUE(secure.WaitForText("serving echo on ")) << secure.err();
}

}  // namespace
}  // namespace skep

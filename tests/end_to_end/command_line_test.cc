// What the command says and how it ends when it is used wrongly, or cannot do its work.

#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>

#include "gtest/gtest.h"
#include "tests/end_to_end/process.h"
#include "tools/exit_code.h"

namespace skep {
namespace {

namespace fs = std::filesystem;

// One line on stderr that contains `what`, nothing on stdout.
void ExpectError(const Outcome& outcome, int exit_code, const std::string& what) {
  EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_NE(outcome.err.find(what), std::string::npos) << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
}

TEST(CommandLineTest, EveryCommandHasHelpWithAnExample) {
  const Outcome help = Skep({"--help"});
  EXPECT_EQ(help.exit_code, kOk);
  EXPECT_NE(help.out.find("Exit codes:"), std::string::npos);
  for (const char* command :
       {"run", "submit", "jobs", "status", "cancel", "master", "worker", "version"}) {
    EXPECT_NE(help.out.find(std::string("\n  ") + command), std::string::npos)
        << command;
    const Outcome one = Skep({command, "--help"});
    EXPECT_EQ(one.exit_code, kOk) << command;
    EXPECT_NE(one.out.find(std::string("skep ") + command), std::string::npos)
        << command;
    EXPECT_NE(one.out.find("Examples:"), std::string::npos) << command;
  }
}

TEST(CommandLineTest, EveryJobHasHelpWithItsFlags) {
  const Outcome jobs = Skep({"run", "--help"});
  EXPECT_NE(jobs.out.find("wordcount"), std::string::npos) << jobs.out;
  const Outcome wordcount = Skep({"run", "wordcount", "--help"});
  EXPECT_EQ(wordcount.exit_code, kOk);
  EXPECT_NE(wordcount.out.find("--ignore-case"), std::string::npos) << wordcount.out;
  EXPECT_NE(wordcount.out.find("--output"), std::string::npos);
}

TEST(CommandLineTest, WrongNamesAreAnsweredWithTheNearest) {
  ExpectError(Skep({}), kUsage, "name a command");
  ExpectError(Skep({"rnu"}), kUsage, "did you mean run?");
  ExpectError(Skep({"run", "wordcuont", "x"}), kUsage, "did you mean wordcount?");
  ExpectError(Skep({"run", "wordcount", "--tpo", "3", "x"}), kUsage,
              "did you mean --top?");
  ExpectError(Skep({"run", "--wokers", "3", "wordcount", "x"}), kUsage,
              "did you mean --workers?");
  ExpectError(Skep({"master", "--lisen", "x"}), kUsage, "did you mean --listen?");
}

TEST(CommandLineTest, WrongValuesAreSaid) {
  ExpectError(Skep({"run", "wordcount", "--top", "many", "x"}), kUsage, "many");
  ExpectError(Skep({"run", "wordcount", "--workers", "0", "x"}), kUsage, "--workers");
  ExpectError(Skep({"run", "wordcount", "--memory", "lots", "x"}), kUsage, "lots");
  ExpectError(Skep({"master", "--listen", "host:port:x"}), kUsage, "--listen");
  ExpectError(Skep({"status", "seven"}), kUsage, "seven");
}

TEST(CommandLineTest, InputsThatAreNotThereAreNamed) {
  ExpectError(Skep({"run", "wordcount", "--top", "3", "/no/such/file"}), kFiles,
              "/no/such/file");
  ExpectError(Skep({"run", "wordcount", "--top", "3", "/no/such/*.txt"}), kFiles,
              "/no/such/*.txt");
  ExpectError(Skep({"run", "wordcount", "--top", "3"}), kUsage, "wants input");
  ExpectError(Skep({"run", "nqueens", "--n", "6", "file"}), kUsage, "takes no input");
  ExpectError(Skep({"run", "wordcount", "--top", "3", "-", "-"}), kUsage, "once");
}

TEST(CommandLineTest, AMasterThatIsNotThereIsUnavailable) {
  for (const char* command : {"jobs", "status", "cancel"}) {
    std::vector<std::string> args = {command, "--master", "127.0.0.1:1"};
    if (std::string(command) != "jobs") args.push_back("1");
    ExpectError(Skep(args), kUnavailable, "127.0.0.1:1");
  }
  ExpectError(Skep({"submit", "nqueens", "--n", "6", "--master", "127.0.0.1:1"}),
              kUnavailable, "skep master");
}

TEST(CommandLineTest, OnlyLoopbackIsListenedOn) {
  ExpectError(Skep({"master", "--listen", "0.0.0.0:0"}), kUsage, "--plaintext");
  ExpectError(Skep({"worker", "--listen", "0.0.0.0:0"}), kUsage, "--plaintext");
}

TEST(CommandLineTest, AnAddressThatIsTakenIsSaid) {
  Process first(SkepArgv({"master", "--listen", "127.0.0.1:0"}));
  ASSERT_TRUE(first.WaitForText("listening on ")) << first.err();
  std::string address = first.out().substr(first.out().find("127."));
  address.pop_back();
  ExpectError(Skep({"master", "--listen", address}), kUnavailable, address);
}

TEST(CommandLineTest, AnOutputDirectoryThatIsNotEmptyIsRefused) {
  const std::string folder = TestFolder();
  WriteWholeFile(folder + "/book.txt", "a b a\n");
  ExpectError(Skep({"run", "wordcount", "--output", folder, folder + "/book.txt"}),
              kFiles, "not empty");
  EXPECT_EQ(ReadWholeFile(folder + "/book.txt"), "a b a\n");
  ExpectError(Skep({"run", "nqueens", "--n", "6", "--output", folder + "/x"}), kUsage,
              "--output");
}

TEST(CommandLineTest, AFullDiskIsAnErrorAndLeavesNothingThatLooksWhole) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can mount a small file system";
  const std::string folder = TestFolder();
  if (mount("none", folder.c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "cannot mount a small file system here";
  }
  std::string text;
  for (int i = 0; i < 40'000; ++i) text += "word" + std::to_string(i) + "\n";
  const std::string input = TestFolder() + "/words.txt";
  WriteWholeFile(input, text);
  const Outcome outcome =
      Skep({"run", "wordcount", "--output", folder + "/counts", input});
  EXPECT_NE(outcome.exit_code, kOk);
  EXPECT_NE(outcome.err.find("No space left"), std::string::npos) << outcome.err;
  EXPECT_FALSE(fs::exists(folder + "/counts/_SUCCESS"));
  EXPECT_FALSE(fs::exists(folder + "/counts/part-00000"));
  umount(folder.c_str());
}

TEST(CommandLineTest, AFullStandardOutputIsAnError) {
  const Outcome outcome =
      RunShell("echo a b | " + SkepBinary() + " run wordcount --top 2 - > /dev/full");
  EXPECT_EQ(outcome.exit_code, kFiles) << outcome.err;
  EXPECT_NE(outcome.err.find("standard output"), std::string::npos) << outcome.err;
}

TEST(CommandLineTest, AReaderThatLeavesIsNoError) {
  const Outcome outcome = RunShell("seq 1 300000 | " + SkepBinary() +
                                   " run wordcount --quiet - | head -n 1 | wc -l");
  EXPECT_EQ(outcome.exit_code, kOk) << outcome.err;
  EXPECT_EQ(outcome.out, "1\n");
  EXPECT_EQ(outcome.err, "");
}

TEST(CommandLineTest, CtrlCCancelsTheJob) {
  Process process(SkepArgv({"run", "nqueens", "--n", "19"}));
  absl::SleepFor(absl::Seconds(1));
  process.Kill(SIGINT);
  const Outcome outcome = process.Wait(absl::Seconds(20));
  EXPECT_EQ(outcome.exit_code, kCancelled) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_NE(outcome.err.find("was cancelled"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace skep

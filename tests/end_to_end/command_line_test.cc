// What the command says and how it ends when it is used wrongly, or cannot do its work.

#include <signal.h>
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
              kUnavailable, "start it with `skep master --listen 127.0.0.1:1`");
}

TEST(CommandLineTest, AServerThatHasJustBeenStartedIsWaitedFor) {
  Process first(SkepArgv({"serve", "echo", "--listen", "127.0.0.1:0"}));
  ASSERT_TRUE(first.WaitForText("serving echo on ")) << first.err();
  const std::string at = WordAfter(first.out(), "serving echo on ");
  first.Kill(SIGKILL);
  first.Wait();
  using Words = std::vector<std::string>;
  for (const auto& [server, question] : std::vector<std::pair<Words, Words>>{
           {{"serve", "echo", "--listen", at}, {"rpc", "list", at}},
           {{"serve", "echo", "--listen", at},
            {"load", "echo", "--requests", "1", "--target", at}},
           {{"master", "--listen", at}, {"jobs", "--master", at}}}) {
    Process early(SkepArgv(question));
    absl::SleepFor(absl::Milliseconds(100));  // it finds nobody
    Process late(SkepArgv(server));
    const Outcome outcome = early.Wait(absl::Seconds(20));
    EXPECT_EQ(outcome.exit_code, kOk) << outcome.err;
    late.Kill(SIGTERM);
    EXPECT_EQ(late.Wait(absl::Seconds(20)).exit_code, kOk);
  }
}

TEST(CommandLineTest, AServerOfAnotherKindIsNoMaster) {
  Process server(SkepArgv({"serve", "echo", "--listen", "127.0.0.1:0"}));
  ASSERT_TRUE(server.WaitForText("serving echo on ")) << server.err();
  const std::string at = WordAfter(server.out(), "serving echo on ");
  ExpectError(Skep({"jobs", "--master", at}), kUnavailable,
              "does not answer as a master does");
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

TEST(CommandLineTest, WhatServesSaysOneThingAndTheRightOne) {
  ExpectError(Skep({"balance", "--listen", "127.0.0.1:0", "--backend", "file:nofile"}),
              kFiles, "nofile");
  Process server(SkepArgv(
      {"serve", "sudoku", "--listen", "127.0.0.1:0", "--stats", "127.0.0.1:0"}));
  ASSERT_TRUE(server.WaitForText("statistics on ")) << server.err();
  const std::string at = WordAfter(server.out(), "serving sudoku on ");
  ExpectError(Skep({"serve", "echo", "--listen", "127.0.0.1:0", "--stats", at}),
              kUnavailable, at);
  ExpectError(Skep({"rpc", "top", at, "--once", "--timeout", "1"}), kUnavailable,
              "--stats");
  ExpectError(Skep({"rpc", "call", at, "sudoku.SudokuService.Solve", "{\"a\": }"}),
              kUsage, "at byte 7");
  ExpectError(Skep({"rpc", "call", at, "sudoku.SudokuService.Solve", "{\"a\": 1}"}),
              kUsage, "its fields: ");
  ExpectError(Skep({"rpc", "call", at, "sudoku.SudokuService.Solve", "[1]"}), kUsage,
              "SudokuRequest: Root element");
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

TEST(CommandLineTest, ExitCodesAreThoseOfTheTable) {
  const std::string folder = TestFolder();
  WriteWholeFile(folder + "/t", "a b a\n");
  Process taken(SkepArgv({"serve", "echo", "--listen", "127.0.0.1:0"}));
  ASSERT_TRUE(taken.WaitForText("serving echo on ")) << taken.err();
  std::string address = taken.out().substr(taken.out().find("127."));
  address = address.substr(0, address.find('\n'));
  ProcessOptions options;
  options.directory = folder;
  options.env = {"skep=" + SkepBinary(), "taken=" + address};
  const std::pair<int, const char*> kCases[] = {
      // What was printed and is lost; closed descriptors.
      {kFiles, "$skep version > /dev/full"},
      {kFiles, "$skep --help > /dev/full"},
      {kFiles, "$skep run wordcount --help > /dev/full"},
      {kFiles, "$skep rpc list $taken > /dev/full"},
      {kFiles, "$skep gen words --bytes 1M > /dev/full"},
      {kFiles, "$skep version >&-"},
      {kFiles, "$skep run wordcount --top 2 t >&-"},
      {kFiles, "$skep run wordcount --top 2 - <&-"},
      {kOk, "$skep --help | head -n 1"},
      // Files that are not there, or not what they should be.
      {kFiles, "$skep run wordcount --stop-words none --top 2 t"},
      {kFiles, "$skep run wordcount --scratch /proc/none --top 2 t"},
      {kFiles, "$skep run wordcount --log-dir /none --top 2 t"},
      {kFiles, "$skep run sort --output /dev/null t"},
      {kFiles, "$skep jobs --tls none"},
      {kFiles, "$skep serve echo --tls none"},
      {kFiles, "$skep serve median --numbers t"},
      {kFiles, "$skep serve echo --listen 127.0.0.1:0 --record none/x"},
      {kFiles, "$skep load --replay t --target $taken"},
      {kFiles, "$skep load sudoku --puzzles t --target $taken"},
      {kFiles, "$skep load echo --requests 1 --target $taken --plot none/x.svg"},
      {kFiles, "$skep balance --backend file:none"},
      {kFiles, "$skep master --listen 127.0.0.1:0 --journal /proc/none"},
      {kFiles, "$skep compare median --sizes 1K --rounds 1 --html none/x.html"},
      {kFiles, "$skep compare balancing --rounds 1 --html none/x.html"},
      {kFiles, "$skep compare median --sizes 1K --rounds 1 --html ."},
      {kFiles, "$skep run nqueens --n 6 --checkpoint t"},
      {kFiles, "$skep cert show t"},
      // Addresses.
      {kUnavailable, "$skep serve echo --listen $taken"},
      {kUnavailable, "$skep balance --listen $taken --backend 127.0.0.1:1"},
      {kUnavailable, "$skep worker --listen $taken --master 127.0.0.1:1"},
      {kUnavailable, "$skep submit wordcount --top 1 --listen $taken t"},
      {kUnavailable, "$skep rpc list 127.0.0.1:1"},
      {kUnavailable, "$skep balance --list --admin 127.0.0.1:1"},
      // The answer is no.
      {kJobFailed, "$skep run grep --pattern none t"},
      {kJobFailed, "$skep rpc call $taken echo.EchoService.None {}"},
      {kJobFailed, "$skep rpc call $taken none.Service.Echo {}"},
      // Flags that would be without effect, or say two things.
      {kUsage, "$skep run wordcount --top 2 --top 3 t"},
      {kUsage, "$skep run wordcount --top 2 --counters 9 t"},
      {kUsage, "$skep run quantile --q 0.5 --check t"},
      {kUsage, "$skep run median --group-by 1 --approx kll t"},
      {kUsage, "$skep run average --column 3 t"},
      {kUsage, "$skep run wordcount --top 2 --memory 0 t"},
      {kUsage, "$skep run wordcount --force --output x t"},
      {kUsage, "$skep run sort --force t"},
      {kUsage, "$skep run nqueens --n 6 --split-size 1M"},
      {kUsage, "$skep serve sudoku --delay 1s"},
      {kUsage, "$skep balance --mode late --policy random --backend 127.0.0.1:1"},
      {kUsage, "$skep load echo --rates 1k,2k --histogram x --target $taken"},
      {kUsage, "$skep load echo --speed 2 --target $taken"},
      {kUsage, "$skep rpc call $taken echo.EchoService.Echo {} --hedge 1ms"},
      {kOk, "$skep load echo --rate 1k --requests 5 --target $taken"},
      {kUsage, "$skep run sudoku --rate --unique t"},
      {kUsage, "$skep run wordcount --top 1 --words unicode --ignore-case t"},
      {kUsage, "$skep run wordcount --top 1 --checkpoint c t"},
      {kUsage, "$skep run sort --checkpoint c t"},
      {kUsage, "$skep submit nqueens --detach --json"},
      {kUsage, "$skep compare median --tls none"},
      {kUsage, "$skep compare median --sizes 1000G"},
      {kUsage, "$skep compare sudoku --sizes 0"},
      {kUsage, "$skep compare median --algorithms radix,radix --sizes 1K"},
      {kUsage, "$skep compare median --rounds 99999999999"},
      {kUsage, "$skep compare median --json -o table"},
      {kUsage, "$skep compare balancing --json -o table"},
      {kUsage, "$skep compare balancing --unit 1ms"},
      {kUsage, "$skep compare balancing --live --calls 2000"},
      {kUsage, "$skep bench rpc --long"},
      {kUsage, "$skep bench jobs --only none"},
      {kUsage, "$skep gen words --distribution uniform --s 2"},
      {kOk, "$skep run grep -c -e a --checkpoint c t && test -s c"},
      {kOk, "$skep run grep -x -e $'b\na b a' t"},
      {kOk, "test 2 = $(printf '\n\nx\n' | $skep run grep -c -x -e $'\n' -)"},
      // Input is bytes, and so are names of files.
      {kOk,
       "test $'caf\\xe9\\t2' = \"$(printf 'caf\\xe9 caf\\xe9\\n' | $skep run wordcount "
       "--top 1 -)\""},
      {kOk, "test 1 = $(printf '1 \\xe9 3\\n' | $skep run median -)"},
      {kOk, "cp t $'\\xe9'; $skep run grep -c -e a t $'\\xe9'"},
      {kOk, "$skep run wordcount --output $'o\\xe9' t && test -f $'o\\xe9'/_SUCCESS"},
      {kUsage, "$skep cert token ca --days 3"},
      {kUsage, "$skep cert list ca --only"},
      {kUsage, "$skep serve sudoku --threads 100000"},
      {kUsage, "$skep serve echo --threads 2"},
      {kUsage, "$skep serve echo --record-limit 1M"},
      {kUsage, "$skep balance --backend 127.0.0.1:1 --record-limit 1M"},
      {kUsage, "$skep balance --backend 127.0.0.1:1 --window 4"},
      {kUsage, "$skep balance --backend 127.0.0.1:1 --backend 127.0.0.1:1"},
      {kUsage, "$skep balance --admin $taken --drain $taken --undrain $taken"},
      {kUsage, "$skep balance --admin $taken --list --backend 127.0.0.1:1"},
      {kJobFailed,
       "$skep load sudoku --target $taken 2>&1 | grep 'does not serve'; "
       "$skep load sudoku --target $taken"},
      {kUnavailable, "$skep load sudoku --protocol text --target $taken"},
      {kUnavailable, "$skep load echo --target 127.0.0.1:1,127.0.0.1:2"},
      {kUsage, "$skep load echo --connections 9000000 --target $taken"},
      {kOk,
       "echo a > o; $skep compare sort --sizes 1K --rounds 1 --html /dev/stdout "
       ">> o && grep -q '^a$' o"},
      {kUsage, "$skep executor"},
      {kUsage, "$skep completion fish"},
  };
  for (const auto& [exit_code, command] : kCases) {
    const Outcome outcome = RunShell(command, options, absl::Seconds(20));
    EXPECT_EQ(outcome.exit_code, exit_code) << command << "\n" << outcome.err;
    if (exit_code != kOk && exit_code != kJobFailed) {
      EXPECT_NE(outcome.err.find("skep"), std::string::npos) << command;
    }
  }
}

TEST(CommandLineTest, HelpOfACommandIsItsOwn) {
  EXPECT_EQ(Skep({"help", "run", "wordcount"}).out,
            Skep({"run", "wordcount", "--help"}).out);
  const Outcome call = Skep({"rpc", "call", "--help"});
  EXPECT_NE(call.out.find("--hedge"), std::string::npos) << call.out;
  EXPECT_EQ(call.out.find("--interval"), std::string::npos) << call.out;
  ExpectError(Skep({"help", "rnu"}), kUsage, "did you mean run?");
}

TEST(CommandLineTest, TheShellIsToldWhatMayComeNext) {
  const auto complete = [](const std::string& words) {
    return RunShell("source <(" + SkepBinary() + " completion bash); skep() { " +
                    SkepBinary() + " \"$@\"; }; COMP_WORDS=(" + words +
                    "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _skep; "
                    "printf '%s ' \"${COMPREPLY[@]}\"")
        .out;
  };
  EXPECT_EQ(complete("skep ver"), "version ");
  EXPECT_EQ(complete("skep run word"), "wordcount ");
  EXPECT_EQ(complete("skep run wordcount --ignore"), "--ignore-case ");
  EXPECT_EQ(complete("skep gen n"), "numbers ");
  EXPECT_EQ(complete("skep run --executor ''"), "process thread ");
  EXPECT_EQ(complete("skep help run nqu"), "nqueens ");
  EXPECT_EQ(complete("skep run wordcount books/b"), " ");
}

TEST(CommandLineTest, AReaderThatLeavesIsNoError) {
  const Outcome outcome = RunShell("seq 1 300000 | " + SkepBinary() +
                                   " run wordcount --quiet - | head -n 1 | wc -l");
  EXPECT_EQ(outcome.exit_code, kOk) << outcome.err;
  EXPECT_EQ(outcome.out, "1\n");
  EXPECT_EQ(outcome.err, "");
}

// As service managers do it: the process, and then its group.
TEST(CommandLineTest, ASigtermThatIsSaidTwiceIsOneRequest) {
  Process process(SkepArgv({"run", "nqueens", "--n", "19"}));
  absl::SleepFor(absl::Seconds(1));
  process.Kill(SIGTERM);
  process.Kill(SIGTERM);
  const Outcome outcome = process.Wait(absl::Seconds(20));
  EXPECT_EQ(outcome.exit_code, kCancelled) << outcome.err;
  EXPECT_NE(outcome.err.find("was cancelled"), std::string::npos) << outcome.err;
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

// Half of its input is read, and its folder is there.
TEST(CommandLineTest, CtrlCBeforeTheJobLeavesNothing) {
  ProcessOptions options;
  const std::string folder = TestFolder();
  options.env = {"TMPDIR=" + folder};
  Process process(
      {"bash", "-c",
       "(echo a; exec sleep 60) | exec " + SkepBinary() + " run wordcount --top 3 -"},
      options);
  const auto spooled = [&folder] {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().filename().string().starts_with("skep-stdin-")) return true;
    }
    return false;
  };
  while (!spooled() && process.running()) absl::SleepFor(absl::Milliseconds(10));
  const std::vector<pid_t> children = ChildrenOf(process.pid());
  for (const pid_t child : children) {
    if (fs::read_symlink("/proc/" + std::to_string(child) + "/exe").filename() ==
        "skep") {
      kill(child, SIGINT);
    }
  }
  while (!fs::is_empty(folder) && process.running()) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_TRUE(fs::is_empty(folder));
  for (const pid_t child : children) kill(child, SIGTERM);
  EXPECT_NE(process.Wait(absl::Seconds(20)).err.find("stopped"), std::string::npos);
}

// As other programs of Unix: a script that runs them ends, too.
TEST(CommandLineTest, CtrlCEndsWhatHasNoJob) {
  ProcessOptions options;
  const std::string folder = TestFolder();
  options.env = {"TMPDIR=" + folder};
  Process gen(SkepArgv({"gen", "words", "--bytes", "2G"}));
  Process bench(SkepArgv({"bench", "jobs", "--only", "Median"}), options);
  while (fs::is_empty(folder) && bench.running()) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  gen.Kill(SIGINT);
  EXPECT_EQ(gen.Wait(absl::Seconds(20)).exit_code, 128 + SIGINT);
  bench.Kill(SIGINT);
  EXPECT_EQ(bench.Wait(absl::Seconds(20)).exit_code, 128 + SIGINT);
  EXPECT_TRUE(fs::is_empty(folder));
}

}  // namespace
}  // namespace skep

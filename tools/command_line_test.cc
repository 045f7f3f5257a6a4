#include "tools/command_line.h"

#include "base/status.h"
#include "gtest/gtest.h"
#include "tools/exit_code.h"

namespace skep {
namespace {

struct Parsed {
  std::optional<int> code;
  std::string out;
  std::string err;
  bool loud = false;
  int64_t top = 10;
  uint64_t memory = 0;
  std::string output;
  std::vector<std::string> backends;
  std::vector<std::string> files;
  std::string patterns;
  std::vector<std::string> given;
  absl::Status in_vain;
};

Parsed Parse(const Args& args) {
  Parsed p;
  CommandLine line("try", "Tries things.");
  line.Example("skep try --top 3 book.txt");
  line.Flag("loud", &p.loud, "Speaks up");
  line.Flag("top", &p.top, "How many", "K", 1);
  line.Flag("output", &p.output, "Where to", "DIR");
  line.Flag("backend", &p.backends, "One of them", "ADDR");
  line.SizeFlag("memory", &p.memory, "How much");
  line.ParsedFlag(
      "pattern", "What", "P", "",
      [&p](const std::string& text) {
        p.patterns = text;
        return absl::OkStatus();
      },
      'e', /*lines=*/true);
  line.Inputs("FILE", &p.files, "What to read");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  p.code = line.Parse(args);
  p.out = testing::internal::GetCapturedStdout();
  p.err = testing::internal::GetCapturedStderr();
  p.given = line.GivenFlags();
  p.in_vain = line.InVain("top", "--loud");
  return p;
}

TEST(CommandLineTest, TakesFlagsInBothFormsAnywhere) {
  const Parsed p = Parse({"a", "--top", "3", "b", "--output=dir", "--loud", "c", "-"});
  EXPECT_FALSE(p.code.has_value()) << p.err;
  EXPECT_EQ(p.top, 3);
  EXPECT_EQ(p.output, "dir");
  EXPECT_TRUE(p.loud);
  EXPECT_EQ(p.files, (std::vector<std::string>{"a", "b", "c", "-"}));
}

TEST(CommandLineTest, KnowsWhichFlagsWereGiven) {
  // Whatever their values: the default, said, is given too.
  const Parsed p = Parse({"a", "--top", "10", "-e", "x"});
  EXPECT_EQ(p.given, (std::vector<std::string>{"top", "pattern"}));
  EXPECT_EQ(Message(p.in_vain), "--top has no effect without --loud");
  EXPECT_TRUE(Parse({"a"}).in_vain.ok());
  EXPECT_TRUE(Parse({"a"}).given.empty());
}

TEST(CommandLineTest, KeepsDefaultsOfFlagsThatAreNotGiven) {
  const Parsed p = Parse({"a"});
  EXPECT_FALSE(p.code.has_value());
  EXPECT_EQ(p.top, 10);
  EXPECT_FALSE(p.loud);
}

TEST(CommandLineTest, RepeatedFlagsCollectAndDoNotSwallowPositionals) {
  const Parsed p = Parse({"--backend", "x:1", "--backend=y:2", "a", "b"});
  EXPECT_FALSE(p.code.has_value()) << p.err;
  EXPECT_EQ(p.backends, (std::vector<std::string>{"x:1", "y:2"}));
  EXPECT_EQ(p.files, (std::vector<std::string>{"a", "b"}));
}

TEST(CommandLineTest, LinesEndEachValueEvenAnEmptyOne) {
  EXPECT_EQ(Parse({"-e", "a", "f", "--pattern", "b"}).patterns, "a\nb\n");
  EXPECT_EQ(Parse({"-e", "", "f"}).patterns, "\n");
  EXPECT_EQ(Parse({"-e", "", "-e", "", "f"}).patterns, "\n\n");
  // Line ends within stay as they are.
  EXPECT_EQ(Parse({"-e", "\n", "f"}).patterns, "\n\n");
  EXPECT_EQ(Parse({"-e", "a\nb", "-e", "c\n", "f"}).patterns, "a\nb\nc\n\n");
  EXPECT_EQ(Parse({"f"}).patterns, "");
}

TEST(CommandLineTest, AfterTwoDashesEverythingIsPositional) {
  const Parsed p = Parse({"--", "--top", "-x"});
  EXPECT_FALSE(p.code.has_value()) << p.err;
  EXPECT_EQ(p.files, (std::vector<std::string>{"--top", "-x"}));
}

TEST(CommandLineTest, AnUnknownFlagNamesTheNearest) {
  const Parsed p = Parse({"--tpo", "3", "a"});
  EXPECT_EQ(p.code, kUsage);
  EXPECT_EQ(p.out, "");
  EXPECT_EQ(
      p.err,
      "skep try: unknown flag '--tpo'; did you mean --top? (see: skep try --help)\n");
}

TEST(CommandLineTest, AnUnknownFlagIsNamedEvenIfInputsAreMissing) {
  const Parsed p = Parse({"--outptu=x"});
  EXPECT_EQ(p.code, kUsage);
  EXPECT_NE(p.err.find("did you mean --output?"), std::string::npos) << p.err;
}

TEST(CommandLineTest, WrongValuesAreSaid) {
  EXPECT_NE(Parse({"--top", "ten", "a"}).err.find("--top: 'ten' is not a whole number"),
            std::string::npos)
      << Parse({"--top", "ten", "a"}).err;
  EXPECT_NE(Parse({"--top=0", "a"}).err.find("0 is too small: the least is 1"),
            std::string::npos);
  EXPECT_NE(Parse({"--top=-5", "a"}).err.find("-5 is too small"), std::string::npos);
  EXPECT_EQ(Parse({"--memory", "much", "a"}).code, kUsage);
}

TEST(CommandLineTest, ASwitchTakesTrueAndFalseAndNothingElse) {
  for (const char* value : {"maybe", "2x", "1", "99999999999999999999"}) {
    SCOPED_TRACE(value);
    const Parsed p = Parse({StrCat("--loud=", value), "a"});
    EXPECT_EQ(p.code, kUsage);
    EXPECT_EQ(Parse({StrCat("--verbose=", value), "a"}).code, kUsage);
  }
  EXPECT_EQ(Parse({"--loud=true", "a"}).code, std::nullopt);
  EXPECT_TRUE(Parse({"--loud=true", "a"}).loud);
  EXPECT_FALSE(Parse({"--loud=false", "a"}).loud);
}

TEST(CommandLineTest, AFlagThatSaysTwoThingsIsRefused) {
  const Parsed p = Parse({"--top", "3", "--top=4", "a"});
  EXPECT_EQ(p.code, kUsage);
  EXPECT_NE(p.err.find("--top: given twice, as '3' and as '4'"), std::string::npos)
      << p.err;
  EXPECT_FALSE(Parse({"--top", "3", "--top=3", "a"}).code.has_value());
}

TEST(CommandLineTest, AnErrorMaySayItsExitCode) {
  CommandLine line("try", "");
  line.ParsedFlag("words", "", "FILE", "", [](const std::string&) {
    return EndsWith(kFiles, NotFound("cannot read it"));
  });
  testing::internal::CaptureStderr();
  EXPECT_EQ(line.Parse({"--words", "x"}), kFiles);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("--words: cannot read it"),
            std::string::npos);
}

TEST(CommandLineTest, CompletesFlagsChoicesAndValues) {
  const auto complete = [](Args before) {
    CommandLine line("try", "");
    std::string what, file;
    int64_t top = 1;
    line.Flag("top", &top, "", "K");
    line.ParsedFlag("mode", "", "early|late|TIME", "",
                    [](const std::string&) { return absl::OkStatus(); });
    line.Positional("WHAT", &what, "", true, {"words", "numbers"});
    before.push_back(CommandLine::kComplete);
    testing::internal::CaptureStdout();
    EXPECT_EQ(line.Parse(before), kOk);
    return testing::internal::GetCapturedStdout();
  };
  EXPECT_EQ(complete({}), "words\nnumbers\n--top\n--mode\n--help\n");
  EXPECT_EQ(complete({"--mode"}), "early\nlate\n");
  EXPECT_EQ(complete({"--mode=late"}), "words\nnumbers\n--top\n--mode\n--help\n");
  EXPECT_EQ(complete({"--top"}), "");
}

TEST(CommandLineTest, MissingInputsAndValuesAreErrors) {
  EXPECT_EQ(Parse({}).code, kUsage);
  EXPECT_EQ(Parse({"a", "--top"}).code, kUsage);
}

TEST(CommandLineTest, HelpGoesToStdoutWithExamples) {
  const Parsed p = Parse({"--help"});
  EXPECT_EQ(p.code, kOk);
  EXPECT_NE(p.out.find("skep try --top 3 book.txt"), std::string::npos) << p.out;
  EXPECT_NE(p.out.find("--memory"), std::string::npos);
  EXPECT_NE(p.out.find("skep try [FLAGS] FILE...\n"), std::string::npos) << p.out;
  EXPECT_EQ(p.err, "");
}

TEST(CommandLineTest, FindsTheFirstPositional) {
  CommandLine line("run", "");
  bool json = false;
  int64_t workers = 1;
  line.Flag("json", &json, "");
  line.Flag("workers", &workers, "", "N");
  EXPECT_EQ(line.FindPositional({"--workers", "2", "--json", "wordcount", "--x"}), 3u);
  EXPECT_EQ(line.FindPositional({"--workers=2", "wordcount"}), 1u);
  EXPECT_EQ(line.FindPositional({"--unknown", "2", "wordcount"}), 3u);
  EXPECT_EQ(line.FindPositional({"--json"}), 1u);
}

TEST(CommandLineTest, AJobsLetterWinsOverTheLogs) {
  CommandLine line("run grep", "");
  std::string inverted;
  LogOptions log;
  line.ParsedSwitch(
      "invert-match", "",
      [&inverted](const std::string& text) {
        inverted = text;
        return absl::OkStatus();
      },
      'v');
  line.LogFlags(&log);
  EXPECT_FALSE(line.Parse({"-v", "--verbose", "--verbose"}).has_value());
  EXPECT_EQ(inverted, "true");
  EXPECT_EQ(log.verbosity, 2);
}

TEST(CommandLineTest, NearestAllowsATypoAndNoMore) {
  const std::vector<std::string> names = {"wordcount", "sort", "median"};
  EXPECT_EQ(Nearest("wordcuont", names), "wordcount");
  EXPECT_EQ(Nearest("sotr", names), "sort");
  EXPECT_EQ(Nearest("balloons", names), "");
}

TEST(CommandLineTest, SizesHaveUnits) {
  EXPECT_EQ(*ParseSize("4096"), 4096u);
  EXPECT_EQ(*ParseSize("64K"), 65536u);
  EXPECT_EQ(*ParseSize("1.5G"), 3u << 29);
  EXPECT_EQ(*ParseSize("16mb"), 16u << 20);
  for (const char* wrong : {"", "K", "-1", "12X", "1e400", "nan", "1KK"}) {
    EXPECT_FALSE(ParseSize(wrong).ok()) << wrong;
  }
}

}  // namespace
}  // namespace skep

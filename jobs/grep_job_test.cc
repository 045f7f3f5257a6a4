#include <stdlib.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "base/strings.h"
#include "gtest/gtest.h"
#include "jobs/job_testing.h"

namespace skep {

void Grep(Job& job);

namespace {

constexpr char kText[] = "The hive\nis full\n\nof honey, the\nbees. say";

std::vector<LocalFile> TwoFiles() {
  return {{"a.txt", "one bee\ntwo\nbees"}, {"b.txt", "no\n\nbee\n"}};
}

TEST(Grep, WritesTheMatchingLinesInOrder) {
  EXPECT_EQ(OutputOf(RunJob(Grep, {{"pattern", "[Tt]he"}}, kText)),
            "The hive\nof honey, the\n");
  EXPECT_EQ(OutputOf(RunJob(Grep, {{"pattern", "say$"}}, kText)), "bees. say\n");
  EXPECT_EQ(OutputOf(RunJob(Grep, {{"pattern", "wasp"}}, kText)), "");
  EXPECT_EQ(OutputOf(RunJob(Grep, {{"pattern", "x"}}, "")), "");
}

TEST(Grep, Switches) {
  EXPECT_EQ(
      OutputOf(RunJob(Grep, {{"pattern", "the"}, {"ignore-case", "true"}}, kText)),
      "The hive\nof honey, the\n");
  EXPECT_EQ(OutputOf(RunJob(Grep, {{"pattern", "e"}, {"invert-match", "true"}}, kText)),
            "is full\n\n");
  EXPECT_EQ(
      OutputOf(RunJob(Grep, {{"pattern", "s."}, {"fixed-strings", "true"}}, kText)),
      "bees. say\n");
}

TEST(Grep, NumbersLinesThroughTheWholeFile) {
  const JobFlags flags = {{"pattern", "e"}, {"line-number", "true"}};
  EXPECT_EQ(OutputOf(RunJob(Grep, flags, kText)),
            "1:The hive\n4:of honey, the\n5:bees. say\n");
  EXPECT_EQ(OutputOf(RunJob(Grep, flags, TwoFiles())),
            "a.txt:1:one bee\na.txt:3:bees\nb.txt:3:bee\n");
}

TEST(Grep, NamesTheFileWhenThereAreSeveral) {
  EXPECT_EQ(OutputOf(RunJob(Grep, {{"pattern", "bee"}}, TwoFiles())),
            "a.txt:one bee\na.txt:bees\nb.txt:bee\n");
}

TEST(Grep, EmptyFilesAreFilesToo) {
  const std::vector<LocalFile> files = {{"e", ""}, {"f", "a\nb\na\n"}, {"g", ""}};
  EXPECT_EQ(OutputOf(RunJob(Grep, {{"pattern", "a"}, {"line-number", "true"}}, files)),
            "f:1:a\nf:3:a\n");
  EXPECT_EQ(AnswerOf(RunJob(Grep, {{"pattern", "a"}, {"count", "true"}}, files)),
            "e:0\nf:2\ng:0\n");
  EXPECT_EQ(AnswerOf(RunJob(Grep, {{"pattern", "b"}, {"files-without-match", "true"}},
                            files)),
            "e\ng\n");
  EXPECT_EQ(AnswerOf(RunJob(Grep, {{"pattern", "a"}, {"count", "true"}}, "")), "0\n");
}

TEST(Grep, CountsByFile) {
  const JobFlags flags = {{"pattern", "bee"}, {"count", "true"}};
  const auto result = RunJob(Grep, flags, TwoFiles());
  EXPECT_EQ(AnswerOf(result), "a.txt:2\nb.txt:1\n");
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->parts.empty());
  EXPECT_EQ(result->answer.json(),
            "{\"matches\":3,\"files\":[{\"file\":\"a.txt\",\"matches\":2},"
            "{\"file\":\"b.txt\",\"matches\":1}]}");
  EXPECT_EQ(AnswerOf(RunJob(Grep, flags, "bee\nno\n")), "1\n");
  EXPECT_EQ(AnswerOf(RunJob(Grep, flags, "")), "0\n");
}

TEST(Grep, PatternsThatCannotBeAreRefusedBeforeAnythingRuns) {
  EXPECT_EQ(OutputOf(RunJob(Grep, {}, "x")),
            "error: grep needs a pattern: -e PATTERN, or -f FILE that is not empty");
  const auto result = RunJob(Grep, {{"pattern", "a("}}, "x");
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Grep, AnEmptyPatternSelectsEveryLine) {
  EXPECT_EQ(OutputOf(RunJob(Grep, {{"pattern", "\n"}}, "a\n\nb")), "a\n\nb\n");
  EXPECT_EQ(OutputOf(RunJob(Grep, {{"pattern", "x\n\n"}}, "a\nx\n")), "a\nx\n");
}

TEST(Grep, FlagsThatDoNotGoTogetherAreRefused) {
  for (const JobFlags& flags :
       {JobFlags{{"files-without-match", "true"}, {"files-with-matches", "true"}},
        JobFlags{{"extended-regexp", "true"}, {"fixed-strings", "true"}},
        JobFlags{{"only-matching", "true"}, {"after-context", "0"}},
        JobFlags{{"with-filename", "true"}, {"no-filename", "true"}},
        JobFlags{{"only-matching", "true"}, {"context", "2"}},
        JobFlags{{"context", "1000000000"}}}) {
    JobFlags all = flags;
    all["pattern"] = "x";
    EXPECT_EQ(RunJob(Grep, all, "x").status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(Grep, TakesPatternsFromAFileToo) {
  const auto lines = [](const JobFlags& flags) {
    return OutputOf(RunJob(Grep, flags, "a\nb\n\nc\n"));
  };
  EXPECT_EQ(lines({{"file", "a\nb\n"}}), "a\nb\n");
  EXPECT_EQ(lines({{"file", "b"}, {"pattern", "c\n"}}), "b\nc\n");
  EXPECT_EQ(lines({{"file", "b"}, {"pattern", "c"}}), "b\nc\n");
  EXPECT_EQ(lines({{"file", "\n"}}), "a\nb\n\nc\n");
}

TEST(Grep, SilentlySaysWhetherThereWasAny) {
  for (const char* pattern : {"bee", "wasp"}) {
    const auto result = RunJob(Grep, {{"pattern", pattern}, {"silent", "true"}}, "bee");
    EXPECT_EQ(OutputOf(result) + AnswerOf(result), "");
    EXPECT_EQ(result->answer.negative(), std::string_view(pattern) != "bee");
  }
}

TEST(Grep, SaysWhetherThereWasAny) {
  for (const char* how : {"count", "files-with-matches", "only-matching"}) {
    const JobFlags flags = {{"pattern", "bee"}, {how, "true"}};
    EXPECT_FALSE(RunJob(Grep, flags, "bees")->answer.negative());
    EXPECT_TRUE(RunJob(Grep, flags, "wasps")->answer.negative());
  }
}

// --- Against the system's grep -----------------------------------------------------

class GrepPeer : public testing::Test {
 protected:
  GrepPeer() {
    std::string path = testing::TempDir() + "/grepXXXXXX";
    folder_ = mkdtemp(path.data());
  }
  ~GrepPeer() override { std::filesystem::remove_all(folder_); }

  void Write(const std::vector<LocalFile>& files) {
    names_.clear();
    for (const LocalFile& file : files) {
      std::ofstream(StrCat(folder_, "/", file.name), std::ios::binary) << file.bytes;
      names_ += " " + file.name;
    }
  }

  // What grep prints, and whether it selected a line.
  std::pair<std::string, bool> Run(const std::string& flags) {
    const std::string command =
        StrCat("cd '", folder_, "' && LC_ALL=C.UTF-8 grep -a ", flags, names_);
    FILE* const pipe = popen(command.c_str(), "r");
    std::string output;
    char buffer[4096];
    while (const size_t size = fread(buffer, 1, sizeof buffer, pipe)) {
      output.append(buffer, size);
    }
    const int code = WEXITSTATUS(pclose(pipe));
    EXPECT_LE(code, 1) << command;
    return {output, code == 0};
  }

 private:
  std::string folder_, names_;
};

std::string RandomText(Random& random) {
  constexpr std::string_view kPieces[] = {
      "a",  "b",        "A",        "ab", "_",    " ",  ",", "\n", "\n", "\n",
      "\n", "\xc3\xa9", "\xc3\x89", "\t", "\xff", "\r", "7", "\\", ".",  "-"};
  std::string text;
  for (uint64_t n = 1 + random.Below(60); n > 0; --n) {
    text += kPieces[random.Below(std::size(kPieces))];
  }
  if (random.Below(2) == 0 && text.back() != '\n') text += '\n';
  return text;
}

// Every combination of a few flags, over texts cut everywhere (RunJob).
TEST_F(GrepPeer, AgreesWithTheSystems) {
  constexpr struct {
    const char* name;
    const char* letter;
    int one_in;
    int most;  // above 0: takes a number from 0 to it
  } kFlags[] = {{"fixed-strings", "", 4, 0},
                {"ignore-case", "-i", 3, 0},
                {"invert-match", "-v", 4, 0},
                {"word-regexp", "-w", 4, 0},
                {"line-regexp", "-x", 8, 0},
                {"line-number", "-n", 3, 0},
                {"with-filename", "-H", 4, 0},
                {"max-count", "-m", 4, 4},
                {"after-context", "-A", 4, 3},
                {"before-context", "-B", 4, 3},
                {"context", "-C", 6, 3},
                {"only-matching", "-o", 6, 0},
                {"no-filename", "-h", 6, 0},
                {"byte-offset", "-b", 4, 0},
                {"silent", "-q", 20, 0},
                {"count", "-c", 8, 0},
                {"files-with-matches", "-l", 12, 0},
                {"files-without-match", "-L", 12, 0}};
  constexpr const char* kPatterns[] = {
      "a",        "ab",      "A",      "a|ab",   "^a",     "b$",   "a.b", "[aA]+",
      "\xc3\xa9", "b*a",     "(a|b)b", "^$",     "ab|_",   "a\nb", ",",   "a+b?",
      "",         ".",       "^.",     "a*",     "b\n",    "\\.",  "$",   "a{2}",
      "[A-C]b?",  "(ab){2}", "[^-]-",  "[^ab]$", "7|-|a,", "^a*$"};
  Random random(41);
  int agreed = 0;
  while (agreed < 300) {
    JobFlags flags;
    std::string peer_flags;
    for (const auto& flag : kFlags) {
      if (random.Below(flag.one_in) != 0) continue;
      const std::string value = std::to_string(random.Below(flag.most + 1));
      flags[flag.name] = flag.most > 0 ? value : "true";
      StrAppend(&peer_flags, flag.letter, " ", flag.most > 0 ? value : "", " ");
    }
    const bool context = flags.contains("context") || flags.contains("after-context") ||
                         flags.contains("before-context");
    if ((context && flags.contains("only-matching")) ||
        (flags.contains("files-with-matches") &&
         flags.contains("files-without-match")) ||
        (flags.contains("with-filename") && flags.contains("no-filename"))) {
      continue;
    }
    const std::string pattern = kPatterns[random.Below(std::size(kPatterns))];
    // GNU grep looks for an empty string that is a word at the start of a line alone.
    if ((pattern.empty() || pattern.back() == '\n') && flags.contains("word-regexp")) {
      continue;
    }
    flags["pattern"] = pattern + "\n";
    StrAppend(&peer_flags, flags.contains("fixed-strings") ? "-F " : "-E ", "-e '",
              pattern, "' ");
    std::vector<LocalFile> files;
    for (uint64_t i = 0; i <= random.Below(3); ++i) {
      files.push_back(
          {StrCat("f", i, ".txt"), random.Below(6) == 0 ? "" : RandomText(random)});
    }
    Write(files);
    const auto [expected, selected] = Run(peer_flags);
    const absl::StatusOr<LocalResult> result = RunJob(Grep, flags, files);
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_EQ(OutputOf(result) + AnswerOf(result), expected)
        << "grep " << peer_flags << " over\n"
        << files[0].bytes << "\n(and " << files.size() - 1 << " more)";
    ASSERT_EQ(!result->answer.negative(), selected) << "grep " << peer_flags;
    ++agreed;
  }
}

}  // namespace
}  // namespace skep

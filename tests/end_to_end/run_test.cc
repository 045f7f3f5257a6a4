// `skep run` on real input, against answers that are known or come from other programs.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/end_to_end/process.h"
#include "tools/exit_code.h"

namespace skep {
namespace {

namespace fs = std::filesystem;

// Succeeds with just this on stdout.
void ExpectOutput(const Outcome& outcome, const std::string& expected) {
  EXPECT_EQ(outcome.exit_code, kOk) << outcome.err;
  EXPECT_EQ(outcome.out, expected);
}

std::string SortedLines(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  std::sort(lines.begin(), lines.end());
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

// All part files of an output directory, in order.
std::string Parts(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().filename().string().starts_with("part-")) {
      names.push_back(entry.path().string());
    }
  }
  std::sort(names.begin(), names.end());
  std::string all;
  for (const std::string& name : names) all += ReadWholeFile(name);
  return all;
}

// --- Word count ----------------------------------------------------------------------

TEST(RunTest, CountsTheWordsOfTheBible) {
  SKEP_REQUIRE_TEST_DATA();
  ExpectOutput(Skep({"run", "wordcount", "--top", "10", TestData("kjv.txt")}),
               "the\t62051\nand\t38572\nof\t34393\nto\t13366\nAnd\t12739\nthat\t12454\n"
               "in\t12167\nshall\t9759\nhe\t9509\nunto\t8933\n");
  ExpectOutput(
      Skep({"run", "wordcount", "--top", "3", "--ignore-case", TestData("kjv.txt")}),
      "the\t63911\nand\t51313\nof\t34582\n");
}

TEST(RunTest, EveryCountEqualsThatOfSortAndUniq) {
  SKEP_REQUIRE_TEST_DATA();
  const std::string output = TestFolder() + "/counts";
  const Outcome run =
      Skep({"run", "wordcount", "--output", output, TestData("kjv.txt")});
  ASSERT_EQ(run.exit_code, kOk) << run.err;
  EXPECT_TRUE(fs::exists(output + "/_SUCCESS"));
  EXPECT_FALSE(fs::exists(output + "/_temporary"));
  const Outcome peer =
      RunShell("tr -s ' \\t\\r\\n\\v\\f' '\\n' < '" + TestData("kjv.txt") +
               "' | grep . | LC_ALL=C sort | LC_ALL=C uniq -c |"
               " awk '{print $2 \"\\t\" $1}'");
  EXPECT_TRUE(SortedLines(Parts(output)) == SortedLines(peer.out));
  // What stands in the data's README.
  const std::string file = TestFolder() + "/sorted";
  WriteWholeFile(file, SortedLines(Parts(output)));
  EXPECT_EQ(RunProgram({"sha256sum", file}).out.substr(0, 64),
            "d3505a5cd486ef0a9568c3b5e7c0d460b8c056ed178524287aaf3cad9ac98868");
}

TEST(RunTest, TheNumberOfWorkersChangesNothing) {
  SKEP_REQUIRE_TEST_DATA();
  std::string first;
  for (const char* workers : {"1", "2", "5"}) {
    const std::string output = TestFolder() + "/counts";
    ASSERT_EQ(Skep({"run", "wordcount", "--workers", workers, "--output", output,
                    TestData("kjv.txt")})
                  .exit_code,
              kOk);
    const std::string parts = Parts(output);
    if (first.empty()) first = parts;
    EXPECT_TRUE(parts == first) << workers << " workers";
  }
}

TEST(RunTest, LittleMemoryAndManySplitsChangeNothing) {
  SKEP_REQUIRE_TEST_DATA();
  const std::string folder = TestFolder();
  for (const auto& [name, flags] : std::map<std::string, std::vector<std::string>>{
           {"plain", {}}, {"tight", {"--memory", "2M", "--split-size", "300K"}}}) {
    std::vector<std::string> args = {
        "run",      "wordcount",         "--partitions",     "4",
        "--output", folder + "/" + name, TestData("kjv.txt")};
    args.insert(args.end(), flags.begin(), flags.end());
    const Outcome run = Skep(args);
    ASSERT_EQ(run.exit_code, kOk) << run.err;
  }
  EXPECT_TRUE(Parts(folder + "/plain") == Parts(folder + "/tight"));
}

TEST(RunTest, WithoutOutputThePartsGoToStdout) {
  const Outcome run =
      Skep({"run", "wordcount", "-"}, {.input = "to be or not to be\n"});
  EXPECT_EQ(run.exit_code, kOk) << run.err;
  EXPECT_EQ(SortedLines(run.out), "be\t2\nnot\t1\nor\t1\nto\t2\n");
}

TEST(RunTest, ExecutorProcessesGiveTheSame) {
  ExpectOutput(Skep({"run", "wordcount", "--executor", "process", "--top", "1", "-"},
                    {.input = "b a b\n"}),
               "b\t2\n");
}

// --- Inputs
// ---------------------------------------------------------------------------

TEST(RunTest, ReadsCompressedFilesDirectoriesAndGlobs) {
  const std::string folder = TestFolder();
  fs::create_directories(folder + "/in/deep");
  WriteWholeFile(folder + "/in/a.txt", "a b\n");
  WriteWholeFile(folder + "/in/deep/b.txt", "a c\n");
  WriteWholeFile(folder + "/in/.hidden", "hidden hidden\n");
  fs::create_symlink(folder + "/in/a.txt", folder + "/in/link.txt");
  WriteWholeFile(folder + "/g.txt", "a a a\n");
  ASSERT_EQ(RunProgram({"gzip", folder + "/g.txt"}).exit_code, 0);
  ExpectOutput(Skep({"run", "wordcount", "--top", "9", folder + "/in"}),
               "a\t3\nb\t2\nc\t1\n");
  ExpectOutput(Skep({"run", "wordcount", "--top", "9", folder + "/in/*.txt"}),
               "a\t2\nb\t2\n");
  ExpectOutput(Skep({"run", "wordcount", "--top", "9", folder + "/g.txt.gz"}),
               "a\t3\n");
  // The working directory counts for relative names.
  ExpectOutput(
      Skep({"run", "wordcount", "--top", "9", "in/deep"}, {.directory = folder}),
      "a\t1\nc\t1\n");
}

TEST(RunTest, LeavesOutLinksToNowhereWithAWarning) {
  const std::string folder = TestFolder();
  fs::create_directories(folder + "/in");
  WriteWholeFile(folder + "/in/a.txt", "a b\n");
  // A terminal would obey it.
  fs::create_symlink("nowhere", folder + "/in/\x1b[2Jgone");
  const Outcome found = Skep({"run", "grep", "-e", "b", folder + "/in"});
  ExpectOutput(found, "a b\n");
  EXPECT_NE(found.err.find("warning: " + folder + "/in/\\x1b[2Jgone: "),
            std::string::npos)
      << found.err;
  EXPECT_EQ(found.err.find('\x1b'), std::string::npos) << found.err;
}

TEST(RunTest, GrepsFlagsAreGreps) {
  const std::string folder = TestFolder();
  WriteWholeFile(folder + "/patterns", "two\nthree\n");
  WriteWholeFile(folder + "/a", "one\ntwo\n");
  WriteWholeFile(folder + "/b", "three\none\n");
  const auto grep = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"run", "grep"});
    words.insert(words.end(), {"a", "b"});
    return Skep(words, {.directory = folder});
  };
  ExpectOutput(grep({"-f", "patterns"}), "a:two\nb:three\n");
  ExpectOutput(grep({"-f", "patterns", "-hb", "-e", "one"}),
               "0:one\n4:two\n0:three\n6:one\n");
  ExpectOutput(grep({"-lc", "-e", "two"}), "a\n");
  ExpectOutput(grep({"-q", "-e", "two"}), "");
  const Outcome none = grep({"-q", "-e", "four"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_EQ(none.out, "");
}

TEST(RunTest, ReadsZstdWhereTheProgramIs) {
  if (RunShell("command -v zstd").exit_code != 0)
    GTEST_SKIP() << "there is no zstd here";
  const std::string folder = TestFolder();
  WriteWholeFile(folder + "/z.txt", "a b a\n");
  ASSERT_EQ(RunProgram({"zstd", "-q", "--rm", folder + "/z.txt"}).exit_code, 0);
  ExpectOutput(Skep({"run", "wordcount", "--top", "9", folder + "/z.txt.zst"}),
               "a\t2\nb\t1\n");
}

TEST(RunTest, EmptyInputIsAnAnswerToo) {
  const Outcome run = Skep({"run", "wordcount", "--top", "3", "-"}, {.input = ""});
  EXPECT_EQ(run.exit_code, kOk) << run.err;
  EXPECT_EQ(run.out, "");
}

TEST(RunTest, JsonIsOneObject) {
  const Outcome run =
      Skep({"run", "wordcount", "--top", "1", "--json", "-"}, {.input = "b a b\n"});
  ASSERT_EQ(run.exit_code, kOk) << run.err;
  const auto json = nlohmann::json::parse(run.out);
  EXPECT_EQ(json["job"], "wordcount");
  EXPECT_EQ(json["state"], "succeeded");
  EXPECT_EQ(json["counters"]["words"], 3) << run.out;
  EXPECT_TRUE(json["error"].is_null());
  EXPECT_TRUE(json["answer"].is_object()) << run.out;
}

// --- The other jobs
// -------------------------------------------------------------------

TEST(RunTest, PlacesQueens) {
  ExpectOutput(Skep({"run", "nqueens", "--n", "8"}), "92\n");
  ExpectOutput(Skep({"run", "nqueens", "--n", "14"}), "365596\n");
  ExpectOutput(Skep({"run", "nqueens", "--n", "15"}), "2279184\n");
  ExpectOutput(Skep({"run", "nqueens", "--n", "16"}), "14772512\n");
  ExpectOutput(Skep({"run", "nqueens", "--n", "18"}), "666090624\n");
  // Another way to the same: backtracking.
  ExpectOutput(Skep({"run", "nqueens", "--n", "16", "--algorithm", "prefixes"}),
               "14772512\n");
  if (getenv("SKEP_LONG_TESTS") != nullptr) {  // a minute and more
    ExpectOutput(Skep({"run", "nqueens", "--n", "20"}), "39029188884\n");
  }
}

bool Solves(const std::string& solution, const std::string& puzzle) {
  if (solution.size() != 81) return false;
  int rows[9] = {}, columns[9] = {}, boxes[9] = {};
  for (int i = 0; i < 81; ++i) {
    const char c = solution[i];
    if (c < '1' || c > '9') return false;
    if (puzzle[i] != '0' && puzzle[i] != c) return false;
    const int bit = 1 << (c - '1');
    rows[i / 9] |= bit;
    columns[i % 9] |= bit;
    boxes[i / 27 * 3 + i % 9 / 3] |= bit;
  }
  const auto full = [](int bits) { return bits == 0x1ff; };
  return std::all_of(rows, rows + 9, full) && std::all_of(columns, columns + 9, full) &&
         std::all_of(boxes, boxes + 9, full);
}

class SudokuTest : public testing::TestWithParam<const char*> {};

TEST_P(SudokuTest, SolvesEveryPuzzleInOrder) {
  SKEP_REQUIRE_TEST_DATA();
  const std::string output = TestFolder() + "/solved.txt";
  const Outcome run = Skep({"run", "sudoku", "--output", output, TestData(GetParam())});
  ASSERT_EQ(run.exit_code, kOk) << run.err;
  std::istringstream puzzles(ReadWholeFile(TestData(GetParam())));
  std::istringstream solutions(ReadWholeFile(output));
  std::string puzzle, solution;
  int lines = 0, wrong = 0;
  while (std::getline(puzzles, puzzle)) {
    ++lines;
    if (!std::getline(solutions, solution) || !Solves(solution, puzzle)) ++wrong;
  }
  EXPECT_GE(lines, 1000);
  EXPECT_EQ(wrong, 0) << "of " << lines;
  EXPECT_FALSE(std::getline(solutions, solution)) << "more solutions than puzzles";
}

INSTANTIATE_TEST_SUITE_P(Files, SudokuTest,
                         testing::Values("sudoku17_20k.txt", "magictour_1465.txt",
                                         "hardest_1000.txt"));

TEST(RunTest, SortsAsSortDoes) {
  SKEP_REQUIRE_TEST_DATA();
  const std::string output = TestFolder() + "/sorted";
  const Outcome run = Skep({"run", "sort", "--output", output, TestData("kjv.txt")});
  ASSERT_EQ(run.exit_code, kOk) << run.err;
  const Outcome peer = RunShell("LC_ALL=C sort '" + TestData("kjv.txt") + "'");
  EXPECT_TRUE((fs::is_directory(output) ? Parts(output) : ReadWholeFile(output)) ==
              peer.out);
}

TEST(RunTest, FindsLinesAsGrepDoes) {
  SKEP_REQUIRE_TEST_DATA();
  const Outcome run =
      Skep({"run", "grep", "--pattern", "Jerusalem", TestData("kjv.txt")});
  const Outcome peer = RunShell("grep Jerusalem '" + TestData("kjv.txt") + "'");
  EXPECT_EQ(run.exit_code, kOk) << run.err;
  EXPECT_EQ(SortedLines(run.out), SortedLines(peer.out));
  const Outcome two =
      Skep({"run", "grep", "-e", "Jerusalem", "-e", "Babylon", TestData("kjv.txt")});
  const Outcome peer_of_two =
      RunShell("grep -e Jerusalem -e Babylon '" + TestData("kjv.txt") + "'");
  EXPECT_EQ(SortedLines(two.out), SortedLines(peer_of_two.out));
}

// --- Where the time goes -------------------------------------------------------------

TEST(RunTest, AJobsTimesAddUp) {
  const Outcome outcome = Skep({"bench", "jobs", "--quick", "--json", "--only",
                                "average of", "--repetitions", "1"});
  ASSERT_EQ(outcome.exit_code, kOk) << outcome.err;
  std::istringstream lines(outcome.out);
  int runs = 0;
  for (std::string line; std::getline(lines, line); ++runs) {
    const auto row = nlohmann::json::parse(line);
    EXPECT_EQ(row["job"], "average of doubles");
    EXPECT_EQ(row["workers"], runs + 1);
    EXPECT_GT(row["cpu_seconds"]["map"], 0);
    EXPECT_GT(row["cpu_seconds"]["read"], 0);
    EXPECT_EQ(row["cpu_seconds"]["reduce"], 0);
    EXPECT_GT(row["wall_seconds"]["start"], 0);
    for (const char* clock : {"cpu_seconds", "wall_seconds"}) {
      double sum = 0;
      for (const auto& [name, seconds] : row[clock].items()) {
        if (name != "kernel" && name != "job") sum += seconds.get<double>();
      }
      // The job's beginning and end are known to the millisecond.
      EXPECT_NEAR(sum, row[clock]["job"], 5e-3) << line;
    }
  }
  EXPECT_EQ(runs, 2);
}

// Each path of the machine, beside what it is held against.
TEST(RunTest, KernelsAreMeasuredOnEachPath) {
  const Outcome outcome = Skep({"bench", "kernels", "--quick", "--json", "--only",
                                "Parse Integers", "--repetitions", "1"});
  ASSERT_EQ(outcome.exit_code, kOk) << outcome.err;
  std::istringstream lines(outcome.out);
  int on_a_path = 0;
  size_t asked = 0;
  nlohmann::json tally;
  for (std::string line; std::getline(lines, line);) {
    const auto row = nlohmann::json::parse(line);
    if (!row.contains("row")) {
      tally = row;
      continue;
    }
    EXPECT_GT(row["median"], 0) << line;
    EXPECT_GE(row["machine"]["load"], 0) << line;
    if (row["path"] == "") continue;
    ++on_a_path;
    ASSERT_FALSE(row["baselines"].empty()) << line;
    EXPECT_EQ(row["baselines"][0]["row"], "integers by strtoll") << line;
    EXPECT_GT(row["baselines"][0]["ratio"], 0) << line;
    // Asked of the best path.
    asked += row["asked"].size();
  }
  EXPECT_GE(on_a_path, 1);
  EXPECT_EQ(asked, 1u);
  EXPECT_EQ(tally["asked"], 1);
  EXPECT_EQ(tally["met"].get<size_t>() + tally["not_met"].size(), 1u);
  for (const char* nothing : {"no such row", "!!"}) {
    const Outcome none = Skep({"bench", "kernels", "--only", nothing});
    EXPECT_EQ(none.exit_code, kUsage);
    EXPECT_NE(none.err.find("\n  Numbers\n"), std::string::npos) << none.err;
  }
}

}  // namespace
}  // namespace skep

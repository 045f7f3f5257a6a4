// Every testdata/*.txt: the scheduler's commands must be the golden ones. To accept new
// traces run it with SKEP_REWRITE_SCENARIOS=1 outside of Bazel's sandbox:
//   cd master/..; SKEP_REWRITE_SCENARIOS=1 .bazel/bin/master/scenario_test

#include "master/scenario.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace skep {
namespace {

std::string Read(const std::filesystem::path& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

TEST(ScenarioTest, TracesAreGolden) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator("master/testdata")) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  EXPECT_GE(files.size(), 15u);
  for (const auto& file : files) {
    SCOPED_TRACE(file);
    const std::string golden = Read(file);
    const std::string played = PlayScenario(golden);
    if (std::getenv("SKEP_REWRITE_SCENARIOS") != nullptr) {
      // A blank line between the blocks is all the layout there is.
      std::ofstream(file) << played;
    } else {
      EXPECT_EQ(played, golden);
    }
  }
}

}  // namespace
}  // namespace skep

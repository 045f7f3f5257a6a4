// The fuzz targets in an ordinary build: what is in corpus/, and random changes of it.

#include <dirent.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/random.h"
#include "glog/logging.h"
#include "gtest/gtest.h"
#include "tests/fuzz/targets.h"

namespace skep {
namespace {

std::vector<std::string> Corpus(const std::string& target) {
  const std::string folder = "tests/fuzz/corpus/" + target;
  std::vector<std::string> inputs;
  DIR* const directory = opendir(folder.c_str());
  if (directory == nullptr) return inputs;
  std::vector<std::string> names;
  while (const dirent* const entry = readdir(directory)) {
    if (entry->d_name[0] != '.') names.push_back(entry->d_name);
  }
  closedir(directory);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    std::ifstream in(folder + "/" + name, std::ios::binary);
    std::ostringstream bytes;
    bytes << in.rdbuf();
    inputs.push_back(bytes.str());
  }
  return inputs;
}

// A few bytes changed, cut out or put in from another input.
std::string Change(std::string bytes, const std::string& other, Random& random) {
  for (uint64_t times = 1 + random.Below(4); times > 0; --times) {
    const size_t at = random.Below(bytes.size() + 1);
    switch (random.Below(4)) {
      case 0:
        if (at < bytes.size()) bytes[at] = static_cast<char>(random.Below(256));
        break;
      case 1:
        bytes.erase(at, random.Below(8));
        break;
      case 2:
        bytes.insert(at, 1 + random.Below(3), static_cast<char>(random.Below(256)));
        break;
      default:
        bytes.insert(at, other.substr(0, random.Below(other.size() + 1)));
    }
  }
  return bytes.substr(0, 4096);
}

class FuzzTest : public testing::TestWithParam<FuzzTarget> {
 protected:
  // Peers that misbehave are logged, a line each.
  FuzzTest() { FLAGS_minloglevel = google::GLOG_FATAL; }
};

TEST_P(FuzzTest, Corpus) {
  const std::vector<std::string> corpus = Corpus(std::string(GetParam().name));
  ASSERT_FALSE(corpus.empty()) << "no corpus for " << GetParam().name;
  for (const std::string& bytes : corpus) GetParam().run(bytes);
  GetParam().run("");
}

TEST_P(FuzzTest, ChangedCorpus) {
  const std::vector<std::string> corpus = Corpus(std::string(GetParam().name));
  ASSERT_FALSE(corpus.empty());
  Random random(1);
  for (int i = 0; i < 300; ++i) {
    GetParam().run(Change(corpus[random.Below(corpus.size())],
                          corpus[random.Below(corpus.size())], random));
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, FuzzTest, testing::ValuesIn(FuzzTargets()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace skep

#include "tests/bench/bench_inputs.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "base/status.h"
#include "base/strings.h"

namespace skep {

std::string ReadData(const std::string& folder, const char* name) {
  if (folder.empty()) return "";
  std::ifstream file(StrCat(folder, "/", name), std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return std::move(bytes).str();
}

absl::Status CheckData(const std::string& folder) {
  if (folder.empty()) return absl::OkStatus();
  for (const char* name :
       {"kjv.txt", "sudoku17_20k.txt", "magictour_1465.txt", "hardest_1000.txt"}) {
    if (!std::ifstream(StrCat(folder, "/", name))) {
      return NotFound("cannot read ", folder, "/", name,
                      ": --data names a folder that has it");
    }
  }
  return absl::OkStatus();
}

BenchFolder::BenchFolder()
    : path_((std::filesystem::temp_directory_path() / "skepXXXXXX").string()) {
  CHECK(mkdtemp(path_.data()) != nullptr) << path_;
}

BenchFolder::~BenchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string BenchFolder::Path(std::string_view name) const {
  return StrCat(path_, "/", name);
}

std::string BenchFolder::Write(std::string_view name, std::string_view bytes,
                               int times) const {
  std::string path = Path(name);
  std::ofstream file(path, std::ios::binary);
  for (int i = 0; i < times; ++i) {
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  CHECK(file.flush()) << path;
  return path;
}

}  // namespace skep

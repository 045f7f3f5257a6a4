// What the benches run on: files of the data folder, generated texts, a folder of their
// own.

#ifndef SKEP_TESTS_BENCH_BENCH_INPUTS_H_
#define SKEP_TESTS_BENCH_BENCH_INPUTS_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "glog/logging.h"
#include "tools/gen/sink.h"

namespace skep {

// Keeps the compiler from leaving out work whose result nobody reads.
template <typename T>
void Use(const T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

// The content of a file of `folder`; "" without a folder.
std::string ReadData(const std::string& folder, const char* name);

// NotFound names a file of the benches that `folder` lacks. Ok without a folder.
absl::Status CheckData(const std::string& folder);

// What a generator of tools/gen makes.
template <typename Options>
std::string Generate(absl::Status (*generate)(const Options&, const Sink&),
                     const Options& options) {
  std::string text;
  const absl::Status status = generate(options, [&text](std::string_view bytes) {
    text += bytes;
    return absl::OkStatus();
  });
  CHECK(status.ok()) << status;
  return text;
}

// An input that is made when it is first asked for: rows of a table share it, and what
// no row asks for is not made. Not thread-safe.
template <typename T>
class Lazy {
 public:
  explicit Lazy(std::function<T()> make)
      : state_(new State{std::move(make), nullptr}) {}

  const T& operator*() const {
    if (state_->value == nullptr) state_->value.reset(new T(state_->make()));
    return *state_->value;
  }
  const T* operator->() const { return &**this; }

 private:
  struct State {
    std::function<T()> make;
    std::unique_ptr<const T> value;
  };
  std::shared_ptr<State> state_;
};

// A folder among the temporary ones that goes with this, and all that is in it.
class BenchFolder {
 public:
  BenchFolder();
  ~BenchFolder();
  BenchFolder(const BenchFolder&) = delete;
  BenchFolder& operator=(const BenchFolder&) = delete;

  std::string Path(std::string_view name) const;
  // Writes the bytes `times` over. Returns the file's path.
  std::string Write(std::string_view name, std::string_view bytes, int times = 1) const;

 private:
  std::string path_;
};

}  // namespace skep

#endif  // SKEP_TESTS_BENCH_BENCH_INPUTS_H_

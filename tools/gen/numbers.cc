#include "tools/gen/numbers.h"

#include <bit>
#include <charconv>
#include <string>

#include "base/coding.h"
#include "base/random.h"
#include "base/status.h"

namespace skep {
namespace {

// Room for any number and its line end.
constexpr size_t kMaxText = 40;

char* WriteText(const NumbersOptions& options, Random& random, char* at) {
  char* const end = at + kMaxText - 1;
  const auto result = options.type == NumbersOptions::Type::kI64
                          ? std::to_chars(at, end, static_cast<int64_t>(random()))
                          : std::to_chars(at, end, random.Unit());
  *result.ptr = '\n';
  return result.ptr + 1;
}

char* WriteBinary(const NumbersOptions& options, Random& random, char* at) {
  StoreLittle(options.type == NumbersOptions::Type::kI64
                  ? random()
                  : std::bit_cast<uint64_t>(random.Unit()),
              at);
  return at + sizeof(uint64_t);
}

}  // namespace

absl::Status GenerateNumbers(const NumbersOptions& options, const Sink& sink) {
  Random random(options.seed);
  std::string buffer(kSinkBytes, '\0');
  char* const begin = buffer.data();
  char* const full = begin + buffer.size() - kMaxText;
  char* at = begin;
  for (uint64_t i = 0; i < options.count; ++i) {
    at = options.binary ? WriteBinary(options, random, at)
                        : WriteText(options, random, at);
    if (at < full) continue;
    SKEP_RETURN_IF_ERROR(sink({begin, static_cast<size_t>(at - begin)}));
    at = begin;
  }
  return sink({begin, static_cast<size_t>(at - begin)});
}

}  // namespace skep

#include "tools/standard_error.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>

#include "absl/strings/str_format.h"
#include "jobs/api/json_text.h"

namespace skep {
namespace {

// The bytes of the character that begins with `text`; 0 if it is not to be printed.
size_t PrintableSize(std::string_view text) {
  const auto first = static_cast<uint8_t>(text[0]);
  if (first < 0x80) {
    const bool printable =
        (first >= 0x20 && first != 0x7f) || first == '\n' || first == '\t';
    return printable ? 1 : 0;
  }
  const size_t size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (text.size() < size || !IsUtf8(text.substr(0, size))) return 0;
  // U+0080 to U+009F.
  return first == 0xc2 && static_cast<uint8_t>(text[1]) < 0xa0 ? 0 : size;
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string printable;
  printable.reserve(text.size());
  while (!text.empty()) {
    const size_t size = PrintableSize(text);
    if (size == 0) {
      absl::StrAppendFormat(&printable, "\\x%02x", static_cast<uint8_t>(text[0]));
    } else {
      printable += text.substr(0, size);
    }
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  return printable;
}

void WriteError(std::string_view text) {
  const std::string printable = Printable(text);
  std::fwrite(printable.data(), 1, printable.size(), stderr);
  std::fflush(stderr);
}

}  // namespace skep

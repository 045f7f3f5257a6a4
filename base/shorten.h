// What a user gave, as far as a message should repeat it.

#ifndef SKEP_BASE_SHORTEN_H_
#define SKEP_BASE_SHORTEN_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace skep {

// `text` if it has at most 80 bytes; else its beginning, not cut inside a character of
// UTF-8, and its size: "0.5,0.5,0.5... (80000 bytes)".
inline std::string Shorten(std::string_view text) {
  constexpr size_t kMostBytes = 80;
  if (text.size() <= kMostBytes) return std::string(text);
  size_t end = kMostBytes;
  // A character has at most three bytes that continue it.
  while (end > kMostBytes - 3 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
    --end;
  return std::string(text.substr(0, end)) + "... (" + std::to_string(text.size()) +
         " bytes)";
}

}  // namespace skep

#endif  // SKEP_BASE_SHORTEN_H_

// JSON for answers: small enough that jobs need no JSON library.

#ifndef SKEP_JOBS_API_JSON_TEXT_H_
#define SKEP_JOBS_API_JSON_TEXT_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace skep {

// `bytes` as a JSON string, with its quotes. Bytes that are not UTF-8 become U+FFFD,
// one for each.
std::string JsonString(std::string_view bytes);

// `value` as a JSON number that reads back as the same double; infinities and NaN,
// which JSON does not have, as the strings "inf", "-inf" and "nan".
std::string JsonNumber(double value);

// {"name":count,...} in the order of the names.
std::string JsonCounts(const std::map<std::string, uint64_t>& counts);

// Whether the bytes are UTF-8.
bool IsUtf8(std::string_view bytes);

}  // namespace skep

#endif  // SKEP_JOBS_API_JSON_TEXT_H_

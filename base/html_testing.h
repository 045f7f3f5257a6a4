// For tests of pages: whether their tags are well formed.

#ifndef SKEP_BASE_HTML_TESTING_H_
#define SKEP_BASE_HTML_TESTING_H_

#include <string>
#include <string_view>

namespace skep {

// The first tag that closes what is not open, or the first that is never closed: what
// XML parsers refuse before anything else. "" if there is none. `html` holds no style
// or script, in which "<" may stand for itself.
std::string MisplacedTag(std::string_view html);

}  // namespace skep

#endif  // SKEP_BASE_HTML_TESTING_H_

// What commands say to people on stderr.

#ifndef SKEP_TOOLS_STANDARD_ERROR_H_
#define SKEP_TOOLS_STANDARD_ERROR_H_

#include <string>
#include <string_view>

namespace skep {

// Messages name files and quote what stands in them, which may hold anything: bytes
// that a terminal would obey (control characters but '\n' and '\t', those of C1 and
// 0x7f, too) and those that are no UTF-8 become \x1b and the like.
std::string Printable(std::string_view text);

// Writes the text, printable, and flushes.
void WriteError(std::string_view text);

}  // namespace skep

#endif  // SKEP_TOOLS_STANDARD_ERROR_H_

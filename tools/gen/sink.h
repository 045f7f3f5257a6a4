// Where a generator's bytes go, in pieces of up to a few hundred KiB.

#ifndef SKEP_TOOLS_GEN_SINK_H_
#define SKEP_TOOLS_GEN_SINK_H_

#include <functional>
#include <string_view>

#include "absl/status/status.h"

namespace skep {

// An error ends the generator, which returns it.
using Sink = std::function<absl::Status(std::string_view bytes)>;

// Generators fill a buffer of this size before they hand it on.
inline constexpr size_t kSinkBytes = 256 << 10;

}  // namespace skep

#endif  // SKEP_TOOLS_GEN_SINK_H_

// A link that sends captured requests (tools/record/traffic_file.h) as they were, but
// for their ids.

#ifndef SKEP_TOOLS_LOAD_REPLAY_LINK_H_
#define SKEP_TOOLS_LOAD_REPLAY_LINK_H_

#include <memory>
#include <string_view>
#include <vector>

#include "tools/load/link.h"

namespace skep {

// Sends `bodies`, in order, one for each Send; they are borrowed. From a reply it looks
// only at whether it is an error. What never wants a reply is answered as it is sent.
std::unique_ptr<Link> MakeReplayLink(Transport& transport, const LinkOptions& options,
                                     std::vector<std::string_view> bodies,
                                     LinkEvents& events);

}  // namespace skep

#endif  // SKEP_TOOLS_LOAD_REPLAY_LINK_H_

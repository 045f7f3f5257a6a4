// Two streams joined: what one receives, the other sends.

#ifndef SKEP_MASTER_STREAM_SPLICE_H_
#define SKEP_MASTER_STREAM_SPLICE_H_

#include <memory>

#include "rpc/transport.h"

namespace skep {

// The handler of `far`, which is borrowed and has been started with whoever owns this.
// `near` is started here, on the same executor. Each is read only as fast as the other
// takes it: over kStreamHighWater unsent it waits. The end of one half goes on as the
// end of a half, a broken connection as a broken one.
std::unique_ptr<StreamHandler> SpliceStreams(Stream& far, std::unique_ptr<Stream> near);

}  // namespace skep

#endif  // SKEP_MASTER_STREAM_SPLICE_H_

#include "rpc/transport.h"

namespace skep {

void StreamHandler::OnPeerClosed() { stream_->CloseWhenDrained(); }

}  // namespace skep

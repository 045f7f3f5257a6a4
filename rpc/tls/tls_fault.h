// Why a TLS connection failed, in words that say what to do.

#ifndef SKEP_RPC_TLS_TLS_FAULT_H_
#define SKEP_RPC_TLS_TLS_FAULT_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

typedef struct ssl_st SSL;

namespace skep {

// What OpenSSL's error queue, which is emptied, says of `ssl`: what we found wrong with
// the peer, or what the peer told us in an alert. `fleet`: ours.
std::string DescribeTlsFault(SSL* ssl, const std::string& fleet);

// Whether a connection that begins so may be TLS; no frame of the channel and no text
// does.
bool LooksLikeTls(std::string_view first_bytes);

// What a peer that speaks plain text gets: a TLS alert, by which a channel without TLS
// knows what it talks to.
std::string_view PlainTextRefusal();

// A line in the log; the same of one source once a minute (base/log_filter.h).
void LogRefusal(const std::string& peer, const absl::Status& reason);

}  // namespace skep

#endif  // SKEP_RPC_TLS_TLS_FAULT_H_

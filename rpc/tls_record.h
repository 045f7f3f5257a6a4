// How TLS begins, for those who speak plain text and meet it: no frame of the channel
// and no text begins so, and what is wrong can be said in words.

#ifndef SKEP_RPC_TLS_RECORD_H_
#define SKEP_RPC_TLS_RECORD_H_

#include <string_view>

namespace skep {

// The types of a record, its first byte; the second is the same of all (RFC 8446, 5.1).
inline constexpr char kTlsAlertRecord = 21;
inline constexpr char kTlsHandshakeRecord = 22;
inline constexpr char kTlsRecordVersion = 3;

inline bool BeginsTlsRecord(std::string_view first_bytes, char type) {
  return !first_bytes.empty() && first_bytes[0] == type &&
         (first_bytes.size() < 2 || first_bytes[1] == kTlsRecordVersion);
}
// A server under TLS tells a client in plain text that it wants TLS.
inline bool BeginsTlsAlert(std::string_view first_bytes) {
  return BeginsTlsRecord(first_bytes, kTlsAlertRecord);
}
// A client under TLS says hello.
inline bool BeginsTlsHandshake(std::string_view first_bytes) {
  return BeginsTlsRecord(first_bytes, kTlsHandshakeRecord);
}

// What each is told of the other, after who it is.
inline constexpr std::string_view kClientSpeaksTls =
    "it speaks TLS, and here is none: start this server with --tls DIR (`skep cert` "
    "makes one), or that client without";

}  // namespace skep

#endif  // SKEP_RPC_TLS_RECORD_H_

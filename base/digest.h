// Digests of bytes, and an order-independent digest of a set of records.

#ifndef SKEP_BASE_DIGEST_H_
#define SKEP_BASE_DIGEST_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace skep {

// XXH3, 64 and 128 bits. Not cryptographic.
uint64_t Digest64(std::string_view bytes, uint64_t seed = 0);

// Digest64, without a seed, of bytes that come in pieces.
class StreamingDigest64 {
 public:
  StreamingDigest64();
  ~StreamingDigest64();
  void Add(std::string_view bytes);
  // Of what was added so far.
  uint64_t value() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct Digest128 {
  uint64_t low = 0;
  uint64_t high = 0;

  // 32 hex digits.
  std::string ToString() const;
  friend bool operator==(const Digest128&, const Digest128&) = default;
};
Digest128 DigestOf(std::string_view bytes);

// A multiset of records in 128 bits: the sum modulo 2^128 of each record's XXH3-128.
// Equal multisets have equal digests in whatever order they were added, and the digest
// of a union is the sum of the digests. Used by the ledger that proves that reducers
// consumed just what mappers produced.
class RecordDigest {
 public:
  void Add(std::string_view key, std::string_view value);
  void Merge(const Digest128& other);
  const Digest128& value() const { return sum_; }

 private:
  Digest128 sum_;
};

}  // namespace skep

#endif  // SKEP_BASE_DIGEST_H_

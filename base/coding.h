// Integers as bytes: varints (protobuf's), fixed width in both byte orders, and
// order-preserving keys. Decoders take bytes from the front of a view and return
// false, leaving it in an unspecified position, when it is too short or malformed.

#ifndef SKEP_BASE_CODING_H_
#define SKEP_BASE_CODING_H_

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace skep {

static_assert(std::endian::native == std::endian::little);

template <typename T>
T LoadLittle(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <typename T>
void StoreLittle(T value, void* to) {
  std::memcpy(to, &value, sizeof value);
}
inline uint32_t LoadBig32(const void* from) {
  return __builtin_bswap32(LoadLittle<uint32_t>(from));
}
inline uint64_t LoadBig64(const void* from) {
  return __builtin_bswap64(LoadLittle<uint64_t>(from));
}
inline void StoreBig32(uint32_t value, void* to) {
  StoreLittle(__builtin_bswap32(value), to);
}
inline void StoreBig64(uint64_t value, void* to) {
  StoreLittle(__builtin_bswap64(value), to);
}

inline constexpr int kMaxVarint64Bytes = 10;

// Writes at most kMaxVarint64Bytes at `to`; returns the end.
inline char* EncodeVarint(uint64_t value, char* to) {
  while (value >= 0x80) {
    *to++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<char>(value);
  return to;
}

inline void PutVarint(std::string* out, uint64_t value) {
  char buffer[kMaxVarint64Bytes];
  out->append(buffer, EncodeVarint(value, buffer) - buffer);
}

inline bool GetVarint(std::string_view* in, uint64_t* value) {
  uint64_t result = 0;
  for (int i = 0; i < kMaxVarint64Bytes && i < static_cast<int>(in->size()); ++i) {
    const uint64_t byte = static_cast<uint8_t>((*in)[i]);
    result |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      if (i == kMaxVarint64Bytes - 1 && byte > 1) return false;  // over 64 bits
      in->remove_prefix(i + 1);
      *value = result;
      return true;
    }
  }
  return false;
}

// A length as a varint, then the bytes.
inline void PutBytes(std::string* out, std::string_view bytes) {
  PutVarint(out, bytes.size());
  out->append(bytes);
}
inline bool GetBytes(std::string_view* in, std::string_view* bytes) {
  uint64_t size;
  if (!GetVarint(in, &size) || size > in->size()) return false;
  *bytes = in->substr(0, size);
  in->remove_prefix(size);
  return true;
}

inline void PutBig64(std::string* out, uint64_t value) {
  char buffer[8];
  StoreBig64(value, buffer);
  out->append(buffer, 8);
}
inline bool GetBig64(std::string_view* in, uint64_t* value) {
  if (in->size() < 8) return false;
  *value = LoadBig64(in->data());
  in->remove_prefix(8);
  return true;
}

// Signed integers and doubles as unsigned integers of the same order. For doubles:
// -inf < negatives < -0.0 < +0.0 < positives < +inf; NaNs are beyond both ends.
inline uint64_t OrderedFromInt64(int64_t value) {
  return static_cast<uint64_t>(value) ^ (uint64_t{1} << 63);
}
inline int64_t Int64FromOrdered(uint64_t ordered) {
  return static_cast<int64_t>(ordered ^ (uint64_t{1} << 63));
}
inline uint64_t OrderedFromDouble(double value) {
  const uint64_t bits = std::bit_cast<uint64_t>(value);
  return bits >> 63 ? ~bits : bits | (uint64_t{1} << 63);
}
inline double DoubleFromOrdered(uint64_t ordered) {
  return std::bit_cast<double>(ordered >> 63 ? ordered ^ (uint64_t{1} << 63) : ~ordered);
}

}  // namespace skep

#endif  // SKEP_BASE_CODING_H_

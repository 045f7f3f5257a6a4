#include "rpc/rpc0_codec.h"

#include <cstring>
#include <utility>

#include "base/checksum.h"
#include "base/coding.h"
#include "base/status.h"
#include "google/protobuf/message_lite.h"
#include "rpc/bulk.h"
#include "rpc/frame.h"

namespace skep {
namespace {

enum WireType : uint32_t {
  kVarint = 0,
  kFixed64 = 1,
  kLengthDelimited = 2,
  kGroup = 3,
  kEndGroup = 4,
  kFixed32 = 5,
};

// protobuf's default limit on nested groups.
constexpr int kMaxGroups = 100;
constexpr size_t kHeadBytes = kFrameSizeBytes + kRpc0Tag.size();

// Reads as protobuf's parser does, which is laxer than base/coding.h: bits beyond the
// value's width are dropped, padded varints are taken up to a maximum length.
class Reader {
 public:
  explicit Reader(std::string_view in) : at_(in.data()), end_(in.data() + in.size()) {}

  bool done() const { return at_ == end_; }
  const char* at() const { return at_; }

  bool Varint(uint64_t* value, int max_bytes = kMaxVarint64Bytes) {
    // Nearly all tags, lengths and enums are one byte.
    if (at_ != end_ && static_cast<uint8_t>(*at_) < 0x80) {
      *value = static_cast<uint8_t>(*at_++);
      return true;
    }
    uint64_t result = 0;
    for (int i = 0; i < max_bytes; ++i) {
      if (at_ == end_) return false;
      const uint64_t byte = static_cast<uint8_t>(*at_++);
      result |= (byte & 0x7f) << (7 * i);
      if (byte < 0x80) {
        *value = result;
        return true;
      }
    }
    return false;
  }

  bool Tag(uint32_t* tag) {
    uint64_t value;
    if (!Varint(&value, 5)) return false;
    *tag = static_cast<uint32_t>(value);
    return *tag >> 3 != 0;
  }

  template <typename T>
  bool Fixed(T* value) {
    if (end_ - at_ < static_cast<ptrdiff_t>(sizeof(T))) return false;
    *value = LoadLittle<T>(at_);
    at_ += sizeof(T);
    return true;
  }

  bool Bytes(std::string_view* bytes) {
    uint64_t size;
    if (!Varint(&size, 5) || size > static_cast<uint64_t>(end_ - at_)) return false;
    *bytes = std::string_view(at_, size);
    at_ += size;
    return true;
  }

  // Skips a field whose tag has been read. `depth` counts the groups around it.
  bool Skip(uint32_t tag, int depth) {
    uint64_t number;
    uint32_t number32;
    std::string_view bytes;
    switch (tag & 7) {
      case kVarint:
        return Varint(&number);
      case kFixed64:
        return Fixed(&number);
      case kLengthDelimited:
        return Bytes(&bytes);
      case kFixed32:
        return Fixed(&number32);
      case kGroup:
        if (depth == kMaxGroups) return false;
        for (uint32_t inner; Tag(&inner);) {
          if ((inner & 7) == kEndGroup) return inner == tag + 1;
          if (!Skip(inner, depth + 1)) return false;
        }
        return false;
      default:
        return false;
    }
  }

 private:
  const char* at_;
  const char* end_;
};

constexpr uint32_t TagOf(int field, WireType type) {
  return static_cast<uint32_t>(field) << 3 | type;
}

bool ReadNumber(Reader& in, uint32_t* value) {
  uint64_t wide;
  if (!in.Varint(&wide)) return false;
  *value = static_cast<uint32_t>(wide);
  return true;
}

// Enums are int32 on the wire; a value that the enum does not have is an unknown field.
bool ReadType(Reader& in, Envelope* out) {
  uint32_t value;
  if (!ReadNumber(in, &value)) return false;
  if (value >= 1 && value <= 3) {
    out->type = static_cast<MessageType>(value);
    out->Set(Envelope::kType);
  }
  return true;
}
bool ReadError(Reader& in, Envelope* out) {
  uint32_t value;
  if (!ReadNumber(in, &value)) return false;
  if (value <= 6) {
    out->error = static_cast<WireError>(value);
    out->Set(Envelope::kError);
  }
  return true;
}

// The known field of this tag, or false in *known.
bool ReadField(Reader& in, uint32_t tag, Envelope* out, bool* known) {
  const auto set = [&](bool ok) {
    if (ok) out->Set(static_cast<Envelope::Field>(tag >> 3));
    return ok;
  };
  switch (tag) {
    case TagOf(Envelope::kType, kVarint):
      return ReadType(in, out);
    case TagOf(Envelope::kId, kFixed64):
      out->id_repeated = out->Has(Envelope::kId);
      return set(in.Fixed(&out->id));
    case TagOf(Envelope::kService, kLengthDelimited):
      return set(in.Bytes(&out->service));
    case TagOf(Envelope::kMethod, kLengthDelimited):
      return set(in.Bytes(&out->method));
    case TagOf(Envelope::kRequest, kLengthDelimited):
      return set(in.Bytes(&out->request));
    case TagOf(Envelope::kResponse, kLengthDelimited):
      return set(in.Bytes(&out->response));
    case TagOf(Envelope::kError, kVarint):
      return ReadError(in, out);
    case TagOf(Envelope::kBudget, kFixed32):
      return set(in.Fixed(&out->budget_us));
    case TagOf(Envelope::kFlags, kVarint):
      return set(ReadNumber(in, &out->flags));
    case TagOf(Envelope::kStatus, kVarint):
      return set(ReadNumber(in, &out->status));
    case TagOf(Envelope::kMessage, kLengthDelimited):
      return set(in.Bytes(&out->message));
    case TagOf(Envelope::kRetryAfter, kVarint):
      return set(ReadNumber(in, &out->retry_after_us));
    case TagOf(Envelope::kLoad, kVarint):
      return set(ReadNumber(in, &out->load));
    case TagOf(Envelope::kTrace, kFixed64):
      return set(in.Fixed(&out->trace));
    case TagOf(Envelope::kAttachment, kLengthDelimited):
      return set(in.Bytes(&out->attachment));
    default:
      *known = false;
      return true;
  }
}

// Writes at a place that has room. All tags are one byte.
class Writer {
 public:
  explicit Writer(char* at) : at_(at) {}

  char* at() const { return at_; }
  void Raw(std::string_view bytes) {
    std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void Number(uint64_t value) { at_ = EncodeVarint(value, at_); }
  void Tag(Envelope::Field field, WireType type) {
    *at_++ = static_cast<char>(TagOf(field, type));
  }
  void Varint(Envelope::Field field, uint64_t value) {
    Tag(field, kVarint);
    Number(value);
  }
  template <typename T>
  void Fixed(Envelope::Field field, T value) {
    Tag(field, sizeof(T) == 8 ? kFixed64 : kFixed32);
    StoreLittle(value, at_);
    at_ += sizeof(T);
  }
  void Bytes(Envelope::Field field, std::string_view bytes) {
    Tag(field, kLengthDelimited);
    Number(bytes.size());
    Raw(bytes);
  }
  // Its size is cached: FrameRoom asked for it.
  void Message(Envelope::Field field, const google::protobuf::MessageLite& message) {
    Tag(field, kLengthDelimited);
    Number(static_cast<uint64_t>(message.GetCachedSize()));
    at_ = reinterpret_cast<char*>(
        message.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(at_)));
  }

 private:
  char* at_;
};

void WriteFields(const Envelope& e, const google::protobuf::MessageLite* body,
                 Writer& to) {
  to.Varint(Envelope::kType, static_cast<uint64_t>(e.type));
  to.Fixed(Envelope::kId, e.id);
  if (e.Has(Envelope::kBudget)) to.Fixed(Envelope::kBudget, e.budget_us);
  if (e.Has(Envelope::kService)) to.Bytes(Envelope::kService, e.service);
  if (e.Has(Envelope::kMethod)) to.Bytes(Envelope::kMethod, e.method);
  if (body != nullptr) {
    to.Message(
        e.type == MessageType::kRequest ? Envelope::kRequest : Envelope::kResponse,
        *body);
  } else {
    if (e.Has(Envelope::kRequest)) to.Bytes(Envelope::kRequest, e.request);
    if (e.Has(Envelope::kResponse)) to.Bytes(Envelope::kResponse, e.response);
  }
  if (e.Has(Envelope::kError)) {
    to.Varint(Envelope::kError, static_cast<uint64_t>(e.error));
  }
  if (e.Has(Envelope::kFlags)) to.Varint(Envelope::kFlags, e.flags);
  if (e.Has(Envelope::kStatus)) to.Varint(Envelope::kStatus, e.status);
  if (e.Has(Envelope::kMessage)) to.Bytes(Envelope::kMessage, e.message);
  if (e.Has(Envelope::kRetryAfter)) to.Varint(Envelope::kRetryAfter, e.retry_after_us);
  if (e.Has(Envelope::kLoad)) to.Varint(Envelope::kLoad, e.load);
  if (e.Has(Envelope::kTrace)) to.Fixed(Envelope::kTrace, e.trace);
}

// Reads fields as our own writer orders them, for as long as they come so: one
// comparison each, well predicted. Returns what is left for the general way.
std::string_view ParseUsualFields(std::string_view in, Envelope* out) {
  constexpr size_t kTypeAndId = 2 + 1 + 8;
  if (in.size() < kTypeAndId || in[0] != TagOf(Envelope::kType, kVarint) || in[1] < 1 ||
      in[1] > 3 || in[2] != TagOf(Envelope::kId, kFixed64)) {
    return in;
  }
  out->type = static_cast<MessageType>(in[1]);
  out->id = LoadLittle<uint64_t>(in.data() + 3);
  uint32_t present = 1u << Envelope::kType | 1u << Envelope::kId;
  const char* at = in.data() + kTypeAndId;
  const char* const end = in.data() + in.size();
  // A field of less than 128 bytes, if it is the next.
  const auto bytes = [&](Envelope::Field field, std::string_view* value) {
    if (end - at < 2 || static_cast<uint8_t>(*at) != TagOf(field, kLengthDelimited)) {
      return;
    }
    const uint8_t size = static_cast<uint8_t>(at[1]);
    if (size >= 0x80 || end - at - 2 < size) return;
    *value = std::string_view(at + 2, size);
    at += 2 + size;
    present |= 1u << field;
  };
  if (out->type == MessageType::kRequest) {
    if (end - at >= 5 &&
        static_cast<uint8_t>(*at) == TagOf(Envelope::kBudget, kFixed32)) {
      out->budget_us = LoadLittle<uint32_t>(at + 1);
      at += 5;
      present |= 1u << Envelope::kBudget;
    }
    bytes(Envelope::kService, &out->service);
    bytes(Envelope::kMethod, &out->method);
    bytes(Envelope::kRequest, &out->request);
  } else {
    bytes(Envelope::kResponse, &out->response);
  }
  out->present = static_cast<uint16_t>(present);
  return std::string_view(at, static_cast<size_t>(end - at));
}

}  // namespace

bool ParseMessage(std::string_view bytes, google::protobuf::MessageLite* out) {
  return out->ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size())) &&
         out->IsInitialized();
}

bool ParseEnvelope(std::string_view payload, Envelope* out) {
  *out = Envelope();
  Reader in(ParseUsualFields(payload, out));
  while (!in.done()) {
    uint32_t tag;
    if (!in.Tag(&tag)) return false;
    bool known = true;
    if (!ReadField(in, tag, out, &known)) return false;
    if (!known && !in.Skip(tag, 0)) return false;
  }
  return out->Has(Envelope::kType) && out->Has(Envelope::kId);
}

size_t ParseEnvelopeHead(std::string_view front, size_t size, Envelope* out,
                         Envelope::Field last) {
  *out = Envelope();
  Reader in(front);
  while (!in.done()) {
    uint32_t tag;
    if (!in.Tag(&tag)) return 0;
    bool known = true;
    if (tag == TagOf(last, kLengthDelimited)) {
      Reader length = in;
      uint64_t bytes;
      if (!length.Varint(&bytes, 5)) return 0;
      const size_t at = static_cast<size_t>(length.at() - front.data());
      if (at + bytes == size) {
        return out->Has(Envelope::kType) && out->Has(Envelope::kId) ? at : 0;
      }
    }
    if (!ReadField(in, tag, out, &known)) return 0;
    if (!known && !in.Skip(tag, 0)) return 0;
  }
  return 0;
}

std::string TakeAttachment(const Envelope& envelope) {
  return envelope.owned_attachment != nullptr ? std::move(*envelope.owned_attachment)
                                              : BulkOf(envelope.attachment);
}

std::string OutFrame::ToString() const {
  char tail[kFrameChecksumBytes];
  StoreBig32(checksum, tail);
  std::string all;
  all.reserve(size());
  return all.append(head).append(attachment).append(tail, sizeof tail);
}

absl::StatusOr<size_t> FrameRoom(const Envelope& envelope,
                                 const google::protobuf::MessageLite* body,
                                 size_t attachment) {
  const size_t body_size = body == nullptr ? 0 : body->ByteSizeLong();
  // The fixed-width part and the lengths of the rest are well under 128 bytes.
  const size_t head = kHeadBytes + 128 + envelope.service.size() +
                      envelope.method.size() + envelope.request.size() +
                      envelope.response.size() + envelope.message.size() + body_size;
  if (head + attachment > kMaxFrameSize) {
    return InvalidArgument("a message of ", body_size, " bytes with an attachment of ",
                           attachment, " bytes does not fit into a frame, which ",
                           "holds ", kMaxFrameSize, ": send it in parts");
  }
  return head + (TravelsApart(attachment) ? 0 : attachment);
}

char* EncodeHead(const Envelope& envelope, const google::protobuf::MessageLite* body,
                 std::string_view attachment, char* to) {
  Writer out(to + kFrameSizeBytes);
  out.Raw(kRpc0Tag);
  WriteFields(envelope, body, out);
  size_t apart = 0;
  if (TravelsApart(attachment.size())) {
    out.Tag(Envelope::kAttachment, kLengthDelimited);
    out.Number(attachment.size());
    apart = attachment.size();
  } else if (!attachment.empty()) {
    out.Bytes(Envelope::kAttachment, attachment);
  }
  const size_t checked = static_cast<size_t>(out.at() - to) - kFrameSizeBytes + apart;
  StoreBig32(static_cast<uint32_t>(checked + kFrameChecksumBytes), to);
  return out.at();
}

absl::Status EncodeFrame(const Envelope& envelope,
                         const google::protobuf::MessageLite* body,
                         std::string attachment, OutFrame* out) {
  SKEP_ASSIGN_OR_RETURN(const size_t room,
                        FrameRoom(envelope, body, attachment.size()));
  out->head.resize(room);
  const char* const end = EncodeHead(envelope, body, attachment, out->head.data());
  out->head.resize(static_cast<size_t>(end - out->head.data()));
  if (!TravelsApart(attachment.size())) attachment.clear();
  out->attachment = std::move(attachment);
  out->checksum = Adler32(Adler32(std::string_view(out->head).substr(kFrameSizeBytes)),
                          out->attachment);
  return absl::OkStatus();
}

}  // namespace skep

// A message on its way from an untrusted local user: what sendmail hands to postdrop, what postdrop leaves in maildrop/
// and what pickup reads. Layout: docs/formats/maildrop.md.
//
// Nothing here is believed: sizes are bounded, and of an envelope only what a user may decide is kept.
#pragma once

#include "queue/queue_file.pb.h"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace facteur::queue {

inline constexpr std::string_view kMaildropMagic = "facteur-maildrop 1\n";
inline constexpr std::size_t kMaildropEnvelopeLimit = 32 << 20;
inline constexpr std::size_t kMaildropChunkLimit = 256 << 10;

enum class MaildropRecord { envelope, content, end };

// A record's bytes. Content goes in pieces of at most kMaildropChunkLimit.
std::string maildrop_record(MaildropRecord type, std::string_view payload);

// Takes a file or stream apart as its bytes arrive. The order is checked: the envelope once, content, the end once.
class MaildropParser {
public:
    enum class Step { need_bytes, envelope, content, end, bad };
    void push(std::string_view bytes) { buffer_.append(bytes); }
    // On envelope and content the payload is filled. After end or bad every step is the same again; bytes after the
    // end are bad.
    Step next(std::string& payload);
    [[nodiscard]] const std::string& problem() const { return problem_; } // when bad

private:
    Step fail(std::string_view text);
    Step take(std::string& payload);
    bool check_magic();
    std::string buffer_;
    std::size_t used_ = 0;
    std::string problem_;
    bool magic_seen_ = false;
    bool envelope_seen_ = false;
    bool ended_ = false;
};

// The envelope that a local user asked for, without what only the system may set (origin, filters, holds, notes of
// progress). Error: the bytes are no envelope, it has no recipient, or an address has control characters.
std::expected<Envelope, std::string> accept_user_envelope(std::string_view bytes);

// Content in maildrop has lines that end in LF, as local programs write them; the queue has CRLF. Carries its state
// from chunk to chunk.
class LineEndings {
public:
    std::string convert(std::string_view chunk); // every LF becomes CRLF; CRLF stays
    std::string finish();                        // CRLF when the last line had no end

private:
    char last_ = '\n';
};

} // namespace facteur::queue

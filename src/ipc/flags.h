// Bits and words shared by the messages of ipc/messages.proto.
#pragma once

#include <cstdint>

namespace facteur::ipc {

// ResolveReply.flags: what class the recipient's domain has. Source: ADDRESS_CLASS_README.
namespace resolve_flag {
inline constexpr std::uint32_t error = 1;  // the address cannot be used at all
inline constexpr std::uint32_t failed = 2; // a table cannot answer now: try later
inline constexpr std::uint32_t local = 4;  // mydestination, inet_interfaces, proxy_interfaces
inline constexpr std::uint32_t virtual_alias = 8;
inline constexpr std::uint32_t virtual_mailbox = 16;
inline constexpr std::uint32_t relay = 32;
inline constexpr std::uint32_t other = 64;   // the default class
inline constexpr std::uint32_t routed = 128; // sender-specified routing: user@domain@us, %, !
inline constexpr std::uint32_t final_destination = local | virtual_alias | virtual_mailbox;
} // namespace resolve_flag

// SubmitRequest.flags: what cleanup does for this kind of message. Source: cleanup(8), cleanup_user.h names.
namespace submit_flag {
inline constexpr std::uint32_t hold = 1;
inline constexpr std::uint32_t discard = 2;
inline constexpr std::uint32_t filter = 4; // header_checks and body_checks
inline constexpr std::uint32_t map = 8;    // canonical, virtual, masquerade, bcc
inline constexpr std::uint32_t bcc = 16;   // always_bcc, sender_bcc_maps, recipient_bcc_maps
inline constexpr std::uint32_t milter = 32;
inline constexpr std::uint32_t extract_recipients = 64; // sendmail -t
inline constexpr std::uint32_t bounce = 128;   // a message that cannot be accepted is returned instead of refused
inline constexpr std::uint32_t smtputf8 = 256; // SMTPUTF8 was requested
inline constexpr std::uint32_t autodetect_utf8 = 512;
inline constexpr std::uint32_t internal = 1024; // made by the mail system
} // namespace submit_flag

// DeliverRequest.flags and the flags of bounce requests.
namespace deliver_flag {
inline constexpr std::uint32_t trace_verify = 1;    // sendmail -bv: do not deliver, report
inline constexpr std::uint32_t trace_record = 2;    // sendmail -v: deliver and report
inline constexpr std::uint32_t connection_load = 4; // keep the connection for the next message
inline constexpr std::uint32_t connection_store = 8;
inline constexpr std::uint32_t single = 16;        // one recipient: Received: may name it
inline constexpr std::uint32_t delay_cleared = 32; // the sender was told of a delay: tell that it is over
} // namespace deliver_flag

// queue.Recipient.dsn_notify (RFC 3461 s4.1).
namespace notify {
inline constexpr std::uint32_t never = 1;
inline constexpr std::uint32_t success = 2;
inline constexpr std::uint32_t failure = 4;
inline constexpr std::uint32_t delay = 8;
} // namespace notify

// queue.Envelope.dsn_ret (RFC 3461 s4.3).
namespace ret {
inline constexpr std::uint32_t full = 1;
inline constexpr std::uint32_t headers = 2;
} // namespace ret

// queue.Envelope.smtputf8 (RFC 6531).
namespace smtputf8 {
inline constexpr std::uint32_t requested = 1;
inline constexpr std::uint32_t header = 2;
inline constexpr std::uint32_t sender = 4;
inline constexpr std::uint32_t recipient = 8;
} // namespace smtputf8

} // namespace facteur::ipc

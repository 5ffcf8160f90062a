// The commands of one mail transaction, as text. Pure. Sources: RFC 5321, RFC 1870, RFC 3461, RFC 6152, RFC 6531,
// XFORWARD_README.
#pragma once

#include "daemons/smtp/ehlo.h"
#include "daemons/smtp/message.h"
#include "daemons/smtp/settings.h"

#include <string>

namespace facteur::smtp_client {

// Without line end.
std::string mail_command(const Message& message, const ServerFeatures& server, const Settings& settings);
std::string rcpt_command(const queue::Recipient& recipient, const ServerFeatures& server, const Settings& settings);
// Empty when there is nothing to tell or the server does not ask for it.
std::string xforward_client_command(const queue::Envelope& envelope, const ServerFeatures& server);
std::string xforward_protocol_command(const queue::Envelope& envelope, const ServerFeatures& server);

// The content must become 7-bit for this server.
bool must_downgrade(const Message& message, const ServerFeatures& server, const Settings& settings);

// Header lines that go before the content ("flags=DOR").
std::string added_headers(const Message& message, const AddedHeaders& which);

} // namespace facteur::smtp_client

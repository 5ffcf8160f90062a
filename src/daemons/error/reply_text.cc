#include "daemons/error/reply_text.h"

#include "mail/dsn.h"

namespace facteur::error_agent {

ipc::Dsn split_status(std::string_view text, char status_class, std::string_view otherwise)
{
    const auto split = mail::split_enhanced_status(text);
    const bool fits = split && split->status.status_class == status_class - '0';
    ipc::Dsn dsn;
    dsn.set_status(fits ? split->status.text() : std::string(otherwise));
    dsn.set_reason(std::string(fits ? split->text : text));
    return dsn;
}

} // namespace facteur::error_agent

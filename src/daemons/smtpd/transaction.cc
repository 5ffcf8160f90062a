#include "daemons/smtpd/transaction.h"

#include "daemons/smtpd/intake.h"

namespace facteur::smtpd {

Transaction::Transaction() = default;
Transaction::~Transaction() = default;
Transaction::Transaction(Transaction&&) noexcept = default;
Transaction& Transaction::operator=(Transaction&&) noexcept = default;

} // namespace facteur::smtpd

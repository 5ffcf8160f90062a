#include "tools/postconf/lists.h"

#include "base/log.h"
#include "table/table.h"
#include "tools/postconf/print.h"

#include <openssl/crypto.h>
#include <openssl/opensslv.h>

namespace facteur::postconf {

void list_capabilities(const Options& options)
{
    if (options.has(sasl_servers))
        write_out("cyrus\ndovecot\n");
    else if (options.has(sasl_clients))
        write_out("cyrus\n");
    else if (options.has(locks))
        write_out("flock\nfcntl\ndotlock\n");
    else
        for (const auto& type : table::table_types())
            write_out(type + "\n");
}

bool show_tls(const std::string& mode)
{
    if (mode == "compile-version")
        write_out(std::string(OPENSSL_VERSION_TEXT) + "\n");
    else if (mode == "run-version")
        write_out(std::string(::OpenSSL_version(OPENSSL_VERSION)) + "\n");
    else if (mode == "public-key-algorithms")
        write_out("dsa\necdsa\nrsa\n");
    else {
        log::warning("unknown 'postconf -T' mode: {}", mode);
        return false;
    }
    return true;
}

} // namespace facteur::postconf

#include "tools/postconf/references.h"

#include "base/text.h"

#include <array>
#include <span>

namespace facteur::postconf {

namespace {

// Settings of each client, from ldap_table(5), mysql_table(5), pgsql_table(5), sqlite_table(5), memcache_table(5).
constexpr std::string_view kLdap =
    "server_host server_port search_base query_filter result_filter result_format result_attribute "
    "special_result_attribute leaf_result_attribute terminal_result_attribute bind bind_dn bind_pw scope timeout "
    "dereference domain size_limit expansion_limit recursion_limit chase_referrals debuglevel version start_tls "
    "tls_require_cert tls_ca_cert_file tls_ca_cert_dir tls_cert tls_key tls_random_file tls_cipher_suite sasl_mechs "
    "sasl_realm sasl_authz_id sasl_minssf cache cache_expiry cache_size";
constexpr std::string_view kMysql =
    "user password dbname hosts domain query table select_field where_field additional_conditions result_format "
    "expansion_limit require_result_set option_file option_group tls_key_file tls_cert_file tls_CAfile tls_CApath "
    "tls_ciphers tls_verify_cert charset idle_interval retry_interval";
constexpr std::string_view kPgsql =
    "user password dbname hosts domain query table select_field where_field additional_conditions select_function "
    "result_format expansion_limit encoding idle_interval retry_interval";
constexpr std::string_view kSqlite =
    "dbpath query domain result_format expansion_limit table select_field where_field additional_conditions";
constexpr std::string_view kMongodb = "uri dbname collection query_filter projection result_attribute result_format "
                                      "domain expansion_limit search_timeout";

struct Client {
    std::string_view type;
    std::string_view settings;
};
constexpr std::array<Client, 5> kClients{
    {{"ldap", kLdap}, {"mysql", kMysql}, {"pgsql", kPgsql}, {"sqlite", kSqlite}, {"mongodb", kMongodb}}};

bool is_name_character(char c)
{
    return text::is_alnum(c) || c == '_';
}

} // namespace

void collect_references(std::string_view text, Names& names)
{
    for (std::size_t at = 0; (at = text.find('$', at)) != text.npos;) {
        ++at;
        if (at < text.size() && text[at] == '$') {
            ++at;
            continue;
        }
        if (at < text.size() && (text[at] == '{' || text[at] == '('))
            at = std::min(text.find_first_not_of(" \t\r\n", at + 1), text.size());
        const auto start = at;
        while (at < text.size() && is_name_character(text[at]))
            ++at;
        // "${name{...}}" calls a function.
        if (at > start && !(at < text.size() && text[at] == '{' && start > 0 && text[start - 1] == '{'))
            names.emplace(text.substr(start, at - start));
    }
}

void collect_client_settings(std::string_view text, Names& names,
                             std::vector<std::pair<std::string, std::string>>& files)
{
    for (auto word : text::split_list(text)) {
        if (word.starts_with("proxy:"))
            word.remove_prefix(6);
        const auto colon = word.find(':');
        if (colon == word.npos)
            continue;
        const auto client = std::ranges::find(kClients, word.substr(0, colon), &Client::type);
        const auto name = word.substr(colon + 1);
        if (client == kClients.end() || name.empty() || name.front() == '{')
            continue;
        if (name.front() == '/' || name.front() == '.') {
            files.emplace_back(client->type, name);
            continue;
        }
        for (const auto setting : text::split(client->settings, " "))
            names.insert(std::string(name) + "_" + std::string(setting));
    }
}

} // namespace facteur::postconf

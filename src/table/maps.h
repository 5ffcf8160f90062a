// A parameter's list of tables ("hash:/etc/a, pcre:/etc/b"): the first that has the key answers.
#pragma once

#include "table/table.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::table {

// Which parts of an address key are tried, most specific first. Source: the ADDRESS/RESULT sections of virtual(5),
// canonical(5), transport(5), and mail_addr_find.
enum class AddressForm {
    whole,          // only the key itself
    user_at_domain, // user+ext@domain, user@domain, user+ext, user (if local), @domain
};

class Maps {
public:
    Maps() = default;
    // `list` is a parameter's value; title is used in messages ("virtual_alias_maps").
    Maps(std::string title, std::string_view list, const TableOptions& options, const config::Config& config);
    Maps(Maps&&) noexcept = default;
    Maps& operator=(Maps&&) noexcept = default;

    [[nodiscard]] bool empty() const { return tables_.empty(); }
    // The first table that has the key. skip_patterns: for partial keys.
    enum class Patterns { use, skip };
    [[nodiscard]] LookupResult find(std::string_view key, Patterns patterns = Patterns::use);

    // An address with the partial forms of AddressForm::user_at_domain. local_domain(domain) says whether a bare
    // "user" key may be tried for it (mydestination, inet_interfaces, myorigin). A result "@other" replaces the
    // domain only. On a match found without the extension, *unmatched_extension gets "+ext".
    template <typename IsLocal>
    [[nodiscard]] LookupResult find_address(std::string_view address, std::string_view recipient_delimiter,
                                            const IsLocal& local_domain, std::string* unmatched_extension = nullptr);

    // A domain, then its parents: "a.b.c", then ".b.c"/"b.c" as parent_style says, down to the last label.
    enum class Parents { none, plain /* b.c */, dotted /* .b.c */ };
    [[nodiscard]] LookupResult find_domain(std::string_view domain, Parents parents);

    [[nodiscard]] bool changed() const;
    [[nodiscard]] bool blocking() const;

private:
    std::string title_;
    std::vector<std::unique_ptr<Table>> tables_;
};

// The candidate keys of find_address, in order. Separate so that it can be tested alone.
struct AddressKey {
    std::string key;
    bool partial = true;
    std::string unmatched_extension; // set when the key was made without the extension
};
[[nodiscard]] std::vector<AddressKey> address_keys(std::string_view address, std::string_view recipient_delimiter,
                                                   bool domain_is_local);

template <typename IsLocal>
LookupResult Maps::find_address(std::string_view address, std::string_view recipient_delimiter,
                                const IsLocal& local_domain, std::string* unmatched_extension)
{
    if (empty())
        return std::nullopt;
    const auto at = address.rfind('@');
    const bool local = at == address.npos || local_domain(address.substr(at + 1));
    for (const AddressKey& candidate : address_keys(address, recipient_delimiter, local)) {
        LookupResult found = find(candidate.key, candidate.partial ? Patterns::skip : Patterns::use);
        if (!found || !*found)
            if (found)
                continue;
        if (found && unmatched_extension)
            *unmatched_extension = candidate.unmatched_extension;
        return found;
    }
    return std::nullopt;
}

} // namespace facteur::table

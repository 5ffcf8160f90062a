// The envelope's addresses on their way into the queue: completed, mapped, expanded, without duplicates.
// Source: cleanup(8), canonical(5), virtual(5), postconf(5).
#pragma once

#include "daemons/cleanup/settings.h"
#include "queue/queue_file.pb.h"
#include "routing/address_mapping.h"

#include <expected>
#include <string>
#include <unordered_set>
#include <vector>

namespace facteur::cleanup {

// Why a message cannot be taken: an enhanced status and a text for the client.
struct Refusal {
    std::string enhanced_status;
    std::string text;
    bool temporary = true;
};

enum class Mapping { off, on }; // submit_flag::map

class Addresses {
public:
    Addresses(const Settings& settings, Tables& tables, Mapping mapping)
        : settings_(settings), mapping_tables_(settings, tables), mapping_(mapping)
    {
    }

    // Header addresses, for ContentPass: internal form in and out.
    std::string map_header(std::string_view address, mail::AddressRole role);

    std::expected<std::string, Refusal> sender(std::string_view address);
    // Adds the recipient's expansion to the result; a duplicate adds nothing.
    std::expected<void, Refusal> add_recipient(const queue::Recipient& recipient);
    // always_bcc, sender_bcc_maps, recipient_bcc_maps, for the recipients added so far.
    std::expected<void, Refusal> add_blind_copies(std::string_view sender);

    [[nodiscard]] std::vector<queue::Recipient>& result() { return result_; }
    // A table failed while headers were rewritten.
    [[nodiscard]] const std::optional<Refusal>& failure() const { return failure_; }

private:
    std::expected<std::string, Refusal> canonical(std::string address, mail::AddressRole role,
                                                  const std::string& address_class);
    void keep(queue::Recipient recipient);

    const Settings& settings_;
    routing::AddressMapping mapping_tables_;
    Mapping mapping_;
    std::vector<queue::Recipient> result_;
    std::unordered_set<std::string> seen_;
    std::optional<Refusal> failure_;
};

} // namespace facteur::cleanup

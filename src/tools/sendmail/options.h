// The command line that programs have given sendmail for forty years. Source: sendmail(1).
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::sendmail {

enum class Mode { enqueue, verify /* -bv */, mailq, newaliases, stand_alone /* -bs */, daemon, flush /* -q */ };

struct Options {
    Mode mode = Mode::enqueue;
    std::optional<std::string> directory;      // -C
    std::optional<std::string> sender;         // -f, -r
    std::optional<std::string> full_name;      // -F
    std::optional<std::string> alias_database; // -oA
    std::string encoding;                      // -B: "7bit", "8bit"
    std::string envelope_id;                   // -V
    std::optional<std::string> verp;           // -XV; empty: the default delimiters
    std::string site;                          // -qR
    std::string queue_id;                      // -qI
    std::uint32_t dsn_notify = 0;              // -N, ipc::notify
    std::uint32_t dsn_ret = 0;                 // -R, ipc::ret
    std::optional<std::string> where;          // mailq --where: a selection of messages
    bool extract_recipients = false;           // -t
    bool dot_ends = true;                      // not -i
    bool gateway = false;                      // -G
    int verbosity = 0;                         // -v
    std::vector<std::string> recipients;
    std::vector<std::string> warnings; // what is said and then ignored
};

// Error: the text of a fatal message. `program` is the name it was called by: mailq and newaliases are modes.
// getopt(3) itself complains about unknown letters.
std::expected<Options, std::string> parse_options(std::string_view program, int argc, char** argv);

// "success, delay" as ipc::notify bits; error: a warning.
std::expected<std::uint32_t, std::string> parse_notify(std::string_view text);

} // namespace facteur::sendmail

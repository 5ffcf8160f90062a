// master.cf as it is written: fields kept as text, so that showing and editing change nothing else.
#pragma once

#include "tools/postconf/print.h"

#include <array>
#include <expected>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::postconf {

constexpr std::size_t kCommandField = 7;
constexpr std::array<std::string_view, 8> kFieldNames{"service", "type",   "private",       "unprivileged",
                                                      "chroot",  "wakeup", "process_limit", "command"};

struct RawEntry {
    std::array<std::string, 8> fields; // the last is the command's name
    std::vector<std::string> args;     // "-o" and "name=value" are two

    [[nodiscard]] std::map<std::string, std::string> parameters() const; // of -o
    [[nodiscard]] std::string key() const { return fields[0] + "/" + fields[1]; }
    bool set_parameter(std::string_view name, std::string_view value); // always true: adds when there is none
    void remove_parameter(std::string_view name);
};

// Error: what a fatal line says, without file and line for bad fields, as Postfix has it.
std::expected<RawEntry, std::string> parse_raw_entry(std::string_view line);
// "invalid chroot field "x" in "y"", or empty.
std::string check_field(std::size_t field, std::string_view value, std::string_view context);
// Sets the command and its arguments from one text.
std::expected<void, std::string> set_command(RawEntry& entry, std::string_view text);

// Turns a -o value into what is to be shown (-x).
using ShowValue = std::function<std::string(std::string_view name, std::string_view value)>;

// A whole entry in columns, or its command and arguments after a label.
std::string format_entry(const RawEntry& entry, Folding folding, const ShowValue& show = {});
std::string format_command(std::string_view label, const RawEntry& entry, Folding folding, const ShowValue& show = {});

} // namespace facteur::postconf
